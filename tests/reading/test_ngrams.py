"""The classifier that is fitted to labels: its error by cross-validation, its file, its place as a task's reader."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.cli.main import run as command
from harness.errors import UserError
from harness.reading import fitting, make_reader, ngrams
from harness.reading.base import Answer
from harness.reading.fitting import LabelledText
from harness.records import write
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from pathlib import Path

SIDES: dict[str, list[str]] = {"sea": [], "land": []}
WORDS = {
    "sea": ["anchor", "harbour", "sails", "tide", "nets", "gulls"],
    "land": ["plough", "orchard", "fences", "barley", "stables", "hedges"],
}
HAN = {"sea": ["大海", "渔船", "波浪", "码头"], "land": ["田野", "果园", "小麦", "马厩"]}


def texts(words: dict[str, list[str]], n: int = 60) -> list[LabelledText]:
    """Two labels in turn, each with two words of its own among many that say nothing."""
    rng = np.random.default_rng(1)
    noise = ["morning", "worker", "walked", "slowly", "again", "early", "older", "friend"]
    found = []
    for i in range(n):
        label = ("sea", "land")[i % 2]
        said = [*rng.choice(words[label], 2, replace=False), *rng.choice(noise, 4)]
        found.append(LabelledText(" ".join(map(str, rng.permutation(said))), label))
    return found


@pytest.mark.parametrize("words", [WORDS, HAN], ids=["words", "characters"])
def test_words_that_tell_are_found(words: dict[str, list[str]]) -> None:
    fitted, quality = fitting.fit(texts(words))
    assert quality.n == fitted.texts == 60
    assert fitted.misread <= 3
    assert quality.accuracy == pytest.approx(1 - fitted.misread / 60)


def test_labels_by_chance_are_told_as_chance() -> None:
    rng = np.random.default_rng(0)
    found = [t._replace(label=str(rng.choice(["sea", "land"]))) for t in texts(WORDS, 200)]
    _, quality = fitting.fit(found)
    assert 0.35 < quality.accuracy < 0.65


def test_the_fit_is_the_least_of_its_loss() -> None:
    """scipy's own gradient at the weights that are kept, of a loss that is written down anew."""
    found = texts(WORDS, 24)
    model = fitting._fit(
        [ngrams.terms(t.text) for t in found], np.array([t.label == "sea" for t in found]).astype(int), 2
    )
    x = ngrams.matrix([ngrams.terms(t.text) for t in found], model.place, model.rarity).toarray()
    assert np.linalg.norm(x, axis=1) == pytest.approx(np.ones(24))
    wanted = np.array([[t.label != "sea", t.label == "sea"] for t in found], dtype=float)

    def loss(weights: np.ndarray, bias: np.ndarray) -> float:
        raw = x @ weights + bias
        p = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        return float(-10 * (wanted * np.log(p)).sum() + 0.5 * (weights**2).sum())

    best = loss(model.weights, model.bias)
    rng = np.random.default_rng(2)
    for _ in range(20):
        step = 0.05 * rng.standard_normal(model.weights.shape)
        assert loss(model.weights + step, model.bias) > best
        assert loss(model.weights, model.bias + 0.1 * rng.standard_normal(2)) > best


def sheet(path: Path, found: list[LabelledText], by: str = "") -> Path:
    lines = [f'{i},{t.label},"{by}","{t.text}"' for i, t in enumerate(found)]
    path.write_text(
        "\n".join(["id,label,by,text", "#,,,what is asked", *lines, "99,,,not labelled"]), "utf-8"
    )
    return path


def test_a_sheet_becomes_a_reader_of_a_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "shore"
    folder.mkdir()
    (folder / "task.yaml").write_text(
        "name: shore\nversion: 1\nattribute: side\nclasses: {sea: [], land: []}\ncontexts: [all]\n"
        "prompts: [{id: one, text: Where to}]\n",
        "utf-8",
    )
    found = texts(WORDS)
    found[0] = LabelledText(found[0].text, "none")
    out = folder / "reader.json"
    asked = [
        "task",
        "fit",
        str(folder / "task.yaml"),
        str(sheet(tmp_path / "labels.csv", found)),
        "-o",
        str(out),
    ]
    assert command(asked) == 0
    told = capsys.readouterr().out
    assert "10-fold cross-validation" in told
    assert "of 60 misread" in told
    assert "judge" not in told
    assert command(asked) == 2  # a file is there
    task = folder / "task.yaml"
    before = load_task(task).hash
    task.write_text(task.read_text("utf-8") + "reader: {name: classifier, path: reader.json}\n", "utf-8")
    loaded = load_task(task)
    reader = make_reader(loaded.attributes["side"].reader, SIDES, "en")
    said = [reader.read(Answer(t)).label for t in ("the anchor and the tide", "barley by the orchard", " ")]
    assert said == ["sea", "land", "unparsed"]
    assert reader.read(Answer("the anchor", cut=True)).label == "truncated"
    # What decides is what is in the file, wherever the task lies.
    fitted = loaded.hash
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    assert load_task(moved / "task.yaml").hash == fitted != before
    data = json.loads((moved / "reader.json").read_text("utf-8"))
    (moved / "reader.json").write_text(json.dumps(data | {"bias": [9.0] * len(data["bias"])}), "utf-8")
    assert load_task(moved / "task.yaml").hash != fitted


def test_a_models_labels_are_said_to_be_its(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = sheet(
        tmp_path / "labels.csv", [t._replace(label="male") for t in texts(WORDS)[:30]], "judge m, prompt 1"
    )
    other = sheet(tmp_path / "more.csv", [LabelledText("she was there", "female")] * 3)
    other.write_text(
        other.read_text("utf-8").replace("\n0,", "\na,").replace("\n1,", "\nb,").replace("\n2,", "\nc,"),
        "utf-8",
    )
    assert command(["task", "fit", "gender_us", str(path), str(other), "-o", str(tmp_path / "r.json")]) == 0
    assert "30 of the labels are a judge model's" in capsys.readouterr().out


def test_what_cannot_be_fitted_or_read_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="too few labelled texts"):
        fitting.fit(texts(WORDS)[:10])
    with pytest.raises(UserError, match="too few labelled texts"):
        fitting.fit([t._replace(label="sea") for t in texts(WORDS)])
    fitted, _ = fitting.fit(texts(WORDS))
    write(tmp_path / "r.json", fitted)
    with pytest.raises(UserError, match="no class of the task"):
        make_reader({"name": "classifier", "path": str(tmp_path / "r.json")}, {"sea": [], "sky": []}, "en")
    write(tmp_path / "s.json", fitted.model_copy(update={"weights": fitted.weights[1:]}))
    with pytest.raises(UserError, match="weights that fit no terms"):
        make_reader({"name": "classifier", "path": str(tmp_path / "s.json")}, SIDES, "en")
