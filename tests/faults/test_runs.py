"""Runs that something happens to between two sittings: moved, copied, of a later release, or of a model that changed."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
import time
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.cli.main import run as command
from harness.errors import IncompleteError, UserError
from harness.evaluation import evaluate
from harness.rescore import score
from harness.runs.folder import find_runs, writing
from harness.settings import Settings
from reports.leaderboard import leaderboard
from tests import helpers
from tests.sampling.faulty_server import FaultyServer
from tests.sampling.tiny_letters import make_letters

if TYPE_CHECKING:
    from pathlib import Path

    from harness.runs.folder import Run
    from harness.terms import Measure

PLAIN = helpers.TASK.replace(
    'text: "What do people in {{ context.place }} drink?"', 'completion: "{{ context.place }}"'
)
CONTEXTS = "id,place\none,abcab\ntwo,bcaba\nbroken,cabfa\n"
SETTINGS = {"device": "cpu"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_letters(tmp_path / "letters")


@pytest.fixture
def asks(tmp_path: Path) -> str:
    """A task whose prompts are letters."""
    task = PLAIN.replace("targets: {survey: ./survey, even: uniform}", "targets: {even: uniform}")
    return str(helpers.write_task(tmp_path / "asks", task, CONTEXTS))


def drawn(tmp_path: Path, n: int = 5) -> Run:
    task = tmp_path / "tea"
    if not task.exists():
        helpers.write_task(task)
    return evaluate("known:target", str(task), "survey", Settings(n=n, out=tmp_path / "runs"))


def test_a_prompt_after_which_there_are_no_numbers_is_named_and_the_run_kept(
    model: Path, asks: str, tmp_path: Path
) -> None:
    settings = Settings(n=5, out=tmp_path / "runs", engine=SETTINGS, contexts=("one", "two"))
    evaluate(str(model), asks, "even", settings)
    weights = load_file(model / "model.safetensors")
    letter = 3 + "abcdef".index("f")
    weights["model.embed_tokens.weight"][letter] = torch.nan
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    for measure in ("draws", "exact"):
        with pytest.raises(UserError, match="not numbers") as err:
            evaluate(
                str(model),
                asks,
                "even",
                Settings(n=5, out=tmp_path / "runs", engine=SETTINGS, measure=measure),
            )
        assert err.value.where.startswith("broken/")


def test_a_model_that_changed_is_another_run(model: Path, asks: str, tmp_path: Path) -> None:
    settings = Settings(n=5, out=tmp_path / "runs", engine=SETTINGS)
    one = evaluate(str(model), asks, "even", settings)
    before = {p: p.read_bytes() for p in one.folder.rglob("*") if p.is_file()}
    weights = load_file(model / "model.safetensors")
    weights["lm_head.weight"] = weights["lm_head.weight"] * 1.5
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    other = evaluate(str(model), asks, "even", Settings(n=10, out=tmp_path / "runs", engine=SETTINGS))
    assert other.folder != one.folder
    assert before == {p: p.read_bytes() for p in one.folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["manifest.json", "prompts.json", "scores.json"])
def test_a_newer_schema_is_refused_and_left_as_it_is(name: str, tmp_path: Path) -> None:
    run = drawn(tmp_path)
    path = run.folder / name
    newer = json.dumps({**json.loads(path.read_text()), "schema": 99, "made_by_a_later_release": [1]})
    path.write_text(newer)
    told = []
    for begun in (lambda: score(run.folder), lambda: drawn(tmp_path, 9)):
        try:
            begun()
        except UserError as error:
            told.append(str(error))
    if name != "scores.json":  # scores follow from the rest and are written anew
        assert len(told) == 2
        assert all("newer schema" in text or "unknown key" in text for text in told)
        assert path.read_text() == newer


@pytest.mark.parametrize("line", [["score", "{run}"], ["label", "{run}", "-n", "20", "-o", "{out}"]])
def test_nothing_is_written_into_a_run_that_is_being_written(
    line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = drawn(tmp_path)
    words = [word.format(run=run.folder, out=tmp_path / "labels.csv") for word in line]
    before = {p: p.read_bytes() for p in run.folder.rglob("*.*") if p.suffix in (".json", ".csv")}
    with writing(run.folder):
        assert command(words) == 2
    assert "another process is writing this run" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in before} == before
    assert not (run.folder / "labels.json").exists()
    assert command(words) == 0


def test_a_run_that_was_moved_goes_on_where_it_is(tmp_path: Path) -> None:
    run = drawn(tmp_path)
    counts = (run.folder / "counts.csv").read_bytes()
    elsewhere = tmp_path / "elsewhere"
    shutil.move(tmp_path / "runs", elsewhere)
    (found,) = (p.parent for p in elsewhere.rglob("manifest.json"))
    score(found)
    assert (found / "counts.csv").read_bytes() == counts
    again = evaluate("known:target", str(tmp_path / "tea"), "survey", Settings(n=9, out=elsewhere))
    assert again.folder == found
    assert again.n == 9
    assert drawn(tmp_path, 9).folder.is_relative_to(tmp_path / "runs"), "a new one where the old one was"


def test_a_task_of_the_same_name_where_one_stands_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run knows its task by the whole path, also where the task was given by a short one."""
    for place, tea in (("here", "a cup of tea"), ("there", "Coffee")):
        helpers.write_task(tmp_path / place / "tea", helpers.TASK.replace("a cup of tea", tea))
    monkeypatch.chdir(tmp_path / "here")
    run = evaluate("known:target", "tea/task.yaml", "survey", Settings(n=9, out=tmp_path / "runs"))
    counts = (run.folder / "counts.csv").read_bytes()
    monkeypatch.chdir(tmp_path / "there")
    assert command(["score", str(tmp_path / "runs")]) == 0
    assert (run.folder / "counts.csv").read_bytes() == counts
    shutil.rmtree(tmp_path / "here")
    assert command(["score", str(tmp_path / "runs")]) == 2


def test_a_board_keeps_no_table_of_an_earlier_one(tmp_path: Path) -> None:
    helpers.write_task(tmp_path / "tea")
    exact = Settings(measure="exact", out=tmp_path / "exact")
    evaluate("known:target", str(tmp_path / "tea"), "survey", exact)
    leaderboard([str(tmp_path / "exact")], tmp_path / "site")
    assert (tmp_path / "site" / "shares.csv").is_file()
    drawn(tmp_path)
    leaderboard([str(tmp_path / "runs")], tmp_path / "site")
    assert not (tmp_path / "site" / "shares.csv").exists()


@pytest.mark.parametrize("measure", ["draws", "exact"])
def test_a_prompt_longer_than_the_window_fails_and_the_others_are_drawn(
    measure: Measure, model: Path, tmp_path: Path
) -> None:
    task = PLAIN.replace("targets: {survey: ./survey, even: uniform}", "targets: {even: uniform}")
    contexts = f"id,place\none,abc\nlong,{'abcdef' * 7}\n"
    helpers.write_task(tmp_path / "asks", task, contexts)
    sampling = {"max_tokens": 2}
    settings = Settings(n=5, out=tmp_path / "runs", engine=SETTINGS, measure=measure, sampling=sampling)
    said = pytest.raises(IncompleteError, match="window is 32") if measure == "draws" else nullcontext()
    with said:
        evaluate(str(model), str(tmp_path / "asks"), "even", settings)
    (run,) = find_runs([str(tmp_path / "runs")])
    name, column = ("counts.csv", "count") if measure == "draws" else ("shares.csv", "lower")
    with (run.folder / name).open(encoding="utf-8") as file:
        failed = {r["context"]: float(r[column]) for r in csv.DictReader(file) if r["outcome"] == "failed"}
    assert failed == {"one": 0, "long": 5 if measure == "draws" else 1}


def test_a_run_that_was_copied_stands_on_the_board_once(tmp_path: Path) -> None:
    run = drawn(tmp_path)
    shutil.copytree(run.folder, tmp_path / "runs" / "copy")
    leaderboard([str(tmp_path / "runs")], tmp_path / "site")
    rows = json.loads((tmp_path / "site" / "leaderboard.json").read_text())["results"]
    assert sum(row["ranked"] for row in rows) == 1


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calm = (drawn(tmp_path / "calm").folder / "counts.csv").read_bytes()
    jumps = itertools.count(10**9, -(10**6))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    monkeypatch.setattr(time, "time_ns", lambda: next(jumps) * 10**9)
    jumped = drawn(tmp_path / "jumped")
    assert (jumped.folder / "counts.csv").read_bytes() == calm
    assert jumped.manifest.seconds >= 0


def test_one_of_two_writers_is_told_and_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = drawn(tmp_path)
    line = ["evaluate", "known:target", "--task", str(tmp_path / "tea"), "--target", "survey", "-n", "9"]
    line += ["-o", str(tmp_path / "runs")]
    capsys.readouterr()
    with writing(run.folder):
        assert command(line) == 2
    told = capsys.readouterr().err
    assert told.count("another process is writing this run") == 1
    assert "nothing is lost" in told
    assert command(line) == 0


def test_folders_that_a_stopped_command_left_are_filled_and_others_refused(tmp_path: Path) -> None:
    drawn(tmp_path)
    commands = {
        "board": (["board", "new", str(tmp_path / "board")], "README.md"),
        "set": (
            ["export", "datasets", str(tmp_path / "runs"), "-o", str(tmp_path / "set")],
            "scores/scores.parquet",
        ),
    }
    for name, (line, last) in commands.items():
        folder = tmp_path / name
        assert command(line) == 0
        whole = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        (folder / "README.md").unlink()
        (folder / last).unlink(missing_ok=True)
        (folder / last).with_name(f".{(folder / last).name}.tmp").write_text("half", encoding="utf-8")
        assert command(line) == 0
        assert whole == {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        (folder / "mine.txt").write_text("", encoding="utf-8")
        assert command(line) == 2
        (folder / "mine.txt").unlink()
    for line, _ in commands.values():
        assert command(line) == 2, "it is finished"
    (tmp_path / "board" / "README.md").write_text("Ours.", encoding="utf-8")
    (tmp_path / "board" / "CONTRIBUTING.md").unlink()
    assert command(commands["board"][0]) == 2, "nobody's words are written over"


def test_what_an_unpacking_left_is_no_run(tmp_path: Path) -> None:
    run = drawn(tmp_path)
    shutil.copytree(run.folder, tmp_path / "runs" / ".unpacked-x" / "run")
    assert [r.folder for r in find_runs([tmp_path / "runs"])] == [run.folder]


def test_scores_do_not_tell_in_which_order_draws_came(tmp_path: Path) -> None:
    task = str(helpers.write_task(tmp_path / "tea"))
    law = {f"{word} {other}": 0.05 for word in ("Tea", "Coffee", "Coffee or", "A", "No") for other in "abcd"}
    with FaultyServer(law) as server:
        run = evaluate(f"server:tiny@{server.url}", task, "survey", Settings(n=150, out=tmp_path / "runs"))
    before = (run.folder / "scores.json").read_bytes()
    assert b"distinct_2" in before
    with writing(run.folder) as writer:
        chunks = [replace(c, draws=c.draws[::-1]) for c in run.chunks()][::-1]
        for part in (run.folder / "draws").iterdir():
            part.unlink()
        for chunk in chunks:
            writer.buffer = [chunk]
            writer.flush()
    score(run.folder)
    assert (run.folder / "scores.json").read_bytes() == before
