"""The promise that intervals rest on: a lower sum's mean is at most the truth, an upper one's at least."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from harness.metrics.kl import LEAST_SHARE
from harness.scoring import sides
from harness.scoring.cells import nodes

PAIRS = ((10, 0.5), (10, 0.05), (10, 0.97), (25, 0.2), (25, 0.0016), (100, 0.03), (100, 0.5), (400, 0.31))


@pytest.mark.parametrize("name", ["tv", "js", "kl_target_model", "kl_model_target"])
@pytest.mark.parametrize(("n", "t"), PAIRS)
def test_sides_hold_for_models_off_the_grid(name: str, n: int, t: float) -> None:
    parts = sides.cells_of(name)
    functions = sides.functions(parts, np.array([float(n)]), np.array([t]))
    least = t * LEAST_SHARE if name == "kl_target_model" else 0.0
    q = np.unique(
        np.concatenate([np.linspace(least, 1, 150), t * np.linspace(LEAST_SHARE, 3, 60)]).clip(0, 1)
    )
    x = np.arange(n + 1.0)
    mass = binom.pmf(x, n, q[:, None])
    size, share, pair = np.full(n + 1, float(n)), np.full(n + 1, t), np.zeros(n + 1, dtype=np.int64)
    truth = parts.truth(q, np.array(t))
    # Between grid points a line may be missed by a little: a small part of one draw.
    slack = 0.08 / n + 0.004 * np.abs(truth)
    _, lower, uppers = functions
    assert (mass @ lower.at(x, size, share, pair) <= truth + slack).all()
    for upper in uppers:
        assert (mass @ upper.at(x, size, share, pair) >= truth - slack).all()


@pytest.mark.parametrize("name", ["tv", "js", "kl_target_model", "kl_model_target"])
def test_estimate_is_unbiased_at_the_target_and_far_from_it(name: str) -> None:
    n, t = 100.0, 0.4
    parts = sides.cells_of(name)
    estimate, _, _ = sides.functions(parts, np.array([n]), np.array([t]))
    x = np.arange(n + 1)
    full = np.full(len(x), n), np.full(len(x), t), np.zeros(len(x), dtype=np.int64)
    for q in (t, 0.7):
        truth = parts.truth(np.array(q), np.array(t))
        assert binom.pmf(x, n, q) @ estimate.at(x, *full) == pytest.approx(float(truth), abs=3e-4)


@pytest.mark.parametrize("poisson", [False, True])
@pytest.mark.parametrize(("n", "q"), [(10, 0.0), (10, 0.3), (1000, 0.001), (100_000, 0.4), (7, 1.0)])
def test_nodes_have_the_moments_of_the_counts(n: int, q: float, poisson: bool) -> None:
    x, weight = nodes(np.array([q]), np.array([float(n)]), poisson)
    mean, square = (weight * x).sum(), (weight * x * x).sum()
    assert mean == pytest.approx(n * q, rel=1e-4, abs=1e-6)
    variance = n * q * (1 if poisson else 1 - q)
    assert square - mean**2 == pytest.approx(variance, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("name", ["tv", "js", "kl_target_model", "kl_model_target"])
def test_cumulants_are_those_of_simulated_sums(name: str) -> None:
    rng = np.random.default_rng(1)
    target = np.array([0.5, 0.3, 0.2])
    model = np.array([0.2, 0.35, 0.45])
    counts = rng.multinomial(400, model, size=4000)
    found = sides.sides(name, sides.Table(counts, np.tile(target, (4000, 1)))).lower
    assert np.median(found.variance) == pytest.approx(found.value.var(), rel=0.1)


def test_sharing_of_lines_in_large_tables_changes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    target = rng.dirichlet(np.ones(5), size=100)
    counts = rng.multinomial(60, target)
    exact = sides.sides("tv", sides.Table(counts, target)).mean()
    monkeypatch.setattr(sides, "EXACT_PAIRS", 10)
    shared = sides.sides("tv", sides.Table(counts, target)).mean()
    assert shared.lower.value == pytest.approx(float(exact.lower.value), abs=0.003)
    for a, b in zip(shared.uppers, exact.uppers, strict=True):
        assert a.value == pytest.approx(float(b.value), abs=0.003)
