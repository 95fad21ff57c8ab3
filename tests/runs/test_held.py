"""A run is held against its plan and its task; nothing that decides the law is left out of its identity."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness import evaluate, score
from harness.errors import IncompleteError, UserError
from harness.records import read
from harness.retained.record import BenchmarksRecord, Findings, PerplexityRecord
from harness.retained.utility import save
from harness.runs.folder import Run
from harness.runs.identity import identity, manifest
from harness.runs.manifest import Manifest, from_before
from harness.sampling.base import ModelCard
from harness.scores import scores_of
from harness.settings import Chosen, Settings
from harness.tasks.task import load_task
from reports.board import build
from reports.check import check
from reports.leaderboard import leaderboard
from reports.load import entries
from reports.standing import reasons
from reports.tables import Leaderboard, records
from tests.helpers import write_task

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of two sittings, so of two parts."""
    task = str(write_task(tmp_path / "mine"))
    evaluate("known:target", task, "survey", n=20, out=tmp_path / "runs")
    return evaluate("known:target", task, "survey", n=50, out=tmp_path / "runs")


def again(run: Run, tmp_path: Path) -> Run:
    return evaluate(
        "known:target", str(tmp_path / "mine" / "task.yaml"), "survey", n=50, out=tmp_path / "runs"
    )


def board(run: Run, tmp_path: Path) -> dict[str, object]:
    leaderboard([str(run.folder)], tmp_path / "site", recompute=True)
    (row,) = json.loads((tmp_path / "site" / "leaderboard.json").read_text())["results"]
    assert isinstance(row, dict)
    return row


def test_a_part_that_is_gone_is_noticed_and_drawn_again(run: Run, tmp_path: Path) -> None:
    whole = (run.folder / "counts.csv").read_bytes()
    assert board(run, tmp_path)["ranked"]
    (run.folder / "draws" / "part-000002.parquet").unlink()
    with pytest.raises(
        IncompleteError, match=r"60 draws of 2 prompts are not there: leeds/ask 30, oporto/ask 30"
    ):
        score(run.folder)
    assert Run.open(run.folder).manifest.state == "incomplete"
    row = board(run, tmp_path)
    assert not row["ranked"]
    assert str(row["apart"]).startswith("incomplete")
    assert again(run, tmp_path).manifest.state == "complete"
    assert (run.folder / "counts.csv").read_bytes() == whole


def test_the_advice_for_a_damaged_part_loses_nothing(run: Run, tmp_path: Path) -> None:
    whole = (run.folder / "counts.csv").read_bytes()
    part = run.folder / "draws" / "part-000001.parquet"
    part.write_bytes(part.read_bytes()[:-40])
    with pytest.raises(UserError) as error:
        score(run.folder)
    assert f"mv {part} {part}.damaged" in error.value.hint
    part.rename(f"{part}.damaged")
    again(run, tmp_path)
    assert (run.folder / "counts.csv").read_bytes() == whole


def test_counts_without_the_rows_of_a_prompt_are_not_ranked(run: Run, tmp_path: Path) -> None:
    path = run.folder / "counts.csv"
    lines = path.read_text().splitlines(keepends=True)
    gone = next(line for line in lines if ",oporto,ask,coffee," in line)
    path.write_text("".join(line if line != gone else "drink,oporto,ask,coffee,0\n" for line in lines))
    (entry,) = entries([str(run.folder)])[0]
    assert entry.lacks.startswith(
        f"{gone.strip().split(',')[-1]} draws of 1 prompts are not there: oporto/ask"
    )
    assert [kind for kind, _ in reasons([entry])[0]] == ["incomplete"]
    assert check([entry])[2], "and --check says that the draws say otherwise"


def test_a_task_of_the_same_name_elsewhere_is_not_taken(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = (run.folder / "scores.json").read_bytes()
    other = tmp_path / "other" / "tasks" / "tea"
    write_task(other, (tmp_path / "mine" / "task.yaml").read_text().replace("[espresso]", "[tea leaves]"))
    monkeypatch.chdir(tmp_path / "other")
    monkeypatch.setenv("DISTALIGN_INCLUDE", str(tmp_path / "other"))
    score(run.folder)
    assert (run.folder / "scores.json").read_bytes() == scores
    shutil.rmtree(tmp_path / "mine")
    with pytest.raises(UserError, match="is not the one that the run asked"):
        score(run.folder)
    assert (run.folder / "scores.json").read_bytes() == scores


@pytest.mark.parametrize("name", ["scores.json", "prompts.json", "manifest.json"])
def test_files_that_are_cut_or_changed_give_one_message(run: Run, name: str) -> None:
    path, rng = run.folder / name, random.Random(1)
    text, told = path.read_text(), list[str]()
    for _ in range(8 if name == "scores.json" else 30):
        path.write_text(spoiled(text, rng))
        try:
            score(run.folder)
        except UserError as error:
            told.append(str(error))
        path.write_text(text)
    assert bool(told) == (name != "scores.json"), "scores are written anew"
    assert all(name in line or "task" in line for line in told)


def spoiled(text: str, rng: random.Random) -> str:
    """A text cut off, or with another character somewhere."""
    at = rng.randrange(len(text))
    return rng.choice([text[:at], text[:at] + rng.choice('[]{}",:0x') + text[at + 1 :]])


@pytest.mark.parametrize("name", ["scores.json", "utility.json"])
def test_what_a_board_reads_is_as_it_should_be_or_one_message(run: Run, name: str) -> None:
    predicted = PerplexityRecord(
        perplexity=2.5, bits_per_byte=1.0, tokens=9, window=8, stride=4, text="0f", source="a.txt"
    )
    tasks = BenchmarksRecord(tasks={"arc": {"acc,none": 0.5}})
    save(run.folder, ("", ""), Findings(perplexity=predicted, lm_eval=tasks), {"distinct_1": None})
    path, rng = run.folder / name, random.Random(2)
    text, told = path.read_text(), list[str]()
    for _ in range(150):
        path.write_text(spoiled(text, rng))
        try:
            records(build(entries([str(run.folder)])[0]), {})
        except UserError as error:
            told.append(str(error))
    assert len(told) > 75
    assert all(name in line or "were scored" in line for line in told)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (("results", 0, "target", "shares", 0), [1.0], "target shares of 2 contexts and 2 classes"),
        (("results", 0, "table", "aggregate", "scores"), {}, "the total variation"),
        (("results", 0, "table", "aggregate", "scores", "tv", "low"), "nan", "results.0.table.aggregate"),
        (("results", 0, "table", "aggregate", "scores", "tv", "lowest"), 0.1, "unknown key 'lowest'"),
        (("results", 0, "surprise"), 1, "unknown key 'surprise'"),
        (("schema",), 2, "a file of a newer schema"),
    ],
)
def test_scores_that_do_not_fit_say_what_is_wrong(
    run: Run, key: tuple[str | int, ...], value: object, said: str
) -> None:
    path = run.folder / "scores.json"
    tree = part = json.loads(path.read_text())
    for name in key[:-1]:
        part = part[name]
    part[key[-1]] = value
    path.write_text(json.dumps(tree))
    with pytest.raises(UserError) as error:
        entries([str(run.folder)])
    assert said in str(error.value)


def test_a_board_s_file_is_read_back(run: Run, tmp_path: Path) -> None:
    board(run, tmp_path)
    path = tmp_path / "site" / "leaderboard.json"
    (row,) = read(path, Leaderboard, hint="").results
    (result,) = scores_of(run).results
    assert row.number("js_high") == result.table.aggregate.scores["js"].high
    assert row.tv_worst == result.table.aggregate.worst_tv
    text, rng, told = path.read_text(), random.Random(3), 0
    for _ in range(60):
        path.write_text(spoiled(text, rng))
        try:
            read(path, Leaderboard, hint="")
        except UserError:
            told += 1
    assert told > 30


def test_scores_that_are_cut_are_written_anew(run: Run, tmp_path: Path) -> None:
    path = run.folder / "scores.json"
    whole = json.loads(path.read_text())["results"]
    for make in (lambda: score(run.folder, ["survey"]), lambda: again(run, tmp_path)):
        path.write_text(path.read_text()[:200])
        make()
        assert json.loads(path.read_text())["results"] == whole


def test_all_that_decides_the_law_makes_another_run() -> None:
    task, settings = load_task("gender_us"), Settings()
    card = ModelCard("m", files="a", dtype="float32", device="cpu", engine={"name": "hf"})

    def name(card: ModelCard) -> str:
        who = identity(task, [], card, settings)
        return manifest(who, card, settings, asked="m", source=task.source.path).run

    others = [replace(card, files="b"), replace(card, dtype="bfloat16"), replace(card, device="cuda")]
    assert len({name(c) for c in (card, *others)}) == 4
    assert name(card) == name(replace(card))


def test_runs_of_other_readers_are_not_ranked_together(tmp_path: Path) -> None:
    task = str(write_task(tmp_path / "mine"))
    for shift in (0.0, 0.05, 0.1):
        evaluate(f"known:target,shift={shift}", task, "survey", n=10, out=tmp_path / "runs")
    old = next((tmp_path / "runs").glob("*shift=0.1*/*/*/scores.json"))
    old.write_text(
        json.dumps({k: v for k, v in json.loads(old.read_text()).items() if k != "reader_version"})
    )
    leaderboard([str(tmp_path / "runs")], tmp_path / "site")
    rows = json.loads((tmp_path / "site" / "leaderboard.json").read_text())["results"]
    assert [(row["ranked"], row["apart"]) for row in rows] == [(True, ""), (True, ""), (False, "reader")]


def test_a_manifest_of_before_drops_a_path_that_nobody_can_follow(run: Run) -> None:
    path = run.folder / "manifest.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "schema": 1, "task_source": "tasks/tea/task.yaml"}))
    assert read(path, Manifest, hint="", older=from_before).task_source == ""
    path.write_text(json.dumps({**data, "schema": 3}))
    with pytest.raises(UserError, match="newer schema"):
        Run.open(run.folder)


def test_the_keywords_of_evaluate_are_its_settings() -> None:
    assert Chosen.__annotations__.keys() == Settings.__annotations__.keys()
