"""Targets that are samples of people: floors against theory, intervals that hold the distance from the people."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, kstest

from harness.scoring.certain import score_certain
from harness.scoring.floor import simulate, tellable
from harness.scoring.table import score
from tests.benchmarks.reference import coverage, inside, observed


@pytest.mark.parametrize(("n", "m", "p"), [(100, 40, 0.5), (1000, 427, 0.2)])
def test_floor_is_the_mean_distance_of_two_samples(n: int, m: int, p: float) -> None:
    x, r = np.arange(n + 1)[:, None], np.arange(m + 1)[None, :]
    weight = binom.pmf(x, n, p) * binom.pmf(r, m, p)
    exact = (weight * np.abs(x / n - r / m)).sum()
    null = simulate(np.array([n]), np.array([[p, 1 - p]]), ("tv",), sizes=np.array([float(m)]))
    assert null.values["tv"].mean() == pytest.approx(exact, rel=0.02)


def test_people_lie_inside_the_floor_of_a_small_sample_as_often_as_stated() -> None:
    law = np.array([0.56, 0.3, 0.1, 0.04])
    within, if_exact = inside(law, 427, 1000, 300, at_once=150)  # 3,333 repetitions each
    assert 0.92 < within < 0.98
    assert if_exact < 0.75


@pytest.mark.parametrize("shares", [(0.6, 0.4), (0.45, 0.15, 0.4), (0.56, 0.3, 0.1, 0.04)], ids=len)
@pytest.mark.parametrize(("m", "n"), [(100, 1000), (427, 100)])
@pytest.mark.parametrize("shift", [0.0, 0.05, 0.2])
def test_intervals_hold_the_distance_from_the_people(
    shares: tuple[float, ...], m: int, n: int, shift: float
) -> None:
    for name, held in coverage(np.array(shares), m, n, shift, 200).items():
        # 95% less three standard errors of 200 samples
        assert held.coverage >= 0.904, name


def test_intervals_shrink_to_those_of_an_exact_target() -> None:
    target = np.tile([0.6, 0.3, 0.1], (5, 1))
    counts, none = np.tile([20, 30, 50], (5, 1)), np.zeros(5, dtype=np.int64)
    exact = score(counts, none, target)
    assert score(counts, none, target, sizes=np.full(5, np.inf)) == exact
    tv = [
        score(counts, none, target, sizes=np.full(5, size)).aggregate.scores["tv"]
        for size in (100.0, 1e4, 1e9)
    ]
    widths = [t.high - t.low for t in (*tv, exact.aggregate.scores["tv"])]
    assert widths == sorted(widths, reverse=True)
    assert tv[-1].high == pytest.approx(exact.aggregate.scores["tv"].high, abs=0.01)
    floors = [t.floor for t in (*tv, exact.aggregate.scores["tv"])]
    assert floors[0] > floors[1] > floors[-1]
    assert floors[2] == pytest.approx(floors[3], rel=0.02)


def test_fit_and_p_of_a_perfect_model_are_uniform() -> None:
    rng = np.random.default_rng(8)
    law, m, n = np.array([0.5, 0.3, 0.2]), 200, 500
    asked = observed(rng.multinomial(m, law, size=200))
    counts = rng.multinomial(n, law, size=200)
    found = score(counts, np.zeros(200, dtype=np.int64), asked, sizes=np.full(200, float(m))).contexts
    assert kstest([c.fit_p for c in found], "uniform").pvalue > 1e-3
    assert kstest([c.scores["tv"].p for c in found], "uniform").pvalue > 1e-3


def test_shares_known_without_draws_keep_the_chance_of_the_sample() -> None:
    rng = np.random.default_rng(9)
    law, m = np.array([[0.5, 0.3, 0.2], [0.2, 0.7, 0.1]]), 150
    model = np.array([[0.4, 0.4, 0.2], [0.2, 0.7, 0.1]])
    truth = np.tile(np.abs(model - law).sum(axis=1) / 2, 200)
    lower = np.tile(np.concatenate([model * 0.999, np.zeros((2, 1))], axis=1), (200, 1))
    asked = observed(rng.multinomial(m, np.tile(law, (200, 1))))
    found = score_certain(lower, np.full(400, 0.001), asked, sizes=np.full(400, float(m)))
    tv = [c.scores["tv"] for c in found.contexts]
    held = np.array([s.low <= t <= s.high for s, t in zip(tv, truth, strict=True)])
    assert min(held[::2].mean(), held[1::2].mean()) > 0.91
    assert 0.91 < np.mean([s.plugin <= s.floor95 for s in tv[1::2]]) < 0.99
    mean = found.aggregate.scores["tv"]
    assert mean.low <= truth.mean() <= mean.high
    assert mean.p < 1e-6
    exact = score_certain(lower[:2], np.full(2, 0.001), asked[:2])
    assert exact.contexts[0].scores["tv"].floor == 0


def test_what_can_be_told_is_bounded_by_the_sample() -> None:
    target, n = np.full((3, 4), 0.25), np.full(3, 10_000)
    exact = tellable(n, target).from_target
    sampled = tellable(n, target, sizes=np.full(3, 400.0)).from_target
    assert sampled > 3 * exact
    assert tellable(np.full(3, 10**6), target, sizes=np.full(3, 400.0)).from_target > 0.9 * sampled
