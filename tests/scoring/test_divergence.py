"""Divergences against scipy, the papers' test vectors, and what theory says of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from harness.metrics.base import Divergence
from harness.metrics.catalog import of
from harness.metrics.js import js
from harness.metrics.kl import kl_eps, kl_half, kl_model_target, kl_target_model
from harness.metrics.tv import mae, tv
from harness.scoring.divergence import best_and_worst_tv, plugin, smoothed_shares, unsmoothed

Floats = NDArray[np.float64]


@st.composite
def pairs(draw: st.DrawFn, zeros: bool = True) -> tuple[Floats, Floats]:
    """Two distributions over the same 2 to 8 classes."""
    k = draw(st.integers(2, 8))
    least = 0.0 if zeros else 0.01
    rows = []
    for _ in range(2):
        row = np.array(draw(st.lists(st.floats(least, 1.0), min_size=k, max_size=k)))
        row = np.where(row < 1e-6, 0.0, row) if zeros else row
        if not row.sum():
            row[0] = 1.0
        rows.append(row / row.sum())
    return rows[0], rows[1]


ROUNDING = 1e-15
"""Of a KL near 0, whose root is in Pinsker's inequality."""


@given(pairs())
def test_agrees_with_scipy(both: tuple[Floats, Floats]) -> None:
    p, q = both
    assert_allclose(tv(p, q), np.abs(p - q).sum() / 2, atol=1e-12)
    assert_allclose(js(p, q), jensenshannon(p, q, base=2) ** 2, atol=1e-12)
    assert_allclose(kl_model_target(p, q), entropy(p, q), atol=1e-12)
    assert_allclose(kl_target_model(p, q), entropy(q, p), atol=1e-12)


@given(pairs())
def test_symmetry_and_bounds(both: tuple[Floats, Floats]) -> None:
    p, q = both
    assert_allclose(tv(p, q), tv(q, p), atol=1e-15)
    assert_allclose(js(p, q), js(q, p), atol=1e-12)
    assert_allclose(kl_model_target(p, q), kl_target_model(q, p))
    assert 0 <= tv(p, q) <= 1 + 1e-12
    assert 0 <= js(p, q) <= 1 + 1e-12
    assert kl_model_target(p, q) >= -1e-12
    for metric in (tv, js, kl_model_target, kl_target_model, mae):
        assert metric(p, p) == pytest.approx(0, abs=1e-12)


@given(pairs(), st.randoms(use_true_random=False))
def test_order_of_classes_does_not_matter(both: tuple[Floats, Floats], random: object) -> None:
    p, q = both
    order = np.random.default_rng(len(p)).permutation(len(p))
    for metric in of(Divergence).values():
        assert_allclose(metric.value(p[order], q[order]), metric.value(p, q), rtol=1e-9, atol=1e-12)


@given(pairs())
def test_merging_classes_never_increases_a_divergence(both: tuple[Floats, Floats]) -> None:
    p, q = both
    merged_p, merged_q = np.append(p[2:], p[:2].sum()), np.append(q[2:], q[:2].sum())
    for measure in (tv, js, kl_model_target, kl_target_model):
        assert measure(merged_p, merged_q) <= measure(p, q) + 1e-12


@given(pairs())
def test_inequalities_between_measures(both: tuple[Floats, Floats]) -> None:
    p, q = both
    assert tv(p, q) <= np.sqrt((kl_model_target(p, q) + ROUNDING) / 2) + 1e-9, "Pinsker"
    assert js(p, q) <= tv(p, q) + 1e-12, "Lin"
    assert tv(p, q) ** 2 / (2 * np.log(2)) <= js(p, q) + 1e-9
    assert_allclose(mae(p, q), tv(p, q) * 2 / len(p), atol=1e-12)


@given(pairs(zeros=False))
def test_papers_variants_approach_the_kl_without_empty_cells(both: tuple[Floats, Floats]) -> None:
    p, q = both
    assert_allclose(kl_eps(p, q), kl_target_model(p, q), atol=1e-7)
    assert_allclose(kl_half(p, q), kl_target_model(p, q) / 2, atol=1e-12)


@pytest.mark.parametrize(
    ("target", "model", "expected_mae", "expected_kl"),
    [
        ((0.5, 0.5), (0.6, 0.4), 0.1, 0.020411),
        ((0.5, 0.5), (1, 0), 0.5, 10.819778),
        ((0.5, 0.5), (0, 0), 0.5, 22.332704),
        ((0.2,) * 5, (1, 0, 0, 0, 0), 0.32, 16.811243),
        ((0.333,) * 3, (1 / 3,) * 3, 0.000333, -0.001),
        ((0.96317324, 0.03682676), (1, 0), 0.036827, 0.690243),
    ],
)
def test_vectors_of_klkto(
    target: tuple[float, ...], model: tuple[float, ...], expected_mae: float, expected_kl: float
) -> None:
    p, q = np.array(target, dtype=float), np.array(model, dtype=float)
    assert mae(q, p) == pytest.approx(expected_mae, abs=5e-7)
    assert kl_eps(q, p) == pytest.approx(expected_kl, abs=1e-6)


def test_vectors_of_walf() -> None:
    target, model = np.array([0.8, 0.2]), np.array([0.5, 0.5])
    assert kl_target_model(model, target) == pytest.approx(0.192745, abs=5e-7)
    assert kl_half(model, target) == pytest.approx(0.096372, abs=5e-7)


def test_smoothing_keeps_what_is_impossible_infinite() -> None:
    target = np.array([[0.5, 0.5, 0.0]])
    inside, outside = np.array([[9, 0, 0]]), np.array([[9, 0, 1]])
    assert np.isfinite(plugin("kl_model_target", inside, target))
    assert np.isinf(plugin("kl_model_target", outside, target))
    assert np.isfinite(plugin("kl_target_model", inside, target))
    assert np.isinf(unsmoothed("kl_target_model", inside, target))
    assert_allclose(smoothed_shares(np.array([3, 1])), [0.7, 0.3])


@given(
    st.lists(st.integers(0, 6), min_size=3, max_size=3),
    st.integers(0, 4),
    st.lists(st.integers(1, 9), min_size=3, max_size=3),
)
def test_best_and_worst_over_every_allocation(counts: list[int], invalid: int, weights: list[int]) -> None:
    if sum(counts) + invalid == 0:
        return
    target = np.array(weights) / sum(weights)
    found = best_and_worst_tv(np.array([counts]), np.array([invalid]), target[None])
    n = sum(counts) + invalid
    steps = 12
    tried = [
        tv((np.array(counts) + invalid * np.array([a, b, steps - a - b]) / steps) / n, target)
        for a in range(steps + 1)
        for b in range(steps + 1 - a)
    ]
    assert found[0][0] <= min(tried) + 1e-12
    assert found[0][0] >= min(tried) - invalid / n / steps - 1e-9
    assert found[1][0] == pytest.approx(max(tried), abs=1e-9)
