"""Scores with hand labels, against what a person would say of all draws."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.tv import tv
from harness.metrics.w1 import w1
from harness.scoring.labelled import AsRead, Drawn, LabelledDraws, _tv, _w1, correction, labelled
from harness.scoring.table import Interval
from tests.benchmarks.labels import measured, runs, world

NOTHING = np.zeros(0, dtype=np.int64)


def test_a_correction_is_the_stratified_mean_and_its_limits_hold_it() -> None:
    rng = np.random.default_rng(3)
    weight = np.array([0.7, 0.3])
    chance = np.array([[0.05, 0.15], [0.4, 0.1]])
    """Of -1 and 1 in each stratum."""
    truth = float(weight @ (chance[:, 1] - chance[:, 0]))
    stratum = np.repeat([0, 1], [60, 25])
    # A draw of either stratum is labelled as one of three outcomes: it adds -1, 0 or 1.
    moves = np.tile(np.array([-1.0, 0.0, 1.0]), (1, 2, 1))
    values, inside = [], 0
    for _ in range(600):
        u = rng.random(len(stratum))
        label = np.where(u < chance[stratum, 0], 0, np.where(u > 1 - chance[stratum, 1], 2, 1))
        found = correction(LabelledDraws(weight, stratum, np.zeros_like(stratum), stratum, label), moves)
        values.append(found.value)
        inside += found.value - found.below <= truth <= found.value + found.above
    assert np.mean(values) == pytest.approx(truth, abs=4 * np.std(values) / np.sqrt(600))
    assert inside >= 0.95 * 600


def test_labels_of_every_draw_leave_the_chance_of_the_draws_alone() -> None:
    counts = np.array([[30, 60, 10], [50, 50, 0]])
    target = np.array([[0.5, 0.5], [0.5, 0.5]])
    as_read = Interval(0.1, 0.04, 0.2)
    sample = LabelledDraws(np.zeros(3), NOTHING, NOTHING, NOTHING, NOTHING)
    w1 = Interval(0.125, 0.1, 0.2)
    read = AsRead(as_read, w1, 0.1)
    found = labelled(sample, Drawn(counts, np.zeros_like(counts), 0.0), target, read, 7, np.array([0.0, 1.0]))
    assert found.w1 == w1
    assert (found.tv, found.known, found.shift) == (as_read, 1.0, 0.0)
    assert (found.error.low, found.error.high) == (0.0, 0.0)
    assert [s.value for s in found.shares] == pytest.approx([0.4, 0.55, 0.05])


def test_a_reader_that_is_right_moves_nothing_and_one_that_is_wrong_is_put_right() -> None:
    rng = np.random.default_rng(0)
    right = world(6, 2, "right", rng)
    (run,) = runs(right, 1, rng)
    assert measured(right, run, 200, rng).shift == 0.0
    errors = []
    for _ in range(40):
        about = world(6, 2, "biased", rng)
        (run,) = runs(about, 1, rng)
        errors.append(measured(about, run, 400, rng).tv.value - about.tv)
    assert abs(np.mean(errors)) < 0.02


@pytest.mark.parametrize("reader", ["rare", "random", "adversarial", "on target"])
@pytest.mark.parametrize("shape", [(1, 2), (8, 3)])
def test_limits_hold_what_a_person_would_say_whatever_the_reader_does(
    reader: str, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(5)
    held = []
    worlds = [world(*shape, reader, rng) for _ in range(8)]
    for about, run in [(one, run) for one in worlds for run in runs(one, 5, rng)]:
        found = measured(about, run, 100, rng)
        assert found.w1 is not None
        held.append(
            [
                one.low - 1e-9 <= true <= one.high + 1e-9
                for one, true in ((found.tv, about.tv), (found.w1, about.w1))
            ]
        )
    assert (np.sum(held, axis=0) >= 36).all()  # 35 or fewer come once in a thousand times at 95%


def test_the_sums_that_the_labels_correct_are_tv_and_w1() -> None:
    rng = np.random.default_rng(2)
    target, positions = rng.dirichlet(np.ones(5), 4), np.array([0.0, 0.1, 0.5, 1.0, 0.7])
    shares, other = rng.dirichlet(np.ones(6), (2, 4))
    full = np.concatenate([target, np.zeros((4, 1))], axis=1)
    for distance, value in (
        (_tv(target), tv(shares, full)),
        (_w1(target, positions), w1(shares, target, positions)),
    ):
        assert distance.of(shares) == pytest.approx(value)
        # All draws move from one law to another, label by label: between the least and the most that this can add.
        moved = distance.of(other) - distance.of(shares)
        joint = shares[:, :, None] * other[:, None, :]
        assert ((distance.least(shares) * joint).sum(axis=(1, 2)) <= moved + 1e-12).all()
        assert (moved <= (distance.most() * joint).sum(axis=(1, 2)) + 1e-12).all()
