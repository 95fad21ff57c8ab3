"""Scores with hand labels, against what a person would say of all draws."""

from __future__ import annotations

import numpy as np
import pytest

from harness.scoring.labelled import Drawn, LabelledDraws, correction, labelled
from harness.scoring.table import Interval
from tests.benchmarks.labels import measured, world

NOTHING = np.zeros(0, dtype=np.int64)


def test_a_correction_is_the_stratified_mean_and_its_limits_hold_it() -> None:
    rng = np.random.default_rng(3)
    weight = np.array([0.7, 0.3])
    chance = np.array([[0.05, 0.15], [0.4, 0.1]])
    """Of -1 and 1 in each stratum."""
    truth = float(weight @ (chance[:, 1] - chance[:, 0]))
    stratum = np.repeat([0, 1], [60, 25])
    values, inside = [], 0
    for _ in range(600):
        u = rng.random(len(stratum))
        value = np.where(u < chance[stratum, 0], -1, np.where(u > 1 - chance[stratum, 1], 1, 0))
        found = correction(LabelledDraws(weight, stratum, stratum, stratum, stratum), value)
        values.append(found.value)
        inside += found.value - found.below <= truth <= found.value + found.above
    assert np.mean(values) == pytest.approx(truth, abs=4 * np.std(values) / np.sqrt(600))
    assert inside >= 0.95 * 600


def test_labels_of_every_draw_leave_the_chance_of_the_draws_alone() -> None:
    counts = np.array([[30, 60, 10], [50, 50, 0]])
    target = np.array([[0.5, 0.5], [0.5, 0.5]])
    as_read = Interval(0.1, 0.04, 0.2)
    sample = LabelledDraws(np.zeros(3), NOTHING, NOTHING, NOTHING, NOTHING)
    found = labelled(sample, Drawn(counts, np.zeros_like(counts), 0.0), target, as_read, 0.1, 7)
    assert (found.tv, found.known, found.shift) == (as_read, 1.0, 0.0)
    assert (found.error.low, found.error.high) == (0.0, 0.0)
    assert [s.value for s in found.shares] == pytest.approx([0.4, 0.55, 0.05])


def test_a_reader_that_is_right_moves_nothing_and_one_that_is_wrong_is_put_right() -> None:
    rng = np.random.default_rng(0)
    right = world(6, 2, "right", rng)
    assert measured(right, 200, rng).shift == 0.0
    errors = []
    for _ in range(40):
        about = world(6, 2, "biased", rng)
        errors.append(measured(about, 400, rng).tv.value - about.tv)
    assert abs(np.mean(errors)) < 0.02


@pytest.mark.parametrize("reader", ["rare", "random", "adversarial", "on target"])
@pytest.mark.parametrize("shape", [(1, 2), (8, 3)])
def test_limits_hold_what_a_person_would_say_whatever_the_reader_does(
    reader: str, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(5)
    held = []
    for _ in range(40):
        about = world(*shape, reader, rng)
        found = measured(about, 100, rng)
        held.append(found.tv.low - 1e-9 <= about.tv <= found.tv.high + 1e-9)
    assert sum(held) >= 36  # 35 or fewer come once in a thousand times at 95%
