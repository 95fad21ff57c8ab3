"""Noise floors against theory and published simulations; goodness of fit; what can be told."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest, kstest

from harness.metrics.kl import kl_model_target
from harness.metrics.tv import tv
from harness.scoring.floor import goodness_of_fit, moved, simulate, tail, tellable

Row = tuple[tuple[float, ...], int, float, float, float, float, float, float | None]
LABOUR = (0.6, 0.13, 0.01, 0.06, 0.2)
FLOORS: list[Row] = [
    # target, n, TV mean, TV 95%, JS in nats, KL(model || target), KL(target || model + 1e-10), KL smoothed
    ((0.5, 0.5), 10, 0.122, 0.300, 0.0138, 0.0528, 0.079, 0.048),
    ((0.5, 0.5), 25, 0.080, 0.180, 0.0052, 0.0203, 0.021, 0.020),
    ((0.5, 0.5), 100, 0.040, 0.100, 0.0013, 0.0050, 0.005, 0.005),
    ((0.97, 0.03), 25, 0.028, 0.050, 0.0065, 0.0222, 0.265, 0.012),
    ((0.97, 0.03), 100, 0.013, 0.030, 0.0015, 0.0054, 0.030, 0.005),
    ((1 / 3,) * 3, 25, 0.114, 0.227, 0.0107, 0.0415, 0.046, 0.040),
    ((1 / 3,) * 3, 100, 0.057, 0.107, 0.0025, 0.0101, 0.010, 0.010),
    ((0.2,) * 5, 25, 0.157, 0.280, 0.0220, 0.0839, 0.165, 0.077),
    ((0.2,) * 5, 100, 0.079, 0.130, 0.0051, 0.0202, 0.021, 0.020),
    (LABOUR, 25, 0.125, 0.220, 0.0222, 0.0816, 0.534, 0.064),
    (LABOUR, 100, 0.062, 0.110, 0.0056, 0.0210, 0.083, 0.018),
    (LABOUR, 500, 0.028, 0.050, 0.0010, 0.0040, 0.005, None),
    ((0.125,) * 8, 25, 0.209, 0.305, 0.0419, 0.1532, 0.824, 0.129),
    ((0.125,) * 8, 100, 0.106, 0.155, 0.0090, 0.0354, 0.038, 0.034),
]


@pytest.mark.parametrize("row", FLOORS, ids=lambda row: f"{len(row[0])} classes, n={row[1]}")
def test_floors_are_those_of_an_independent_simulation(row: Row) -> None:
    target, n, mean, high, js, kl, eps, smoothed = row
    null = simulate(np.array([n]), np.array([target]), ("tv", "js", "kl_eps1e-10", "kl_target_model"), seed=3)
    found, found95 = null.floors["tv"]
    assert found[0] == pytest.approx(mean, abs=0.0025)
    assert found95[0] == pytest.approx(high, abs=1.01 / n)
    # The figures are rounded and simulated, those with an epsilon with a heavy tail.
    assert null.floors["js"][0][0] * np.log(2) == pytest.approx(js, rel=0.03, abs=1e-4)
    assert null.fit.mean() / (2 * n) == pytest.approx(kl, rel=0.03, abs=1e-4)
    assert null.floors["kl_eps1e-10"][0][0] == pytest.approx(eps, rel=0.06, abs=0.003)
    if smoothed is not None:
        assert null.floors["kl_target_model"][0][0] == pytest.approx(smoothed, rel=0.03, abs=8e-4)


@pytest.mark.parametrize(("n", "p"), [(10, 0.5), (37, 0.2), (400, 0.03)])
def test_mean_floor_is_the_mean_deviation_of_a_binomial(n: int, p: float) -> None:
    x = np.arange(n + 1)
    exact = (binom.pmf(x, n, p) * np.abs(x / n - p)).sum()
    null = simulate(np.array([n]), np.array([[p, 1 - p]]), ("tv",))
    assert null.values["tv"].mean() == pytest.approx(exact, rel=0.02)


def test_floor_of_the_mean_counts_repeated_contexts_as_independent() -> None:
    null = simulate(np.full(16, 25), np.full((16, 2), 0.5), ("tv",))
    one, mean = null.values["tv"][:, 0].std(), null.values["tv"].mean(axis=1).std()
    assert mean == pytest.approx(one / 4, rel=0.06)


def test_simulation_does_not_depend_on_the_order_of_contexts() -> None:
    rng = np.random.default_rng(0)
    target = np.concatenate([rng.dirichlet(np.ones(3), size=6), np.full((3, 3), 1 / 3)])
    n = np.array([10, 20, 30, 10, 20, 30, 9, 9, 9])
    order = rng.permutation(9)
    first, second = simulate(n, target, ("tv",)), simulate(n[order], target[order], ("tv",))
    np.testing.assert_array_equal(first.floors["tv"][0][order], second.floors["tv"][0])
    np.testing.assert_allclose(
        np.sort(first.values["tv"].mean(axis=1))[::100],
        np.sort(second.values["tv"].mean(axis=1))[::100],
        atol=0.01,
    )


def test_goodness_of_fit_of_two_classes_is_near_the_exact_test() -> None:
    n, target = np.array([12]), np.array([[0.3, 0.7]])
    null = simulate(n, target, ("tv",))
    for x in (0, 3, 7, 9):
        exact = binomtest(x, 12, 0.3).pvalue
        found, _ = goodness_of_fit(np.array([[x, 12 - x]]), target, null)
        # Both order the outcomes, by likelihood ratio and by probability: alike, not the same.
        assert found[0] == pytest.approx(exact, rel=0.6, abs=0.06)


def test_goodness_of_fit_is_uniform_for_a_perfect_model() -> None:
    rng = np.random.default_rng(5)
    target = rng.dirichlet(np.full(4, 3.0), size=8)
    n = np.full(8, 60)
    null = simulate(n, target, ("tv",))
    p = [goodness_of_fit(rng.multinomial(60, target), target, null)[1] for _ in range(300)]
    assert kstest(p, "uniform").pvalue > 1e-3


def test_impossible_class_refutes_the_target() -> None:
    target, counts = np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]), np.array([[5, 4, 1], [5, 5, 0]])
    null = simulate(counts.sum(axis=1), target, ("tv",))
    each, together = goodness_of_fit(counts, target, null)
    assert each[0] == 0
    assert each[1] > 0.5
    assert together == 0


def test_tail_goes_on_where_the_repetitions_end() -> None:
    rng = np.random.default_rng(1)
    null = rng.chisquare(30, size=(5000, 1))
    assert tail(np.array([90.0]), null)[0] < 1e-5
    assert tail(np.array([43.77]), null)[0] == pytest.approx(0.05, abs=0.012)
    assert tail(np.array([-1.0]), null)[0] == pytest.approx(1.0)


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.2, 0.6])
def test_moved_models_lie_at_the_distance_asked_for(shift: float) -> None:
    target = np.array([[0.25] * 4, [0.97, 0.01, 0.01, 0.01], [0.5, 0.5, 0.0, 0.0]])
    model = moved(target, shift)
    assert (model >= 0).all()
    np.testing.assert_allclose(model.sum(axis=1), 1)
    np.testing.assert_allclose(tv(model, target), shift, atol=1e-12)


def test_what_is_tellable_shrinks_with_draws() -> None:
    target = np.full((50, 2), 0.5)
    few, many = tellable(np.full(50, 25), target), tellable(np.full(50, 400), target)
    assert few.floor == pytest.approx(0.080, abs=0.002)
    assert few.floor95 == pytest.approx(0.080 + 1.645 * 0.0085, abs=0.002)
    assert many.from_target < few.from_target / 2
    assert many.between_models == pytest.approx(few.between_models / 4, rel=0.15)
    assert np.isnan(tellable(np.zeros(2, dtype=np.int64), target[:2]).floor)


def test_fit_statistic_is_twice_n_kl() -> None:
    counts, target = np.array([[7, 3]]), np.array([[0.4, 0.6]])
    null = simulate(np.array([10]), target, ("tv",))
    each, _ = goodness_of_fit(counts, target, null)
    statistic = 20 * kl_model_target(np.array([0.7, 0.3]), target[0])
    assert each[0] == pytest.approx((null.fit >= statistic - 1e-12).mean(), abs=0.005)
