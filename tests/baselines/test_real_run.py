"""The run of the methods on a real model: it goes on where it stopped, and says how long still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("gguf")

from baselines import dpo, sft
from baselines.real import run as real_run
from baselines.real.record import FILE, RealRecord, RealRow, Tv
from baselines.real.run import STEPS, TASKS, Step, told
from baselines.recipe import REAL
from harness.evaluation import evaluate
from harness.records import read
from harness.runs.folder import find_runs
from tests.baselines.tiny import write_tiny
from tests.benchmarks import real_models
from tests.sampling.tiny_gguf import write_gguf

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from baselines.real.fetch import RealModel
    from harness.runs.folder import Run
    from harness.settings import Settings
    from harness.tasks.task import Task

TWO = (Step("untuned", "gender_us"), Step("prompting-target", "gender_us"))


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small random model in place of the real one, and few draws."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(real_run, "DRAWS", 2)
    monkeypatch.setattr(real_run, "PARAGRAPHS", 2)

    def fetch(folder: Path, models: Sequence[RealModel]) -> list[Path]:
        path = folder / models[0].name
        return [
            path
            if path.is_file()
            else write_gguf(write_tiny(folder / "tiny", max_position_embeddings=512), path)
        ]

    monkeypatch.setattr(real_run, "fetch", fetch)
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.mark.slow
def test_it_goes_on_where_it_stopped(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "real"
    first = TWO[0].name

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(real_run, "evaluate", stop)
        with pytest.raises(KeyboardInterrupt):
            real_run.run(out, models, TWO)
    found = read(out / FILE, RealRecord, hint="")
    assert (found.rows, set(found.spent)) == ((), {first, f"{first}: train", f"{first}: evaluate"})
    asked = []

    def count(model: str, task: Task, target: str, settings: Settings) -> Run:
        asked.append(model)
        return evaluate(model, task, target, settings)

    monkeypatch.setattr(real_run, "evaluate", count)
    pages = [real_run.run(out, models, TWO) for _ in range(2)]
    assert len(asked) == 2
    assert pages[0].is_file()
    found = read(out / FILE, RealRecord, hint="")
    assert [(r.way, r.task, r.n, r.prompts) for r in found.rows] == [
        (step.way, step.task, 2, 28) for step in TWO
    ]
    assert found.rows[0].perplexity == found.rows[1].perplexity > 1
    runs = find_runs([str(out / "runs")])
    assert {run.identity.weights for run in runs} != {""}
    assert len({run.identity.weights for run in runs}) == 1
    said = capsys.readouterr().err
    assert "0/2 done" in said
    assert "1/2 done" in said


@pytest.mark.slow
def test_every_way_goes_through(models: Path, tmp_path: Path) -> None:
    """With the recipes for real models; sft and dpo share a stage."""
    out = tmp_path / "real"
    steps = [step for step in STEPS if step.task in ("gender_us", real_run.ASSOCIATIONS)]
    real_run.run(out, models, steps)
    found = read(out / FILE, RealRecord, hint="")
    rows = {(r.way, r.task): r for r in found.rows}
    assert rows.keys() == {(step.way, step.task) for step in steps}
    for (_, task), made in rows.items():
        drawn = task == "gender_us"
        assert (made.measure, made.n) == (("draws", 2) if drawn else ("choices", 0))
        assert made.tv.low <= made.tv.estimate <= made.tv.high
        assert (made.tv == made.held_out) != drawn
        trained = made.way not in ("untuned", "prompting-target", "prompting-persona")
        assert (made.perplexity != rows["untuned", task].perplexity) == trained
    assert all(
        real_models.table(found, task).count("\n") > 4 for task in ("gender_us", real_run.ASSOCIATIONS)
    )


TV = Tv(estimate=0.25, low=0.2, high=0.31, floor=0.0456)


def row(step: Step, **more: object) -> RealRow:
    values = {"measure": "draws", "n": 7, "prompts": 28, "tv": TV, "held_out": TV, "valid": 0.5}
    seconds = {"train_seconds": 1.0, "evaluate_seconds": 2.0, "perplexity": 20.0}
    return RealRow.model_validate(
        {"way": step.way, "task": step.task, "target": TASKS[step.task], **values, **seconds, **more}
    )


def record(*rows: RealRow, **spent: float) -> RealRecord:
    said = dict.fromkeys(("model", "sha256", "licence", "machine", "perplexity_text"), "")
    return RealRecord.model_validate({"schema": 1, "versions": {}, "rows": rows, "spent": spent, **said})


def test_the_estimate_follows_what_was_finished() -> None:
    """The second step was stopped: what it took so far says nothing of how long it takes."""
    spent = {TWO[0].name: 3 * TWO[0].expected, TWO[1].name: 1000.0}
    minutes, seconds = 3 * TWO[1].expected / 60, 3 * TWO[1].expected
    assert told(TWO[1], TWO, record(row(TWO[0]), **spent)) == (
        f"1/2 done, about {minutes:.0f} minutes left; now {TWO[1].name}, about {seconds:.0f} s"
    )


def test_dpo_begins_with_what_sft_trained() -> None:
    first, both = (m.METHOD.read_recipe(m.METHOD.folder / REAL).model_dump() for m in (sft, dpo))
    own = {"learning_rate", "epochs", "batch_size"}
    assert {k: both[f"sft_{k}"] for k in own} == {k: first[k] for k in own}
    assert {k: both[k] for k in first.keys() - own} == {k: first[k] for k in first.keys() - own}


def test_the_first_estimate_is_that_of_the_machine_that_was_measured() -> None:
    kept = read(real_models.RECORD, RealRecord, hint="make real")
    taken = sum(kept.spent[step.name] for step in STEPS)
    assert sum(step.expected for step in STEPS) == pytest.approx(taken, rel=0.1)


def test_the_page_is_made_from_its_record() -> None:
    kept = read(real_models.RECORD, RealRecord, hint="make real")
    assert real_models.PAGE.read_text(encoding="utf-8") == real_models.page(kept)


def test_a_row_says_what_it_is_of() -> None:
    line = real_models.cells(row(TWO[1], perplexity=22.0), 20.0)
    shown = "0.250 [0.200, 0.310]"
    changed = "22.00 (+10.0%)"
    assert line == ("prompting-target", "7 × 28", shown, "0.046", shown, "50.0%", changed, "1", "2")
    assert TASKS.keys() == {step.task for step in STEPS}


def test_what_did_not_run_is_named() -> None:
    written = real_models.page(record(*map(row, STEPS[1:])))
    assert f"**Not run yet**: {STEPS[0].name}." in written
    assert "Not run yet" not in real_models.page(record(*map(row, STEPS)))
