"""Certain bounds against every corner of what they bound."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from harness.errors import UserError
from harness.metrics.base import Divergence
from harness.metrics.catalog import divergence, of
from harness.scoring.bounds import bounds, closest, conditional, mean_bounds, undecided

CERTAIN = [key for key, metric in of(Divergence).items() if metric.bounds == "own"]
STEPS = 40
GRID = np.array([p for p in itertools.product(range(STEPS + 1), repeat=3) if sum(p) == STEPS]) / STEPS


def slices(seed: int, size: int, contexts: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Random lower bounds and targets; some of both are zero."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(size, 0.6), contexts) * rng.choice([0.0, 0.3, 0.9, 0.999], (contexts, 1))
    target = rng.dirichlet(np.full(size, 0.6), contexts)
    target[0, 0] = 0.0
    target /= target.sum(-1, keepdims=True)
    return np.where(rng.random(shares.shape) < 0.2, 0.0, shares), target


@pytest.mark.parametrize("name", CERTAIN)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_no_possible_shares_are_outside_and_the_ends_are_reached(name: str, seed: int) -> None:
    lower, target = slices(seed, 3)
    low, high = bounds(name, lower, target)
    possible = lower[:, None] + undecided(lower)[:, None, None] * GRID
    values = divergence(name).value(possible, target[:, None])
    assert (values >= low[:, None] - 1e-9).all()
    assert (values <= high[:, None] + 1e-9).all() or np.isinf(high).any()
    np.testing.assert_allclose(values.max(1), high)
    finest = divergence(name).value(closest(lower, target), target)
    np.testing.assert_allclose(closest(lower, target).sum(-1), 1)
    assert (closest(lower, target) >= lower).all()
    np.testing.assert_allclose(np.minimum(finest, high), low)


@pytest.mark.parametrize("name", CERTAIN)
def test_the_least_value_is_what_an_optimiser_finds(name: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        lower, target = rng.dirichlet(np.ones(5)) * 0.6, rng.dirichlet(np.ones(5)) + 0.02
        target /= target.sum()
        start = lower + 0.4 * rng.dirichlet(np.ones(5))

        def value(p: np.ndarray, target: np.ndarray = target) -> float:
            return float(divergence(name).value(np.abs(p), target))

        minimize: Any = optimize.minimize
        found = minimize(
            value,
            start,
            method="SLSQP",
            bounds=[(x, 1.0) for x in lower],
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
            options={"maxiter": 500, "ftol": 1e-13},
        )
        low = float(bounds(name, lower, target).low)
        assert low <= found.fun + 1e-7
        assert low == pytest.approx(found.fun, abs=2e-3 if name in ("tv", "mae") else 1e-5)


def test_nothing_undecided_is_the_value_itself() -> None:
    rng = np.random.default_rng(1)
    shares, target = rng.dirichlet(np.ones(4), 6), rng.dirichlet(np.ones(4), 6)
    for name in CERTAIN:
        low, high = bounds(name, shares, target)
        np.testing.assert_allclose(low, divergence(name).value(shares, target), atol=1e-12)
        np.testing.assert_allclose(high, low, atol=1e-12)


def test_everything_undecided_is_anything() -> None:
    target = np.array([0.2, 0.8])
    low, high = bounds("tv", np.zeros(2), target)
    assert [float(low), float(high)] == pytest.approx([0, 0.8])
    assert bounds("kl_target_model", np.zeros(2), target).high == np.inf


def test_the_width_of_tv_is_at_most_the_undecided_mass() -> None:
    lower, target = slices(3, 5, 50)
    low, high = bounds("tv", lower, target)
    assert (high - low <= undecided(lower) + 1e-12).all()


def test_a_mean_is_bounded_by_the_means() -> None:
    lower, target = slices(9, 4)
    low, high = bounds("js", lower, target)
    mean = mean_bounds("js", lower, target)
    assert float(mean.low) == pytest.approx(low.mean())
    assert float(mean.high) == pytest.approx(high.mean())


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_conditional_shares_stay_in_their_slice_and_fill_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lower = rng.dirichlet(np.ones(4)) * rng.uniform(0.3, 1)
    inner = conditional(lower, 3)
    whole = lower + undecided(lower) * rng.dirichlet(np.ones(4), 200)
    given_class = whole[:, :3] / whole[:, :3].sum(-1, keepdims=True)
    assert (given_class >= inner - 1e-12).all()
    corner = (lower[:3] + undecided(lower) * np.array([1.0, 0, 0])) / (lower[:3].sum() + undecided(lower))
    np.testing.assert_allclose(corner[1:], inner[1:])


def test_a_variant_of_one_paper_has_no_certain_bounds() -> None:
    with pytest.raises(UserError, match="without certain bounds"):
        bounds("kl_half", np.zeros(2), np.full(2, 0.5))
