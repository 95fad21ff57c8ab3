"""Skill: the TV on a scale from a model that knows nothing to a perfect one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness import evaluate
from harness.metrics.skill import nothing_known, skill
from harness.scores import scores_of
from harness.scoring.measured import of_tv
from harness.scoring.table import score
from harness.settings import Settings
from reports.board import build
from reports.leaderboard import leaderboard
from reports.load import entries
from reports.payload import payload

if TYPE_CHECKING:
    from pathlib import Path


def test_the_ends_of_the_scale() -> None:
    target = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    even = np.abs(1 / 3 - target).sum(axis=1).mean() / 2
    assert skill(np.array([0.0, even, 2 * even]), target) == pytest.approx([1, 0, -1])
    flat = np.full((4, 5), 0.2)
    assert skill(np.array([0.0, 0.8]), flat) == pytest.approx([1, 0])
    almost = np.array([[0.54, 0.46]])
    assert nothing_known(almost) == pytest.approx(0.46)
    assert nothing_known(np.array([[0.56, 0.44]])) == pytest.approx(0.06)


def test_its_interval_is_that_of_the_tv_turned_around() -> None:
    rng = np.random.default_rng(1)
    target = rng.dirichlet(np.full(4, 1.0), 6)
    tv = score(rng.multinomial(50, target), np.full(6, 5), target).aggregate.scores["tv"]
    found = of_tv(tv, target)["skill"]
    zero = nothing_known(target)
    assert found.low <= found.value <= found.high
    assert (found.low, found.high) == pytest.approx((1 - tv.high / zero, 1 - tv.low / zero))
    assert found.floor == pytest.approx(1 - tv.floor / zero)


def test_models_that_are_known_stand_where_they_should(tmp_path: Path) -> None:
    for model, truth in (("known:uniform", 0.0), ("known:target", 1.0)):
        evaluate(model, "rating_5", "stated", Settings(n=400, out=tmp_path))
        run = evaluate(model, "coin", "stated", Settings(n=400, out=tmp_path))
        found = scores_of(run).results[0].metrics["skill"]
        assert found.low <= truth <= found.high
    worse = evaluate("known:uniform,unparsed=0.5", "coin", "stated", Settings(n=400, out=tmp_path))
    assert scores_of(worse).results[0].metrics["skill"].high < 0
    board = build(entries([str(tmp_path)])[0])
    column, _ = board.columns
    assert (column.uniform["skill"], column.ideal["skill"]) == pytest.approx((0, 1))
    rows = payload(board, {})["rows"]
    assert isinstance(rows, list)
    overall = {row["model"]: (row["overallLo"], row["overall"], row["overallHi"]) for row in rows}
    assert overall["known:uniform"][0] <= 0 <= overall["known:uniform"][2]
    leaderboard([str(tmp_path)], tmp_path / "site", recompute=True)
    assert ",skill,skill_low,skill_high," in (tmp_path / "site" / "leaderboard.csv").read_text(
        encoding="utf-8"
    )
