"""Limits of divergences: exact coverage where it can be summed up, and sense at every edge."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multinomial

from harness.metrics.catalog import divergence
from harness.scoring.interval import limits
from harness.scoring.table import AggregateScore, ContextScore, score
from tests.benchmarks import narrowest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAMES = ("tv", "js", "kl_target_model", "kl_model_target")
Floats = NDArray[np.float64]
MORE_RARE = [(2, 1e-6), (2, 0.02), (4, 1e-4), (4, 0.02)]
"""Classes, and the target share of all but one of them."""


def coverage(n: int, target: Floats, models: Iterable[Floats]) -> Iterator[dict[str, float]]:
    """The exact probability that each measure's interval holds a model's truth: a sum over all possible counts."""
    parts = itertools.product(range(n + 1), repeat=len(target) - 1)
    counts = np.array([(*p, n - sum(p)) for p in parts if sum(p) <= n])
    found = limits(counts, np.tile(target, (len(counts), 1)), NAMES)
    for model in models:
        mass = multinomial.pmf(counts, n, model)
        result = {}
        for name, (each, _) in found.items():
            truth = float(divergence(name).value(model, target))
            result[name] = float(mass[(each.low <= truth + 1e-12) & (truth <= each.high + 1e-12)].sum())
        yield result


@pytest.mark.parametrize("n", [1, 3, 10, 60])
@pytest.mark.parametrize("t", [0.0, 0.03, 0.4])
def test_two_classes_are_covered_for_every_model(n: int, t: float) -> None:
    shares = np.linspace(0.25 * t, 1 - 0.25 * (1 - t), 21)
    covered = coverage(n, np.array([t, 1 - t]), [np.array([q, 1 - q]) for q in shares])
    for q, found in zip(shares, covered, strict=True):
        if t == 0 and q > 0:
            del found["kl_model_target"]  # infinite
        assert min(found.values()) >= 0.95, (q, found)


@pytest.mark.parametrize("n", [4, 12, 25, 40])
@pytest.mark.parametrize(
    "target", [(1 / 3, 1 / 3, 1 / 3), (0.5, 0.5, 0.0), (0.7, 0.25, 0.05), (0.9, 0.1, 0.0)], ids=str
)
def test_three_classes_are_covered(n: int, target: tuple[float, ...]) -> None:
    t = np.array(target)
    rng = np.random.default_rng(n)
    models = [t, *(0.3 * t + 0.7 * rng.dirichlet(3 * t + 0.3, size=8) * (t > 0))]
    models = [model / model.sum() for model in models]
    for model, found in zip(models, coverage(n, t, models), strict=True):
        assert min(found.values()) >= 0.94, (model, found)


@pytest.mark.parametrize("t", [1e-9, 1e-6, 1e-4, 1e-3, 5e-3])
def test_a_rare_class_given_often_refutes_the_target_as_an_impossible_one_does(t: float) -> None:
    counts = np.array([[9, 191], [20, 180]])
    _, rare = limits(counts, np.array([[t, 1 - t], [2 * t, 1 - 2 * t]]), ("tv",))["tv"]
    _, never = limits(counts, np.array([[0.0, 1.0], [0.0, 1.0]]), ("tv",))["tv"]
    assert never.low - 3 * t <= rare.low <= never.low + 1e-3


@pytest.mark.parametrize(
    ("classes", "t"),
    [(2, 1e-4), (4, 1e-6), *(pytest.param(k, t, marks=pytest.mark.slow) for k, t in MORE_RARE)],
)
def test_limits_of_rare_classes_hold_and_close_in(classes: int, t: float) -> None:
    rng = np.random.default_rng(classes)
    target = np.tile([1 - t * (classes - 1), *[t] * (classes - 1)], (14, 1))
    model = 0.95 * target + 0.05 * np.eye(classes)[1]
    drawn = rng.multinomial(60, model, size=(100, len(model))).reshape(-1, classes)
    few = limits(drawn, np.tile(target, (100, 1)), NAMES, tables=100)
    many = limits(rng.multinomial(10**6, model), target, NAMES)
    for name in NAMES:
        truth = divergence(name).value(model, target).mean()
        _, each = few[name]
        assert ((each.low <= truth) & (truth <= each.high)).sum() >= 90, name
        # Lines are checked on a grid: a few parts in a thousand of the truth may be missing with many draws.
        _, found = many[name]
        assert found.low <= 1.003 * truth
        assert found.high >= 0.997 * truth
        assert found.high - found.low < 0.06 * truth + 0.01, name


def edges() -> list[tuple[str, list[list[int]], list[int], list[list[float]]]]:
    """Counts, invalid draws and targets at which something could be divided by nothing."""
    rng = np.random.default_rng(0)
    wide = rng.dirichlet(np.ones(200))
    tiny = [[0.5, 0.5 - 1e-6, 1e-6]]
    found = [
        ("one draw", [[1, 0]], [0], [[0.5, 0.5]]),
        ("one draw in each of 14", [[1, 0, 0, 0, 0]] * 14, [0] * 14, [[0.2] * 5] * 14),
        ("a sure class, given", [[9, 0]], [0], [[1.0, 0.0]]),
        ("a sure class, missed", [[0, 9]], [0], [[1.0, 0.0]]),
        ("a sure class of four, missed", [[0, 9, 0, 0]], [0], [[1.0, 0.0, 0.0, 0.0]]),
        ("every draw invalid", [[0, 0, 0]], [10], [[0.5, 0.3, 0.2]]),
        ("nearly every draw invalid", [[1, 0, 0]], [10**6], [[0.5, 0.3, 0.2]]),
        ("contexts without valid draws", [[0, 0], [3, 1], [0, 0]], [5, 2, 0], [[0.5, 0.5]] * 3),
        ("no context", [], [], []),
        ("one class", [[10]], [5], [[1.0]]),
        ("very different n", [[1, 0, 0], [300_000, 200_000, 100_000]], [0, 0], [[0.5, 0.3, 0.2]] * 2),
        ("a thousand million", [[5 * 10**8, 3 * 10**8, 2 * 10**8]], [0], [[0.5, 0.3, 0.2]]),
        ("a rare class, not given", [[50, 50, 0]], [0], tiny),
        ("a rare class, given", [[50, 45, 5]], [0], tiny),
        ("a share near nothing", [[50, 45, 5]], [1], [[0.5, 0.5, 5e-324]]),
    ]
    for n in (10, 10**6):
        found.append((f"200 classes, {n} draws", [rng.multinomial(n, wide).tolist()], [0], [wide.tolist()]))
    return found


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("title", "counts", "invalid", "target"), edges(), ids=lambda v: v if isinstance(v, str) else ""
)
def test_edges(title: str, counts: list[list[int]], invalid: list[int], target: list[list[float]]) -> None:
    shape = (len(counts), len(counts[0]) if counts else 2)
    table = score(
        np.array(counts, dtype=np.int64).reshape(shape),
        np.array(invalid, dtype=np.int64),
        np.array(target, dtype=np.float64).reshape(shape),
    )
    drawn = np.array(counts).sum() + sum(invalid)
    parts: list[ContextScore | AggregateScore] = [*table.contexts, table.aggregate]
    for part in parts:
        assert math.isnan(part.scores["tv"].estimate) == (part.n == 0)
        assert math.isnan(part.conditional["tv"].estimate) == math.isnan(part.scores["kl_target_model"].low)
        for name, found in (*part.scores.items(), *part.conditional.items()):
            if math.isnan(found.estimate):
                continue
            assert 0 <= found.low <= found.estimate <= found.high
            assert found.high <= (1 if name in ("tv", "js", "mae") else np.inf)
            assert 0 <= found.p <= 1
    if drawn:
        assert table.aggregate.contexts >= 1


@pytest.mark.parametrize("name", ["all 0 off", "all 1.5 off", "normal, 2"])
def test_the_narrowest_functions_hold_the_truth_and_are_no_wider_than_ours(name: str) -> None:
    law, cells = narrowest.LAWS[name], 56
    truth, kappa = float(law[0] @ law[1]), 1.8 / np.sqrt(cells)
    under, over = (narrowest.best(law, kappa, side) for side in (-1, 1))
    assert under.mean <= truth + 1e-6
    assert over.mean >= truth - 1e-6
    lower, uppers = narrowest.today()
    ours = narrowest.moments(lower, law), *(narrowest.moments(upper, law) for upper in uppers)
    assert under.mean - kappa * under.sd >= ours[0].mean - kappa * ours[0].sd - 1e-6
    assert over.mean + kappa * over.sd <= min(u.mean + kappa * u.sd for u in ours[1:]) + 1e-6
