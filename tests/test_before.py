"""Runs, a board and a checkpoint that were made before files had types are read, and say the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from baselines.seed import causal_path
from harness import evaluate
from harness.runs.folder import find_runs
from harness.settings import Settings

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


SCORE = """
import sys
from harness import score
from harness.runs.folder import find_runs
for run in find_runs([sys.argv[1]]):
    score(run)
"""
BOARD = """
import sys
from pathlib import Path
from reports.leaderboard import leaderboard
leaderboard([sys.argv[1]], Path(sys.argv[2]), recompute=True)
"""


def run_alike(code: str, *arguments: Path) -> None:
    """Run code by the instructions that every processor has: where NumPy finds AVX-512, the last digits are others."""
    told = {**os.environ, "NPY_DISABLE_CPU_FEATURES": "X86_V4"}
    words = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    subprocess.run(words, env=told, cwd=Path(__file__).parent.parent, check=True)  # our own code


def test_the_board_has_the_same_numbers_to_the_last_digit(before: Path, tmp_path: Path) -> None:
    run_alike(BOARD, before / "runs", tmp_path / "site")
    made, kept = (
        json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))["results"]
        for folder in (tmp_path / "site", before / "site")
    )
    assert [{k: row[k] for k in old} for row, old in zip(made, kept, strict=True)] == kept
    old_counts = (before / "site" / "counts.csv").read_text(encoding="utf-8")
    assert (tmp_path / "site" / "counts.csv").read_text(encoding="utf-8") == old_counts


def test_scoring_again_gives_the_same_table(before: Path) -> None:
    files = [run.folder / "scores.json" for run in find_runs([str(before / "runs")])]
    every = [json.loads(file.read_text(encoding="utf-8"))["results"] for file in files]
    run_alike(SCORE, before / "runs")
    for file, kept in zip(files, every, strict=True):
        again = json.loads(file.read_text(encoding="utf-8"))["results"]
        assert [r["table"] for r in again] == [r["table"] for r in kept]
        for new, old in zip(again, kept, strict=True):
            assert new.get("corrected_shares") == old.get("corrected_shares")
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
