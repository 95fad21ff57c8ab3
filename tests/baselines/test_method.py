"""A method is its folder and an entry in a list; the needs that a method can name."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from transformers import AutoModelForCausalLM

from baselines import methods
from baselines.driver import Options, train
from baselines.method import Job, Method, Trained
from baselines.needs import Replies, SeveralAttributes, replies, several_attributes
from baselines.recipe import Recipe
from harness.cli.main import run as distalign
from harness.contract import Contract
from harness.errors import UserError
from harness.evaluation import evaluate
from harness.settings import Settings
from tests.baselines import nudge
from tests.baselines.tiny import tiny_answers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "METHODS", (*methods.METHODS, nudge.METHOD))


def test_one_more_method_is_trained_evaluated_listed_and_found_done(
    model: Path, tea: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    call = [
        *("train", "nudge", str(model), "--task", str(tea), "--target", "survey", "-o", str(out)),
        *("--completions", str(tiny_answers(tmp_path)), "--set", "strength=20"),
    ]
    assert distalign(call) == 0
    before, after = (AutoModelForCausalLM.from_pretrained(f).lm_head.weight for f in (model, out))
    moved = (after - before).abs().amax(1)
    assert moved.max().item() == pytest.approx(20)
    assert 1 <= int((moved > 0).sum()) <= 2
    assert json.loads((out / "distalign.json").read_text())["recipe"] == {"seed": 0, "strength": 20}
    run = evaluate(str(out), str(tea), "survey", Settings(n=4, out=tmp_path / "runs"))
    assert (run.folder / "scores.json").is_file()
    capsys.readouterr()
    assert distalign(call) == 0
    assert "trained already" in capsys.readouterr().err
    assert distalign(["list", "methods"]) == 0
    listed = capsys.readouterr().out
    assert "A method of the tests: every class's first token" in listed
    assert all(m.name in listed for m in methods.METHODS)


def test_a_stopped_one_goes_on_from_its_stage(
    model: Path, tea: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = Options(completions=tiny_answers(tmp_path))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("baselines.driver.finish", stop)
        with pytest.raises(KeyboardInterrupt):
            train("nudge", str(model), str(tea), "survey", tmp_path / "out", chosen)
    made = tmp_path / "out" / "stages" / "nudge" / "final" / "model.safetensors"
    written = made.stat().st_mtime_ns
    out = train("nudge", str(model), str(tea), "survey", tmp_path / "out", chosen)
    assert made.stat().st_mtime_ns == written
    assert (out / "distalign.json").is_file()


def _as_it_is(job: Job[Recipe, SeveralAttributes] | Job[Recipe, Replies]) -> Trained:
    final = job.stage("copy") / "final"
    shutil.copytree(job.source.folder, final, dirs_exist_ok=True)
    return Trained(final, "", Contract())


def test_a_method_on_people_s_replies_takes_corpora_and_targets(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("# Copies the model. Nothing else.\nseed: 0\n", encoding="utf-8")
    monkeypatch.setattr(methods, "METHODS", (Method(folder, Recipe, replies(), _as_it_is),))
    corpora = [tmp_path / f"people_{language}.jsonl" for language in ("en", "zh")]
    for corpus in corpora:
        corpus.write_text('{"prompt": "Hello", "response": "Hi"}\n', encoding="utf-8")
    out = tmp_path / "out"
    given = [part for corpus in corpora for part in ("--corpus", str(corpus))]
    call = [
        "train",
        "copy",
        str(model),
        *given,
        "--target",
        "human_en",
        "--target",
        "human_zh",
        "-o",
        str(out),
    ]
    assert distalign(call) == 0
    record = json.loads((out / "distalign.json").read_text())
    assert set(record["targets"]) == {"human_en", "human_zh"}
    assert len(set(record["corpora"])) == 1
    assert record["task"] is None
    assert "**people_en.jsonl**, **people_zh.jsonl** follow the targets" in (out / "README.md").read_text()
    assert distalign(call) == 0
    corpora[1].write_text('{"prompt": "Hello", "response": "Ho"}\n', encoding="utf-8")
    capsys.readouterr()
    assert distalign(call) == 2
    assert "different: corpora" in capsys.readouterr().err
    assert distalign([*call, "--task", "gender_us"]) == 2
    assert "copy takes no --task" in capsys.readouterr().err
    assert distalign(["train", "copy", str(model), "--target", "human_en", "-o", str(out)]) == 2
    assert "copy needs --corpus" in capsys.readouterr().err


def test_a_method_on_several_attributes_gets_the_target_of_each(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("# Copies the model. Nothing else.\nseed: 0\n", encoding="utf-8")
    monkeypatch.setattr(methods, "METHODS", (Method(folder, Recipe, several_attributes(), _as_it_is),))
    out = train("copy", str(model), "reply_shape_en", "human", tmp_path / "out")
    record = json.loads((out / "distalign.json").read_text())
    assert set(record["targets"]) == {"length", "act", "sentiment", "list"}
    assert record["contract"]["attribute"] == "length, act, sentiment, list"
    with pytest.raises(UserError, match="towards one target"):
        train("copy", str(model), "reply_shape_en", ["human", "uniform"], tmp_path / "other")


def test_a_method_on_a_task_refuses_corpora(model: Path, tea: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "people.jsonl"
    corpus.touch()
    with pytest.raises(UserError, match="sft takes no --corpus"):
        train("sft", str(model), str(tea), "survey", tmp_path / "out", Options(corpora=[corpus]))
    with pytest.raises(UserError, match="sft needs --task"):
        train("sft", str(model), "", "survey", tmp_path / "out")
