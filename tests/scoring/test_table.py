"""The one call that scores a table: what each number means, at the edges too."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy.stats import beta

from harness.metrics.base import Divergence
from harness.metrics.catalog import of
from harness.scoring import again as many
from harness.scoring import sides
from harness.scoring.again import again
from harness.scoring.interval import share_limits
from harness.scoring.table import AggregateScore, ContextScore, TableScore, score
from tests.benchmarks.coverage import Case, run

Ints = NDArray[np.int64]


def ints(rows: object) -> Ints:
    """An integer array."""
    return np.array(rows, dtype=np.int64)


def sample(
    seed: int = 0, contexts: int = 6, classes: int = 4, n: int = 80
) -> tuple[Ints, Ints, NDArray[np.float64]]:
    """Counts with a few invalid draws, and their target."""
    rng = np.random.default_rng(seed)
    target = rng.dirichlet(np.full(classes, 2.0), size=contexts)
    invalid = rng.integers(0, 5, size=contexts)
    return rng.multinomial(n - invalid, target), invalid, target


@pytest.mark.parametrize(
    "case",
    [
        Case(1, 2, 10, "skewed", 0.05, "pile", 400),
        Case(1, 5, 25, "uniform", 0.0, "pile", 400),
        Case(1, 20, 100, "zero", 0.2, "spread", 400),
        Case(14, 2, 25, "uniform", 0.02, "pile", 300),
        Case(14, 5, 100, "skewed", 0.2, "random", 300),
        Case(14, 3, 25, "mixed", 0.1, "mixed", 300),
    ],
    ids=str,
)
def test_intervals_hold_the_truth(case: Case) -> None:
    for row in run(case):
        assert row.coverage >= 0.93, row


def test_a_perfect_model_and_a_moved_one() -> None:
    rng = np.random.default_rng(7)
    target = np.tile([[0.7, 0.3], [0.5, 0.5], [0.1, 0.9]], (5, 1))
    none = np.zeros(15, dtype=np.int64)
    perfect = score(rng.multinomial(100, target), none, target).aggregate.scores["tv"]
    assert perfect.low == 0
    assert perfect.estimate < 0.02
    assert perfect.plugin == pytest.approx(perfect.floor, abs=0.02)
    model = np.where(target > 0.4, target - 0.2, target + 0.2)
    model /= model.sum(axis=1, keepdims=True)
    truth = np.abs(model - target).sum(axis=1).mean() / 2
    found = score(rng.multinomial(100, model), none, target).aggregate.scores["tv"]
    assert found.low <= truth <= found.high
    assert found.low > 0.1
    assert found.p < 1e-4


def test_scores_are_ordered_and_estimates_lie_inside() -> None:
    table = score(*sample())
    parts: list[ContextScore | AggregateScore] = [*table.contexts, table.aggregate]
    for part in parts:
        for found in (*part.scores.values(), *part.conditional.values()):
            assert 0 <= found.low <= found.estimate <= found.high
            assert found.floor <= found.floor95 or found.floor95 == 0
            assert 0 <= found.p <= 1


def test_invalid_draws_are_mass_outside_the_target() -> None:
    target = np.array([[0.5, 0.5]])
    table = score(ints([[45, 45]]), ints([10]), target)
    (one,) = table.contexts
    assert one.scores["tv"].plugin == pytest.approx(0.1)
    assert one.conditional["tv"].plugin == pytest.approx(0)
    assert one.scores["kl_target_model"].plugin == pytest.approx(0)
    assert one.scores["mae"].plugin == pytest.approx(0)
    assert one.best_tv == pytest.approx(0, abs=1e-12)
    assert one.worst_tv == pytest.approx(0.05)
    assert one.n == 100
    assert one.valid.value == pytest.approx(0.9)
    assert one.scores["tv"].low > 0


def test_without_invalid_draws_headline_and_conditional_agree() -> None:
    counts, _, target = sample()
    table = score(counts, np.zeros(len(counts), dtype=np.int64), target)
    assert table.aggregate.scores["tv"] == table.aggregate.conditional["tv"]


def test_contexts_without_draws_are_left_out_and_counted() -> None:
    target = np.full((3, 2), 0.5)
    table = score(ints([[5, 5], [0, 0], [0, 0]]), ints([0, 0, 4]), target)
    assert np.isnan(table.contexts[1].scores["tv"].estimate)
    assert np.isnan(table.contexts[2].conditional["tv"].plugin)
    assert table.contexts[2].scores["tv"].plugin == pytest.approx(1)
    total = table.aggregate
    assert (total.contexts, total.empty, total.without_valid, total.n) == (2, 1, 1, 14)
    assert total.scores["tv"].plugin == pytest.approx(0.5)
    assert total.conditional["tv"].plugin == pytest.approx(0)
    nothing = score(ints([[0, 0]]), ints([0]), target[:1])
    assert np.isnan(nothing.aggregate.scores["tv"].plugin)
    assert np.isnan(nothing.aggregate.fit_p)


def test_zero_target_cells() -> None:
    target = np.array([[0.5, 0.5, 0.0]])
    inside = score(ints([[10, 12, 0]]), ints([0]), target).contexts[0]
    assert np.isfinite(inside.scores["kl_model_target"].high)
    assert np.isfinite(inside.scores["kl_target_model"].high)
    outside = score(ints([[10, 12, 1]]), ints([0]), target).contexts[0]
    assert outside.fit_p == 0
    assert outside.unsmoothed["kl_model_target"] == np.inf
    assert outside.scores["kl_model_target"].low == np.inf
    assert np.isfinite(outside.scores["tv"].high)


def test_same_input_same_digits_and_order_of_contexts_does_not_matter() -> None:
    counts, invalid, target = sample(3)
    first = score(counts, invalid, target, seed=4)
    assert score(counts, invalid, target, seed=4) == first
    order = np.random.default_rng(0).permutation(len(counts))
    second = score(counts[order], invalid[order], target[order], seed=4)
    for name in of(Divergence):
        a, b = first.aggregate.scores[name], second.aggregate.scores[name]
        assert (a.plugin, a.low, a.high) == pytest.approx((b.plugin, b.low, b.high), rel=1e-9)
        for i, k in enumerate(order):
            assert second.contexts[i].scores[name].low == pytest.approx(first.contexts[k].scores[name].low)
            assert second.contexts[i].scores[name].floor == pytest.approx(
                first.contexts[k].scores[name].floor
            )


def test_order_of_classes_does_not_matter() -> None:
    counts, invalid, target = sample(5)
    order = [2, 0, 3, 1]
    a = score(counts, invalid, target).aggregate.scores
    b = score(counts[:, order], invalid, target[:, order]).aggregate.scores
    for name in of(Divergence):
        assert (a[name].low, a[name].high) == pytest.approx((b[name].low, b[name].high), rel=1e-9)


def test_intervals_narrow_with_draws() -> None:
    target = np.full((10, 3), 1 / 3)
    model = np.array([0.5, 0.3, 0.2])
    widths = []
    for n in (20, 200, 2000, 20_000, 2_000_000):
        counts = np.tile(np.round(n * model).astype(np.int64), (10, 1))
        found = score(counts, np.zeros(10, dtype=np.int64), target).aggregate.scores["tv"]
        assert found.low <= 1 / 6 + 1e-9 <= found.high + 2e-9
        widths.append(found.high - found.low)
    assert all(a > 2 * b for a, b in pairwise(widths))


def test_mae_and_halved_kl_are_multiples() -> None:
    counts, invalid, target = sample(8)
    found = score(counts, invalid, target).aggregate
    assert found.scores["mae"].high == pytest.approx(found.conditional["tv"].high / 2)
    assert found.scores["kl_half"].high == pytest.approx(found.scores["kl_target_model"].high / 2)


def test_json_round_trip_without_nan_or_inf() -> None:
    table: TableScore = score(ints([[3, 0], [0, 0]]), ints([0, 0]), np.array([[0.5, 0.5], [0.5, 0.5]]))
    shape = TypeAdapter(TableScore)
    text = shape.dump_json(table)
    back = json.loads(text)
    assert back["contexts"][0]["unsmoothed"]["kl_target_model"] == "inf"
    assert back["contexts"][1]["scores"]["tv"]["low"] is None
    assert back["contexts"][0]["scores"]["tv"]["plugin"] == 0.5
    assert len(back["contexts"][0]["shares"]) == 2
    again = shape.validate_json(text)
    assert repr(again) == repr(table)


def test_shares_have_jeffreys_limits() -> None:
    found = share_limits(ints([[3, 7, 0]]))
    assert found.low[0, 0] == pytest.approx(beta.ppf(0.025, 3.5, 7.5))
    assert found.high[0, 1] == pytest.approx(beta.ppf(0.975, 7.5, 3.5))
    assert found.low[0, 2] == 0
    assert 0.15 < found.high[0, 2] < 0.31


@pytest.mark.parametrize(
    ("counts", "invalid", "target"),
    [
        ([[1, 2]], [0, 0], [[0.5, 0.5]]),
        ([[1, -2]], [0], [[0.5, 0.5]]),
        ([[1, 2]], [0], [[0.5, 0.6]]),
        ([[1, 2]], [0], [[0.5, 0.3, 0.2]]),
    ],
)
def test_misfits_are_refused(counts: object, invalid: object, target: object) -> None:
    with pytest.raises(ValueError, match=r"shapes differ|negative|sum to 1"):
        score(ints(counts), ints(invalid), np.array(target))


def leaves(tree: object) -> list[float]:
    """The numbers of a tree, by their keys' order."""
    if isinstance(tree, dict):
        return [leaf for key in sorted(tree) for leaf in leaves(tree[key])]
    assert isinstance(tree, int | float)
    return [float(tree)]


@pytest.mark.parametrize("kind", ["exact", "sampled", "ordered", "one context"])
def test_many_tables_at_once_are_what_each_is_alone(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was claimed before does not matter, but for what is simulated; neither do the other tables."""
    contexts = 1 if kind == "one context" else 6
    drawn = [sample(seed, contexts) for seed in range(5)]
    target = drawn[0][2]
    counts = np.stack([one[0] for one in drawn])
    invalid = np.stack([one[1] for one in drawn])
    invalid[0] = 0
    if contexts > 1:
        counts[1, 2] = 0  # no draw with a class
        counts[2, 3] = invalid[2, 3] = 0  # no draw at all
    counts[3], invalid[3] = 0, 0
    sizes = (
        np.where(np.arange(contexts) % 2, np.inf, 150.0) if kind == "sampled" else np.full(contexts, np.inf)
    )
    positions = np.array([0.0, 0.2, 0.7, 1.0]) if kind == "ordered" else None
    alone = [
        score(c, i, target, sizes=sizes, positions=positions).aggregate
        for c, i in zip(counts, invalid, strict=True)
    ]
    forged = [
        replace(one, best_tv=0.5, scores={k: replace(v, plugin=9.0, low=9.0) for k, v in one.scores.items()})
        for one in alone
    ]
    for pairs in (sides.EXACT_PAIRS, 1):  # all in one group, then each by itself
        monkeypatch.setattr(many, "EXACT_PAIRS", pairs)
        found = again(counts, invalid, target, sizes, forged, positions)
        for one, own in zip(found, alone, strict=True):
            np.testing.assert_allclose(leaves(asdict(one)), leaves(asdict(own)), rtol=1e-9, atol=1e-12)
