"""Evaluation end to end with known: models: killed anywhere, resumed, topped up, sharded, scored again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from shutil import rmtree
from typing import TYPE_CHECKING

import pytest

from baselines.seed import causal_path
from harness import compare, evaluate, score
from harness.cli.main import run as command
from harness.cli.outcomes import lines
from harness.errors import IncompleteError, UserError
from harness.runs.folder import Run
from harness.sampling.known import KnownEngine
from harness.scores import scores_of
from harness.scoring.outcomes import read_certain
from harness.settings import Settings
from harness.tasks.task import load_task
from harness.terms import Draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.terms import Measure, Request

RESULTS = ("counts.csv", "scores.json")


def results(run: Run) -> list[bytes]:
    return [(run.folder / name).read_bytes() for name in RESULTS]


def undisturbed(out: Path, n: int = 50) -> Run:
    return evaluate("known:target,shift=0.1,refused=0.05", "gender_us", "labor", Settings(n=n, out=out))


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return results(undisturbed(tmp_path_factory.mktemp("calm")))


@pytest.mark.parametrize("measure", ["draws", "exact"])
def test_a_finished_run_stays_as_it_is(tmp_path: Path, measure: Measure) -> None:
    settings = Settings(n=5, measure=measure, out=tmp_path)
    files = [
        {p.name: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}
        for run in (evaluate("known:target", "gender_us", "labor", settings) for _ in range(2))
    ]
    assert files[0] == files[1]


KILLED = """
import os, signal, sys
from pathlib import Path
from harness import evaluate
from harness.runs import folder as runs
from harness.settings import Settings
place, count = sys.argv[2], int(sys.argv[3])
runs.FLUSH_ROWS = 3
left = count
def dying(function, before):
    def wrapped(*args, **kwargs):
        global left
        left -= 1
        if left == 0 and before:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return wrapped
if place == "part":
    runs.Writer._write_part = dying(runs.Writer._write_part, False)
elif place == "rename":
    Path.replace = dying(Path.replace, True)
else:
    Path.replace = dying(Path.replace, False)
evaluate("known:target,shift=0.1,refused=0.05", "gender_us", "labor", Settings(n=50, out=Path(sys.argv[1])))
"""


LOADS = "a model is loaded, or the module that loads models"
MORE_KILLS = (("part", 7), ("rename", 1), ("rename", 2), ("renamed", 12))


@pytest.mark.parametrize(
    ("place", "count"),
    [
        ("part", 1),
        ("rename", 9),
        ("renamed", 3),
        *(pytest.param(p, n, marks=pytest.mark.slow) for p, n in MORE_KILLS),
    ],
)
def test_a_kill_at_any_point_leaves_no_trace_in_the_results(
    tmp_path: Path, calm: list[bytes], place: str, count: int
) -> None:
    script = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), place, str(count)]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert results(undisturbed(tmp_path / "killed")) == calm


def test_a_run_stopped_after_its_last_draw_is_finished(tmp_path: Path) -> None:
    run = undisturbed(tmp_path)
    manifest = json.loads((run.folder / "manifest.json").read_text())
    (run.folder / "manifest.json").write_text(json.dumps({**manifest, "state": "drawing"}))
    assert undisturbed(tmp_path).manifest.state == "complete"


def test_a_larger_n_draws_only_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    draw = KnownEngine.draw

    def counting(self: KnownEngine, requests: list[object], *rest: object) -> object:
        asked.append(sum(r.n for r in requests))  # type: ignore[attr-defined]  # requests
        return draw(self, requests, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(KnownEngine, "draw", counting)
    first = undisturbed(tmp_path, 100)
    before = {p.name: p.read_bytes() for p in (first.folder / "draws").iterdir()}
    second = undisturbed(tmp_path, 400)
    assert asked == [28 * 100, 28 * 300]
    assert first.folder == second.folder
    assert {p.name: p.read_bytes() for p in (second.folder / "draws").iterdir()}.items() >= before.items()
    assert sum(d.count for c in second.chunks() for d in c.draws) == 28 * 400
    undisturbed(tmp_path, 100)
    assert len(asked) == 2


def test_an_exact_run_that_a_limit_ended_is_scored_and_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason=LOADS)
    asked = Settings(measure="exact", epsilon=0.01, paraphrases="train", out=tmp_path / "a")
    short = evaluate(causal_path(), "gender_us", "labor", replace(asked, max_forwards=3))
    folder, left = short.folder, short.manifest.open
    (result,) = json.loads((folder / "scores.json").read_text())["results"]
    wide = result["table"]["aggregate"]["scores"]["tv"]
    assert left
    assert f"a limit ended {len(left)} prompts" in short.state
    told = "\n".join(lines(short))
    assert "undecided" in told
    assert "What can be done" not in told, "an answer that is not known yet is no answer without a class"
    again = evaluate(causal_path(), "gender_us", "labor", asked)
    whole = evaluate(causal_path(), "gender_us", "labor", replace(asked, out=tmp_path / "b"))
    assert again.folder == folder
    assert not again.manifest.open
    (result,) = json.loads((folder / "scores.json").read_text())["results"]
    tv = result["table"]["aggregate"]["scores"]["tv"]
    assert wide["low"] <= tv["low"] <= tv["high"] <= wide["high"]
    assert tv["high"] - tv["low"] <= 0.01 < wide["high"] - wide["low"]
    others = [t.cells for r in (again, whole) for t in read_certain(r.folder / "shares.csv")]
    for key, row in others[0].items():
        assert row == pytest.approx(others[1][key], abs=0.01)


def test_the_same_command_with_the_same_limit_comes_to_an_end(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason=LOADS)
    asked = Settings(measure="exact", epsilon=0.01, paraphrases="train", out=tmp_path / "a", max_forwards=6)
    undecided = []
    for _ in range(60):
        run = evaluate(causal_path(), "gender_us", "labor", asked)
        rows = [row for t in read_certain(run.folder / "shares.csv") for row in t.cells.values()]
        undecided.append(sum(row[-1] for row in rows))
        assert (run.folder / "enumerated").is_dir() == bool(run.manifest.open)
        if not run.manifest.open:
            break
    assert len(undecided) > 2
    assert undecided == sorted(undecided, reverse=True)
    assert not run.manifest.open
    whole = evaluate(
        causal_path(), "gender_us", "labor", replace(asked, out=tmp_path / "b", max_forwards=None)
    )
    mine, other = (next(t.cells for t in read_certain(r.folder / "shares.csv")) for r in (run, whole))
    for key, row in mine.items():
        assert row == pytest.approx(other[key], abs=0.01)


def test_bounds_that_are_wider_than_known_ones_are_not_kept(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason=LOADS)
    asked = Settings(measure="exact", epsilon=0.01, paraphrases="train", out=tmp_path)
    first = evaluate(causal_path(), "gender_us", "labor", replace(asked, max_forwards=3))
    before = (first.folder / "shares.csv").read_bytes()
    rmtree(first.folder / "enumerated")
    again = evaluate(causal_path(), "gender_us", "labor", replace(asked, max_forwards=1))
    assert (again.folder / "shares.csv").read_bytes() == before
    assert again.manifest.open == first.manifest.open


def test_only_an_enumeration_has_a_limit(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="enumeration"):
        evaluate("known:uniform", "gender_us", "uniform", Settings(out=tmp_path, max_seconds=1.0))


def test_draws_stop_when_the_interval_is_tight(tmp_path: Path) -> None:
    run = evaluate("known:uniform", "gender_us", "uniform", Settings(n=3000, out=tmp_path, until=0.01))
    assert 25 < run.n < 3000
    (result,) = json.loads((run.folder / "scores.json").read_text())["results"]
    tv = result["table"]["aggregate"]["scores"]["tv"]
    assert max(tv["high"] - tv["estimate"], tv["estimate"] - tv["low"]) <= 0.01
    assert (
        evaluate("known:uniform", "gender_us", "uniform", Settings(n=3000, out=tmp_path, until=0.01)).n
        == run.n
    )
    with pytest.raises(UserError, match="whole run"):
        evaluate("known:uniform", "gender_us", "uniform", Settings(out=tmp_path, until=0.01, shard=(1, 2)))


def test_counts_add_up_on_every_row(tmp_path: Path) -> None:
    run = evaluate(
        "known:uniform,unparsed=0.1,refused=0.1,truncated=0.1,failed=0",
        "race_us",
        "uniform",
        Settings(n=30, out=tmp_path),
    )
    rows = [line.split(",") for line in (run.folder / "counts.csv").read_text().splitlines()[1:]]
    totals: dict[tuple[str, str], int] = {}
    for _, context, prompt, _, number in rows:
        totals[context, prompt] = totals.get((context, prompt), 0) + int(number)
    assert set(totals.values()) == {30}
    assert len(totals) == 28


def test_scoring_again_needs_no_model_and_changes_nothing(tmp_path: Path) -> None:
    run = undisturbed(tmp_path)
    before = results(run)
    score(run.folder)
    assert results(run) == before
    scores = score(run.folder, ["uniform"])
    assert [r.target.name for r in scores.results] == ["uniform"]


def test_shards_merge_to_the_whole_run(tmp_path: Path) -> None:
    whole = undisturbed(tmp_path / "whole")
    for i in (1, 2, 3):
        evaluate(
            "known:target,shift=0.1,refused=0.05",
            "gender_us",
            "labor",
            Settings(n=50, out=tmp_path / f"s{i}", shard=(i, 3)),
        )
    assert (
        command(
            [
                "merge",
                str(tmp_path / "s1"),
                str(tmp_path / "s2"),
                "-o",
                str(tmp_path / "m"),
                "--target",
                "labor",
            ]
        )
        == 3
    )
    assert (
        command(
            [
                "merge",
                *(str(tmp_path / f"s{i}") for i in (1, 2, 3)),
                "-o",
                str(tmp_path / "m"),
                "--target",
                "labor",
            ]
        )
        == 0
    )
    merged = Run.open(next((tmp_path / "m").glob("**/manifest.json")).parent)
    assert results(merged) == results(whole)


def test_failed_draws_are_rows_and_the_same_command_draws_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = KnownEngine.draw

    def failing(self: KnownEngine, requests: list[object], *rest: object) -> object:
        for i, (request, draws) in enumerate(draw(self, requests, *rest)):  # type: ignore[arg-type]
            yield request, [Draw("", request.n, "failed", 0, "server on fire")] if i % 5 == 0 else draws

    monkeypatch.setattr(KnownEngine, "draw", failing)
    with pytest.raises(IncompleteError, match="failed"):
        undisturbed(tmp_path)
    run = Run.open(next(tmp_path.glob("**/manifest.json")).parent)
    assert run.manifest.state == "incomplete"
    assert "failed,50" in (run.folder / "counts.csv").read_text()
    monkeypatch.setattr(KnownEngine, "draw", draw)
    again = undisturbed(tmp_path)
    assert again.manifest.state == "complete"
    assert all(
        "failed,0" in line
        for line in (again.folder / "counts.csv").read_text().splitlines()
        if ",failed," in line
    )


@pytest.mark.parametrize("copies", [False, True])
def test_a_probe_that_got_no_draws_is_no_pass_and_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copies: bool
) -> None:
    draw, calls = KnownEngine.draw, 0

    def faulty(self: KnownEngine, requests: Sequence[Request], *rest: object) -> Iterator[object]:
        nonlocal calls
        calls += 1
        same = [replace(r, seed=7) if copies else r for r in requests]
        for request, (_, draws) in zip(requests, draw(self, same, *rest), strict=True):  # type: ignore[arg-type]
            yield request, [Draw("", request.n, "failed", 0, "no route")] if calls <= 3 else draws

    monkeypatch.setattr(KnownEngine, "draw", faulty)
    monkeypatch.setattr("harness.evaluation.proven", lambda card: False)
    first = undisturbed(tmp_path)
    assert json.loads((first.folder / "manifest.json").read_text())["independence"]["ok"] is False
    assert calls == 4
    again = json.loads((undisturbed(tmp_path).folder / "manifest.json").read_text())
    assert calls == (11 if copies else 7), "where draws look alike, more are asked for"
    assert again["probe"]["drawn"] is True
    assert again["independence"]["ok"] is not copies


def test_known_target_has_the_stated_shift() -> None:
    import numpy as np

    from harness.tasks.target import resolve

    task = load_task("race_us")
    race = task.attributes["race"]
    target = resolve(task, race, "labor")
    engine = KnownEngine("target,shift=0.2,refused=0.5", task, {"race": target})
    truth = target.matrix(task, race, [c.id for c in task.contexts])
    for row, shares in zip(truth, engine.tables["race"].values(), strict=True):
        assert np.abs(shares[:4] / 0.5 - row).sum() / 2 == pytest.approx(0.2)
        assert shares.sum() == pytest.approx(1)


def test_scoring_refuses_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        score(tmp_path)


@pytest.mark.parametrize("name", ["mine", "labor_us_2025"])
def test_a_target_by_its_path_is_the_one_that_counts_whatever_its_name(tmp_path: Path, name: str) -> None:
    """Also where another target, which the task lists, has its name; and when the run is scored and compared again."""
    own = tmp_path / "own" / name
    own.mkdir(parents=True)
    rows = "".join(f"{c.id},0.9,0.1\n" for c in load_task("gender_us").contexts)
    (own / "gender.csv").write_text(f"context,male,female\n{rows}", encoding="utf-8")
    about = "{publisher: us, table: ours, year: 2026, license: CC0-1.0, link: https://example.org}"
    figures = (
        f"values: shares\nshared: true\nattributes:\n  gender: {{file: gender.csv}}\nprovenance: {about}\n"
    )
    (own / "target.yaml").write_text(f"name: {name}\nkind: table\n{figures}", encoding="utf-8")
    settings = Settings(n=20, out=tmp_path / "runs", split="test")
    run = evaluate("known:uniform", "gender_us", str(own), settings)

    def scored() -> list[tuple[str, float]]:
        return [(r.target.name, r.target.shares[0][0]) for r in scores_of(run).results]

    assert scored() == [(name, 0.9)]
    score(run)
    assert scored() == [(name, 0.9)]
    evaluate("known:uniform", "gender_us", "uniform", settings)
    assert sorted(scored()) == sorted([("uniform", 0.5), (name, 0.9)])
    (same,) = {one.target for one in compare(run.folder, run.folder, [str(own)]).results}
    assert same == name


def test_a_prompt_beyond_the_window_is_told_what_helps_and_not_to_try_again(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason=LOADS)
    asked = Settings(n=2, out=tmp_path, system="Answer briefly. " * 2000)
    with pytest.raises(IncompleteError, match="does not fit into the model's window") as err:
        evaluate(causal_path(), "gender_us", "labor", asked)
    assert "a longer window" in err.value.hint
    assert "the same command" not in err.value.hint
