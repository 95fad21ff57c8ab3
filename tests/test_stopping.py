"""When ``--until-halfwidth`` ends a run, and what the interval is then worth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.evaluation import enough
from harness.metrics.tv import tv
from harness.scoring.floor import moved
from tests.benchmarks.stopping import CONTEXTS, Stopping, cell, page, stopped


@pytest.mark.parametrize(
    ("low", "estimate", "high", "floor95", "expected"),
    [
        (0.10, 0.12, 0.14, 0.05, True),
        (0.10, 0.12, 0.15, 0.05, False),
        (0.09, 0.12, 0.13, 0.05, False),
        (0.00, 0.00, 0.01, 0.03, False),
        (0.00, 0.00, 0.01, 0.02, True),
        (0.00, 0.02, 0.05, 0.01, False),
    ],
)
def test_both_limits_are_near_and_an_interval_that_holds_0_is_not_so_by_luck(
    low: float, estimate: float, high: float, floor95: float, expected: bool
) -> None:
    assert enough(low, estimate, high, floor95, 0.0201) is expected


def test_the_interval_covers_where_luck_would_stop_a_run_too_soon() -> None:
    # Without the floor in the rule 91% of these intervals hold the truth.
    rng = np.random.default_rng(1)
    target = rng.dirichlet(np.full(2, 4.0), size=CONTEXTS)
    truth = moved(target, 0.03)
    value = float(tv(truth, target).mean())
    low, high, n = stopped(target, truth, 0.03, 3000, rng)
    held = int(((low <= value) & (value <= high)).sum())
    assert stats.binomtest(held, 3000, 0.94, alternative="less").pvalue > 0.001
    assert n.mean() < 400


def test_the_page_has_what_the_record_has() -> None:
    made = cell(2, 0.2, 0.1, 2)
    head, row = page(Stopping(cells=(made.model_copy(update={"held": 9}),))).strip().rsplit("\n", 1)
    assert (made.runs, round(made.tv, 3)) == (10, 0.2)
    assert row.startswith("| 2 | 0.200 | 0.1 | 0.900 | 0.555 to 0.997 |")
    assert "10 runs a row" in head
