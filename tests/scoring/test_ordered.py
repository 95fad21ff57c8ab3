"""W1 of ordered classes: against scipy, enumeration and simulation."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats

from harness import evaluate
from harness.metrics.w1 import cuts, gradient, w1
from harness.sampling.known import shifted
from harness.scores import scores_of
from harness.scoring import ordered
from harness.scoring.bounds import w1_bounds
from harness.scoring.certain import score_certain
from harness.scoring.compare import difference, distances
from harness.scoring.ordered import ordered_limits, ordered_moments
from harness.scoring.table import score
from harness.settings import Settings
from tests.benchmarks.ordered import Case
from tests.benchmarks.ordered import run as simulated

if TYPE_CHECKING:
    from pathlib import Path

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def scale(classes: int, rng: np.random.Generator) -> Floats:
    """Positions in any order, of which the ends are 0 and 1."""
    places = rng.permutation(np.concatenate([[0.0, 1.0], rng.random(classes - 2)]))
    return np.asarray(places)


@pytest.mark.parametrize("classes", [2, 3, 5, 12])
def test_it_is_scipys_distance(classes: int) -> None:
    rng = np.random.default_rng(classes)
    for _ in range(20):
        places = scale(classes, rng)
        model, target = rng.dirichlet(np.full(classes, 0.5), 2)
        wanted = stats.wasserstein_distance(places, places, model, target)
        assert w1(model, target, places) == pytest.approx(wanted, abs=1e-12)


def test_draws_without_a_class_are_1_away() -> None:
    target = np.array([[0.2, 0.3, 0.5]])
    places = np.array([0.0, 0.5, 1.0])
    off = score(np.array([[40, 60, 100]]), np.array([50]), target, positions=places).contexts[0]
    assert off.scores["w1"].plugin == pytest.approx(0.2)
    assert off.conditional["w1"].plugin == pytest.approx(0, abs=1e-12)
    assert off.scores["w1"].low <= 0.2 <= off.scores["w1"].high
    none = score(np.array([[0, 0, 0]]), np.array([50]), target, positions=places).aggregate
    assert none.scores["w1"].plugin == pytest.approx(1)
    assert math.isnan(none.conditional["w1"].plugin)
    assert "w1" not in score(np.array([[1, 2, 3]]), np.array([0]), target).aggregate.scores


def test_of_two_classes_it_is_the_tv() -> None:
    rng = np.random.default_rng(1)
    target = rng.dirichlet([2, 2], 5)
    found = score(
        rng.multinomial(40, target), np.zeros(5, dtype=np.int64), target, positions=np.array([1.0, 0])
    )
    for part in found.contexts:
        for name in ("plugin", "estimate", "low", "high", "floor", "p"):
            assert getattr(part.scores["w1"], name) == pytest.approx(
                getattr(part.scores["tv"], name), abs=1e-9
            )


def test_the_order_of_the_columns_and_the_direction_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    places = scale(5, rng)
    target = rng.dirichlet(np.ones(5), 6)
    counts, invalid = rng.multinomial(30, target), rng.integers(0, 4, 6)
    first = score(counts, invalid, target, positions=places).aggregate.scores["w1"]
    order = rng.permutation(5)
    again = score(counts[:, order], invalid, target[:, order], positions=places[order]).aggregate.scores["w1"]
    turned = score(counts, invalid, target, positions=1 - places).aggregate.scores["w1"]
    for other in (again, turned):
        assert (other.plugin, other.estimate, other.low, other.high) == pytest.approx(
            (first.plugin, first.estimate, first.low, first.high), rel=1e-6
        )
        assert other.floor == pytest.approx(first.floor, rel=0.02)
    assert 0 <= first.low <= first.estimate <= first.high


def every_count(n: int, classes: int) -> Ints:
    """All tables of ``n`` draws."""
    rows = [r for r in itertools.product(range(n + 1), repeat=classes) if sum(r) == n]
    return np.array(rows, dtype=np.int64)


def test_the_chain_has_the_moments_that_enumeration_has() -> None:
    n, target, likely = 7, np.array([0.1, 0.4, 0.2, 0.3]), np.array([0.25, 0.25, 0.4, 0.1])
    places = np.array([0.3, 0.0, 1.0, 0.55])
    counts = every_count(n, 4)
    wide = np.tile(target, (len(counts), 1))
    chance = stats.multinomial.pmf(counts, n, likely)
    found = cuts(places)
    valid = ordered._valid(counts, wide, 4)
    estimate, lower, uppers = ordered._functions_of(valid, found)
    for function in (estimate, lower, *uppers):
        values = ordered._summed(valid, found, function)
        mean = chance @ values
        wanted = [chance @ (values - mean) ** power for power in (2, 3)]
        (each,) = ordered._cumulants(valid, found, np.tile(likely, (len(counts), 1)), [function])
        assert [each.variance[0], each.third[0]] == pytest.approx(wanted, rel=1e-6, abs=1e-12)


def test_the_moments_of_many_draws_are_those_of_a_simulation() -> None:
    rng = np.random.default_rng(3)
    target, model = np.array([0.1, 0.2, 0.3, 0.25, 0.15, 0.0]), np.array([0.1, 0.1, 0.2, 0.2, 0.15, 0.25])
    places = np.linspace(0, 1, 5)
    counts = rng.multinomial(3000, model, size=20_000)
    wide = np.tile(target, (len(counts), 1))
    value, variance = ordered_moments(counts[:1], wide[:1], model[None], places)
    simulated = w1(counts / 3000, target, places)
    assert variance[0] == pytest.approx(simulated.var(), rel=0.05)
    assert value[0] == pytest.approx(simulated[0], abs=1e-3)


def test_the_gradient_is_that_of_small_steps() -> None:
    rng = np.random.default_rng(4)
    places = scale(4, rng)
    model, target = rng.dirichlet(np.ones(5)), np.append(rng.dirichlet(np.ones(4)), 0.0)
    by_model, by_target = gradient(model, target, places)
    for k, step in enumerate(1e-7 * np.eye(5)):
        assert by_model[k] == pytest.approx(
            (w1(model + step, target, places) - w1(model, target, places)) / 1e-7, abs=1e-5
        )
        assert by_target[k] == pytest.approx(
            (w1(model, target + step, places) - w1(model, target, places)) / 1e-7, abs=1e-5
        )


@pytest.mark.parametrize("seed", range(12))
def test_bounds_are_those_of_a_linear_programme(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = 2 + seed % 4
    places, target = scale(classes, rng), np.append(rng.dirichlet(np.ones(classes)), 0.0)
    lower = rng.dirichlet(np.full(classes + 1, 0.7)) * rng.choice([0.0, 0.4, 0.9, 1.0])
    low, high = w1_bounds(lower[None], target[None], places)
    # Variables: the spread mass of each outcome, then the distance at each cut.
    found, spare, count = cuts(places), 1 - lower.sum(), classes - 1
    rows, limits = [], []
    for cut in range(count):
        under = np.zeros(classes + 1)
        under[found.order[: cut + 1]] = 1
        valid = np.append(np.ones(classes), 0.0)
        slope = under - (target @ under) * valid
        for sign in (1, -1):
            rows.append(np.concatenate([sign * slope, -np.eye(count)[cut]]))
            limits.append(-sign * (lower @ slope))
    cost = np.concatenate([np.append(np.zeros(classes), 1.0), found.gaps])
    whole = np.append(np.ones(classes + 1), np.zeros(count))[None]
    solved = optimize.linprog(cost, rows, limits, whole, [spare])
    assert low[0] == pytest.approx(solved.fun + lower[-1], abs=1e-9)
    corners = lower + spare * np.eye(classes + 1)
    assert high[0] == pytest.approx(w1(corners, target, places).max())


def test_certain_shares_have_bounds_around_their_distance() -> None:
    lower = np.array([[0.2, 0.3, 0.4, 0.0]])
    target = np.array([[0.3, 0.3, 0.4]])
    places = np.array([0.0, 0.5, 1.0])
    found = score_certain(lower, np.array([0.1]), target, positions=places).contexts[0].scores["w1"]
    assert (found.low, found.high) == pytest.approx((0.0, 0.155))
    assert found.low <= found.estimate <= found.high


@pytest.mark.parametrize(
    "case",
    [
        Case(1, 3, 10, "uniform", 0.0, 0.0, 300),
        Case(1, 5, 25, "skewed", 0.2, 0.3, 300),
        Case(1, 5, 100, "uniform", 0.1, 0.0, 300),
        Case(14, 5, 25, "uniform", 0.02, 0.1, 150),
        Case(14, 3, 100, "skewed", 0.1, 0.0, 150),
    ],
    ids=str,
)
def test_intervals_hold_the_truth(case: Case) -> None:
    row = simulated(case)
    assert row is not None
    assert row.coverage >= 0.93, row


def test_equal_models_are_called_different_as_often_as_they_should_be() -> None:
    rng = np.random.default_rng(5)
    target, places = rng.dirichlet(np.full(5, 3.0), 10), np.linspace(0, 1, 5)
    model = rng.dirichlet(np.full(5, 3.0), 10)
    full = np.concatenate([target, np.zeros((10, 1))], axis=1)
    odd = 0
    for _ in range(100):
        one, two = (
            np.concatenate([rng.multinomial(90, model), np.full((10, 1), 10)], axis=1) for _ in range(2)
        )
        odd += difference(distances(one, full, None, places), distances(two, full, None, places)).p < 0.05
    assert odd <= 12  # of 100 at 5%: more happen once in four hundred times


def test_a_sampled_target_makes_the_interval_wider() -> None:
    target, places = np.array([[0.2, 0.3, 0.5]]), np.array([0.0, 0.5, 1.0])
    counts = np.array([[30, 25, 45]])
    exact, sampled = (
        score(
            counts, np.zeros(1, dtype=np.int64), target, sizes=np.array([m]), positions=places
        ).aggregate.scores["w1"]
        for m in (np.inf, 50.0)
    )
    assert sampled.high > exact.high
    assert sampled.low <= exact.low
    assert sampled.floor > exact.floor


def test_limits_of_one_context_are_those_of_its_mean() -> None:
    each, mean = ordered_limits(np.array([[5, 3, 2]]), np.array([[0.3, 0.3, 0.4]]), np.array([0.0, 0.5, 1.0]))
    assert [float(v[0]) for v in each] == [float(v) for v in mean]


@pytest.mark.parametrize(("task", "shift"), [("die", 0.0), ("die", 0.2), ("rating_5", 0.1), ("coin", 0.0)])
def test_known_models_are_inside_their_intervals(task: str, shift: float, tmp_path: Path) -> None:
    run = evaluate(f"known:target,shift={shift},unparsed=0.1", task, "stated", Settings(n=300, out=tmp_path))
    (result,) = scores_of(run).results
    target = np.array(result.target.shares)
    model = np.append(
        0.9 * np.array([shifted(row, shift) for row in target]), np.full((len(target), 1), 0.1), axis=1
    )
    if task == "coin":
        assert "w1" not in result.table.aggregate.scores
        return
    assert result.positions == pytest.approx(np.linspace(0, 1, target.shape[1]))
    full = np.append(target, np.zeros((len(target), 1)), axis=1)
    truth = w1(model, full, np.array(result.positions)).mean()
    found = result.table.aggregate.scores["w1"]
    assert found.low <= truth <= found.high
    assert found.high - found.low < 0.1
