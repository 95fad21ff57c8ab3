"""Runs, a board and a checkpoint that were made before files had types are read, and say the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from baselines.seed import causal_path
from harness import evaluate, score
from harness.runs.folder import find_runs
from harness.settings import Settings
from reports.leaderboard import leaderboard

BEFORE = Path(__file__).parent / "fixtures" / "before"
WRITTEN_BEFORE_IT_MOVED = "/models/seed/causal"


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """A copy of what was made before, the checkpoint's base where it is now."""
    shutil.copytree(BEFORE, tmp_path / "before")
    for name in ("adapter_config.json", "distalign.json"):
        file = tmp_path / "before" / "checkpoint" / name
        file.write_text(
            file.read_text(encoding="utf-8").replace(WRITTEN_BEFORE_IT_MOVED, str(causal_path())), "utf-8"
        )
    return tmp_path / "before"


def same(now: object, then: object) -> bool:
    """Equal, numbers to 12 digits: processors add up in different orders."""
    if isinstance(now, dict) and isinstance(then, dict):
        return now.keys() == then.keys() and all(same(now[k], then[k]) for k in then)
    if isinstance(now, list) and isinstance(then, list):
        return len(now) == len(then) and all(map(same, now, then))
    if isinstance(now, float) and isinstance(then, float):
        return now == pytest.approx(then, rel=1e-12, abs=1e-15)
    return type(now) is type(then) and now == then


def test_the_board_has_the_same_numbers(before: Path, tmp_path: Path) -> None:
    leaderboard([str(before / "runs")], tmp_path / "site", recompute=True)
    made, kept = (
        json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))["results"]
        for folder in (tmp_path / "site", before / "site")
    )
    assert same([{k: row[k] for k in old} for row, old in zip(made, kept, strict=True)], kept)
    old_counts = (before / "site" / "counts.csv").read_text(encoding="utf-8")
    assert (tmp_path / "site" / "counts.csv").read_text(encoding="utf-8") == old_counts


def test_scoring_again_gives_the_same_table(before: Path) -> None:
    for run in find_runs([str(before / "runs")]):
        file = run.folder / "scores.json"
        kept = json.loads(file.read_text(encoding="utf-8"))["results"]
        score(run)
        again = json.loads(file.read_text(encoding="utf-8"))["results"]
        assert same([r["table"] for r in again], [r["table"] for r in kept])
        for new, old in zip(again, kept, strict=True):
            assert same(new.get("corrected_shares"), old.get("corrected_shares"))
            pairs = zip(new.get("corrected_shares", []), new.get("corrected_limits", []), strict=True)
            for shares, limits in pairs:
                assert all(limits[c][0] <= shares[c] <= limits[c][1] for c in shares)


def test_a_checkpoint_of_before_answers_as_it_did(
    before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All runs had the same random numbers then.
    monkeypatch.setattr("harness.evaluation.seed_of", lambda who: who.seed)
    asked = Settings(n=30, out=tmp_path / "runs")
    run = evaluate(str(before / "checkpoint"), "gender_us", "labor", asked)
    counts = (run.folder / "counts.csv").read_text(encoding="utf-8")
    (old,) = (before / "runs" / "checkpoint").glob("*/ca981976cebd/counts.csv")
    assert counts == old.read_text(encoding="utf-8")
