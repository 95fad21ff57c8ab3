from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from baselines import klkto
from baselines.driver import Options, train
from baselines.methods import METHODS
from baselines.stage import last_whole
from baselines.texts import from_csv
from baselines.trl_glue import shared_arguments
from harness.cli.main import run as distalign
from harness.errors import UserError
from harness.evaluation import evaluate
from harness.retained.utility import of_draws
from harness.sampling.hf.checkpoint import load
from harness.sampling.hf.source import find, weights_digest
from harness.scores import scores_of
from harness.settings import Settings
from harness.tasks.task import load_task
from tests.baselines.tiny import tiny_answers

if TYPE_CHECKING:
    from pathlib import Path

    from harness.runs.folder import Run

COMMIT = "0123456789" * 4
SMALL = ("rows=6", "precision=fp32")


def options(folder: Path, *settings: str) -> Options:
    return Options(settings=(*SMALL, *settings), completions=tiny_answers(folder))


@pytest.mark.parametrize(
    ("method", "adapter"),
    [
        ("sft", "lora"),
        ("dpo", "lora"),
        ("klkto", "full"),
        *(
            pytest.param(m, a, marks=pytest.mark.slow)
            for m, a in (("sft", "full"), ("dpo", "full"), ("klkto", "lora"))
        ),
    ],
)
def test_a_trained_folder_loads_and_carries_its_making(
    model: Path, tea: Path, tmp_path: Path, method: str, adapter: str
) -> None:
    chosen = options(tmp_path, f"adapter={adapter}")
    out = train(method, str(model), str(tea), "survey", tmp_path / "out", chosen)
    record = json.loads((out / "distalign.json").read_text())
    assert record["method"] == record["contract"]["method"] == method
    assert record["recipe"]["rows"] == 6
    assert record["base"] == {"model": str(model), "revision": "", "weights": weights_digest(model)}
    assert record["contract"].get("strip_leading") == (["0", "1"] if method == "klkto" else None)
    assert len(record["data_hash"]) == 64
    found = find(str(out))
    assert (found.base is not None) == (adapter == "lora")
    load(found, device="cpu")
    assert (
        AutoTokenizer.from_pretrained(out).chat_template == AutoTokenizer.from_pretrained(model).chat_template
    )
    card = (out / "README.md").read_text()
    assert f"library_name: {'peft' if adapter == 'lora' else 'transformers'}" in card
    assert ("one of 0, 1, which is taken off" in card) == (method == "klkto")
    assert f"Trained with distalign from `{model}`" in card
    assert record["versions"]["trl"]
    assert not list(out.glob("stages/*/checkpoint-*"))
    if adapter == "full":
        assert weights_digest(out) != weights_digest(model)
        AutoModelForCausalLM.from_pretrained(out)


@pytest.mark.parametrize("hub", [False, True])
def test_an_adapter_names_its_base_so_that_others_find_it(
    model: Path, tea: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: bool
) -> None:
    """Loaded from the hub's cache or by a relative path, peft would note a place that holds here alone."""
    asked = []

    def from_hub(name: str, revision: str, _: bool) -> tuple[Path, str]:
        asked.append((name, revision))
        return model, COMMIT

    monkeypatch.setattr("harness.sampling.hf.source._from_hub", from_hub)
    monkeypatch.chdir(model.parent)
    out = train(
        "sft", "owner/name" if hub else model.name, str(tea), "survey", tmp_path / "out", options(tmp_path)
    )
    named = json.loads((out / "adapter_config.json").read_text())
    card = (out / "README.md").read_text()
    if hub:
        assert (named["base_model_name_or_path"], named["revision"]) == ("owner/name", COMMIT)
        assert "\nbase_model: owner/name\n" in card
    else:
        assert (named["base_model_name_or_path"], named["revision"]) == (str(model), None)
        assert "base_model:" not in card  # the hub refuses what is no id of its own
    asked.clear()
    monkeypatch.chdir(tmp_path)
    found = find(str(out))
    assert found.base is not None
    assert found.base.folder == model
    assert asked == ([("owner/name", COMMIT)] if hub else [])


def test_the_same_call_finds_it_done_and_another_is_refused(
    model: Path, tea: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = options(tmp_path)
    train("sft", str(model), str(tea), "survey", tmp_path / "out", chosen)
    before = (tmp_path / "out" / "distalign.json").stat().st_mtime_ns
    capsys.readouterr()
    train("sft", str(model), str(tea), "survey", tmp_path / "out", chosen)
    assert "trained already" in capsys.readouterr().err
    assert (tmp_path / "out" / "distalign.json").stat().st_mtime_ns == before
    begun = tmp_path / "out" / "stages" / "job.json"
    elsewhere = json.loads(begun.read_text())
    assert elsewhere["computed"] == {"processes": 1, "precision": "fp32"}
    elsewhere["computed"]["processes"] = 2
    begun.write_text(json.dumps(elsewhere))
    train("sft", str(model), str(tea), "survey", tmp_path / "out", chosen)
    (tmp_path / "out" / "distalign.json").rename(tmp_path / "card")
    with pytest.raises(UserError, match="different: computed"):
        train("sft", str(model), str(tea), "survey", tmp_path / "out", chosen)
    (tmp_path / "card").rename(tmp_path / "out" / "distalign.json")
    with pytest.raises(UserError, match="other settings") as caught:
        train("sft", str(model), str(tea), "even", tmp_path / "out", chosen)
    assert "target" in str(caught.value)


def test_a_folder_where_nothing_was_trained_takes_other_settings(
    model: Path, tea: Path, tmp_path: Path
) -> None:
    wrong, right = (options(tmp_path, f"lora_targets={t}") for t in ("[q_proj, v_prj]", "[q_proj, v_proj]"))
    with pytest.raises(UserError, match="no part of the model") as caught:
        train("sft", str(model), str(tea), "survey", tmp_path / "out", wrong)
    assert caught.value.found == "v_prj"
    assert caught.value.nearest.startswith("v_proj")
    out = train("sft", str(model), str(tea), "survey", tmp_path / "out", right)
    trained = json.loads((out / "adapter_config.json").read_text())["target_modules"]
    assert set(trained) == {"q_proj", "v_proj"}


def test_rows_that_would_be_cut_are_refused(model: Path, tea: Path, tmp_path: Path) -> None:
    """The longest row is found by writing all of them as the model reads them."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    questions = [f"A drink of {p}, please." for p in ("Leeds", "Bath")]
    questions += [f"Which cup stands on a table in {p}?" for p in ("Leeds", "Bath")]
    turns = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n{}<|im_end|>\n"
    written = [turns.format(question, answer) for question in questions for answer in ("Tea", "Coffee")]
    longest = max(len(tokenizer(text)["input_ids"]) for text in written)
    cut, whole = (options(tmp_path, f"max_length={n}") for n in (longest - 1, longest))
    with pytest.raises(UserError, match="longer than max_length") as caught:
        train("sft", str(model), str(tea), "survey", tmp_path / "out", cut)
    assert f"max_length={longest}" in caught.value.hint
    train("sft", str(model), str(tea), "survey", tmp_path / "out", whole)


def test_one_training_at_a_time_in_a_folder(model: Path, tea: Path, tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / ".lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process"):
            train("sft", str(model), str(tea), "survey", tmp_path / "out", options(tmp_path))


def test_unknown_methods_and_attributes_are_named(model: Path, tea: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        train("klkt", str(model), str(tea), "survey", tmp_path)
    assert caught.value.nearest.startswith("klkto")
    with pytest.raises(UserError, match="no such attribute"):
        train("sft", str(model), str(tea), "survey", tmp_path, Options(attribute="colour"))


def test_what_a_method_cannot_use_is_refused(model: Path, tea: Path, tmp_path: Path) -> None:
    given = Options(completions=tiny_answers(tmp_path))
    with pytest.raises(UserError, match="takes no --completions"):
        train("prompting", str(model), str(tea), "survey", tmp_path / "out", given)
    masked = tmp_path / "masked"
    masked.mkdir()
    (masked / "config.json").write_text('{"model_type": "bert", "architectures": ["BertForMaskedLM"]}')
    with pytest.raises(UserError, match="does not write"):
        train("sft", str(masked), str(tea), "survey", tmp_path / "out")
    with pytest.raises(UserError, match="does not write"):
        load(find(str(masked)), device="cpu")


def test_a_model_whose_turns_have_no_end_is_refused(model: Path, tea: Path, tmp_path: Path) -> None:
    endless = tmp_path / "endless"
    AutoModelForCausalLM.from_pretrained(model).save_pretrained(endless)
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    tokenizer.save_pretrained(endless)
    with pytest.raises(UserError, match="end cannot be learned"):
        train("sft", str(endless), str(tea), "survey", tmp_path / "out", options(tmp_path))


def test_every_recipe_is_complete_and_says_where_its_numbers_come_from() -> None:
    for method in METHODS:
        method.read_recipe()
        lines = method.recipe_file.read_text().splitlines()
        settings = [line for line in lines if line and not line.startswith(("#", " "))]
        assert {line.partition(":")[0] for line in settings} == set(method.recipe.model_fields)


def test_settings_go_over_a_file_and_a_file_over_the_recipe(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("beta: 0.2\nlearning_rate: 1e-3\nlora_targets: all-linear\n")
    recipe = klkto.METHOD.read_recipe(file, ["beta=5e-1", "wrapper=true", "ablation=kl_only"])
    assert (recipe.beta, recipe.learning_rate, recipe.lora_targets) == (0.5, 1e-3, "all-linear")
    assert (recipe.wrapper, recipe.ablation) == (True, "kl_only")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("betta=1", "no 'betta'"),
        ("beta", "KEY=VALUE"),
        ("beta=-1", "greater than 0"),
        ("beta=[", "cannot be read"),
        ("beta=much", "--set beta"),
    ],
)
def test_wrong_settings_are_named(setting: str, message: str) -> None:
    with pytest.raises(UserError, match="beta") as caught:
        klkto.METHOD.read_recipe(None, [setting])
    assert message in str(caught.value)


def test_a_recipe_s_wrong_key_is_shown_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("beta: 0.2\nlerning_rate: 1e-3\n")
    with pytest.raises(UserError) as caught:
        klkto.METHOD.read_recipe(file)
    assert "mine.yaml:2" in str(caught.value)
    assert "learning_rate" in caught.value.nearest
    file.write_text("beta: 0.2\nschedule: cosin\n")
    with pytest.raises(UserError, match="cosine") as caught:
        klkto.METHOD.read_recipe(file, ["beta=0.3"])
    assert caught.value.where == f"{file}:2:schedule"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("label,text\nwine,Wine\n", "unknown class"),
        ("label,text,context\ntea,Tea,paris\n", "unknown context"),
        ("label,text\ntea,\n", "an empty text"),
    ],
)
def test_wrong_completions_are_shown_with_their_line(
    tea: Path, tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "answers.csv"
    file.write_text(text)
    task = load_task(str(tea))
    with pytest.raises(UserError, match=problem) as caught:
        from_csv(file, task.attributes["drink"], [c.id for c in task.contexts])
    assert caught.value.where == f"{file}:2"


def test_a_torn_checkpoint_is_passed_over(tmp_path: Path) -> None:
    for step in (4, 8, 12):
        (tmp_path / f"checkpoint-{step}").mkdir()
    for step in (4, 8):
        (tmp_path / f"checkpoint-{step}" / "whole").touch()
    assert last_whole(tmp_path) == tmp_path / "checkpoint-8"
    assert (tmp_path / "checkpoint-12").is_dir()
    assert last_whole(tmp_path, remove_torn=True) == tmp_path / "checkpoint-8"
    assert not (tmp_path / "checkpoint-12").exists()


def test_the_command_trains(
    model: Path, tea: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    call = ["train", "prompting", str(model), "--task", str(tea), "--target", "even", "-o", str(out)]
    assert distalign([*call, "--set", "arm=persona"]) == 0
    assert json.loads((out / "distalign.json").read_text())["recipe"]["arm"] == "persona"
    assert "as they are, asked by another chat template" in (out / "README.md").read_text()
    assert distalign([*call, "--set", "arm=person"]) == 2
    assert "persona" in capsys.readouterr().err


def bias_corrected_tv(run: Run) -> float:
    return scores_of(run).results[0].table.aggregate.scores["tv"].estimate


@pytest.mark.slow
def test_klkto_brings_a_model_to_its_target(model: Path, tea: Path, tmp_path: Path) -> None:
    sizes = ("rows=40", "precision=fp32", "adapter=full", "sft_learning_rate=5e-3", "sft_epochs=4")
    options = Options(settings=(*sizes, "learning_rate=2e-3"), completions=tiny_answers(tmp_path))
    out = train("klkto", str(model), str(tea), "survey", tmp_path / "out", options)
    settings = Settings(n=500, split="train", paraphrases="train", out=tmp_path / "runs")
    before, after = (evaluate(str(m), str(tea), "survey", settings) for m in (model, out))
    tv = [bias_corrected_tv(r) for r in (before, after)]
    assert tv[0] > 0.9
    assert tv[1] < 0.1
    agreed = of_draws(after, load_task(str(tea)))
    assert (agreed["steered"] or 0) > 0.95
    assert (agreed["consistent"] or 0) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ["lora", "full"])
@pytest.mark.parametrize("method", ["sft", "dpo", "klkto"])
def test_a_killed_training_ends_like_an_undisturbed_one(
    model: Path, tea: Path, tmp_path: Path, method: str, adapter: str
) -> None:
    answers = tiny_answers(tmp_path)

    def command(out: str) -> list[str]:
        settings = ("rows=40", "precision=fp32", f"adapter={adapter}", "save_steps=7", "gamma=1")
        return [
            *(sys.executable, "-m", "harness", "train", method, str(model)),
            *("--task", str(tea), "--target", "survey", "-o", str(tmp_path / out)),
            *("--completions", str(answers)),
            *(part for s in settings for part in ("--set", s)),
        ]

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command("whole"), check=True, env=environment)
    last = {"sft": "sft", "dpo": "dpo", "klkto": "klkto"}[method]
    for stage in dict.fromkeys(["sft", last]):
        child = subprocess.Popen(command("killed"), env=environment)
        folder = tmp_path / "killed" / "stages" / stage
        while last_whole(folder) is None and child.poll() is None:
            time.sleep(0.02)
        assert child.poll() is None
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert last_whole(folder) is not None
    subprocess.run(command("killed"), check=True, env=environment)
    assert weights_digest(tmp_path / "killed") == weights_digest(tmp_path / "whole")
    records = [json.loads((tmp_path / o / "distalign.json").read_text()) for o in ("killed", "whole")]
    assert records[0] == records[1]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "adapter"), [("dpo", "full"), ("klkto", "lora")])
def test_two_processes_train_one_checkpoint(
    model: Path, tea: Path, tmp_path: Path, method: str, adapter: str
) -> None:
    """They halve each batch between them: where its loss is a mean of rows, as in dpo, nothing changes."""
    answers = tiny_answers(tmp_path)

    def trained(processes: int) -> Path:
        launch = ("-m", "torch.distributed.run", "--nproc-per-node", str(processes)) if processes > 1 else ()
        out = tmp_path / str(processes)
        each = 8 // processes
        settings = [
            *("rows=16", "precision=fp32", f"adapter={adapter}", "epochs=1", f"batch_size={each}"),
            *("learning_rate=1e-3", "sft_learning_rate=1e-3", f"sft_batch_size={each}"),
        ]
        command = [
            *(sys.executable, *launch, "-m", "harness", "train", method, str(model)),
            *("--task", str(tea), "--target", "survey", "-o", str(out), "--completions", str(answers)),
            *(part for s in settings for part in ("--set", s)),
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
        subprocess.run(command, check=True, env=environment)
        return out

    both = trained(2)
    assert json.loads((both / "distalign.json").read_text())["computed"]["processes"] == 2
    load(find(str(both)), device="cpu")
    if method == "dpo":
        one, two, before = (
            AutoModelForCausalLM.from_pretrained(f).state_dict() for f in (trained(1), both, model)
        )
        moved = max(float((one[k] - before[k]).abs().max()) for k in one)
        apart = max(float((one[k] - two[k]).abs().max()) for k in one)
        assert moved > 1e-3
        assert apart < 0.01 * moved


def test_losses_are_shown_where_asked_and_this_is_no_part_of_a_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain = klkto.METHOD.read_recipe()
    assert shared_arguments(plain, tmp_path)["report_to"] == []
    monkeypatch.setattr("baselines.recipe.find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs the package wandb, which is not installed: pip install wandb"):
        klkto.METHOD.read_recipe(None, ["log_to=wandb"])
    monkeypatch.setattr("baselines.recipe.find_spec", lambda name: name)
    shown = klkto.METHOD.read_recipe(None, ["log_to=wandb"])
    assert shared_arguments(shown, tmp_path)["report_to"] == ["wandb"]
    assert shown.model_dump() == plain.model_dump()
