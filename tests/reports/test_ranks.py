"""Ranks: equal models tie as often as promised, different ones are told apart, bands follow the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.scoring.compare import Distances, distances
from harness.scoring.interval import Limits, context_limits, mean_limits
from harness.scoring.sides import Table, sides
from reports.ranks import joint, rank

if TYPE_CHECKING:
    from numpy.typing import NDArray


def drawn(laws: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Counts of every context, with a column of invalid draws that stays empty."""
    counts = rng.multinomial(n, laws)
    return np.concatenate([counts, np.zeros((*counts.shape[:-1], 1), dtype=np.int64)], axis=-1)


def measured(
    counts: NDArray[np.int64], shares: NDArray[np.float64], sizes: NDArray[np.float64] | None = None
) -> list[list[Distances]]:
    """Boards x models of counts ``[boards, models, contexts, cells]``, all at once."""
    boards, models, contexts, cells = counts.shape
    full = np.concatenate([shares, np.zeros((boards, contexts, 1))], axis=-1)
    tiled = np.repeat(full[:, None], models, axis=1).reshape(-1, cells)
    value, variance, shift = distances(
        counts.reshape(-1, cells), tiled, None if sizes is None else np.tile(sizes, boards * models)
    )
    parts = [slice(i * contexts, (i + 1) * contexts) for i in range(boards * models)]
    each = [Distances(value[p], variance[p], None if shift is None else shift[p]) for p in parts]
    return [each[i * models : (i + 1) * models] for i in range(boards)]


def ranked(board: list[Distances]) -> tuple[list[int], list[int], list[int]]:
    found = rank([board], np.array([model.value.mean() for model in board]))
    return found.low.tolist(), found.high.tolist(), found.band.tolist()


@pytest.mark.parametrize("contexts", [2, 14])
@pytest.mark.parametrize("shift", [0.0, 0.15])
@pytest.mark.parametrize("n", [25, 200])
def test_three_equal_models_share_one_band(contexts: int, shift: float, n: int) -> None:
    rng = np.random.default_rng(7)
    together = 0
    shares = rng.dirichlet([2, 2, 2], (500, contexts))
    laws = np.clip(shares + shift * np.array([1, -0.5, -0.5]), 1e-3, None)
    laws /= laws.sum(axis=-1, keepdims=True)
    counts = np.stack([drawn(laws, n, rng) for _ in range(3)], axis=1)
    for board in measured(counts, shares):
        low, high, band = ranked(board)
        together += band == [0, 0, 0]
        assert (low == [1, 1, 1]) == (high == [3, 3, 3])
    assert together / 500 >= 0.94


def test_three_equal_models_tie_when_contexts_differ_in_how_wrong_they_are() -> None:
    rng = np.random.default_rng(3)
    off = rng.uniform(0, 0.4, (500, 14))
    laws = np.stack([0.5 + off, 0.5 - off], axis=-1)
    counts = np.stack([drawn(laws, 100, rng) for _ in range(3)], axis=1)
    boards = measured(counts, np.full((500, 14, 2), 0.5))
    together = sum(ranked(board)[2] == [0, 0, 0] for board in boards)
    assert together / 500 >= 0.94


def test_models_that_differ_are_told_apart() -> None:
    rng = np.random.default_rng(2)
    shares = rng.dirichlet([3, 3], 14)
    biased = np.tile([0.95, 0.05], (14, 1))
    counts = np.stack([drawn(laws, 400, rng) for laws in (shares, shares, biased)])
    low, high, band = ranked(measured(counts[None], shares[None])[0])
    assert (low, high, band) == ([1, 1, 3], [2, 2, 3], [0, 0, 1])


def test_models_on_two_sides_of_people_are_not_told_apart_by_who_was_asked() -> None:
    """Two equally distant models, one giving too much of a class and one too little, against 300 replies."""
    rng = np.random.default_rng(12)
    people = np.array([[0.5, 0.3, 0.2]])
    move = np.array([0.2, -0.1, -0.1])
    laws = np.stack([people + move, people - move])
    asked = rng.multinomial(300, people, size=(500, 1)) / 300
    counts = np.stack([drawn(np.tile(law, (500, 1, 1)), 1000, rng) for law in laws], axis=1)
    tied, if_exact = (
        sum(ranked(board)[2] == [0, 0] for board in measured(counts, asked, sizes))
        for sizes in (np.array([300.0]), None)
    )
    assert tied / 500 >= 0.93
    assert if_exact / 500 < 0.75


def test_models_that_err_alike_are_told_apart_whoever_was_asked() -> None:
    """What a sampled target moves, it moves for both: it does not hide which of two is further."""
    rng = np.random.default_rng(13)
    people = np.tile([0.5, 0.3, 0.2], (3, 1))
    laws = np.stack([people + off * np.array([1, -0.5, -0.5]) for off in (0.12, 0.22)])
    asked = rng.multinomial(300, people)[None] / 300
    counts = np.stack([drawn(law, 1000, rng) for law in laws])[None]
    assert ranked(measured(counts, asked, np.full(3, 300.0))[0])[2] == [0, 1]


def test_bands_begin_with_the_first_model_that_the_best_is_told_from() -> None:
    """0 and 2 differ, 1 differs from neither: one band of 0 and 1, then 2 with a range that still reaches 2."""
    value = np.array([[0.0] * 40, [0.05] * 40, [0.1] * 40]) + np.random.default_rng(0).normal(
        0, 1e-3, (3, 40)
    )
    found = rank([[Distances(one, np.full(40, 0.13**2), None) for one in value]], value.mean(axis=1))
    assert found.band.tolist() == [0, 0, 1]
    assert (found.low.tolist(), found.high.tolist()) == ([1, 1, 2], [2, 3, 3])


@pytest.mark.parametrize("shift", [0.0, 0.03, 0.2])
def test_the_interval_of_a_mean_over_columns_holds_the_truth(shift: float) -> None:
    rng = np.random.default_rng(int(100 * shift))
    samples, contexts, columns = 150, 14, 6
    ends = []
    for column in range(columns):
        # Every other column is on target: the case in which estimates are stopped at 0.
        off = 2 * shift * (column % 2)
        target = np.tile([0.5 + 0.01 * column, 0.5 - 0.01 * column], (contexts, 1))
        counts = rng.multinomial(25, target + np.array([-off, off]), size=(samples, contexts)).reshape(-1, 2)
        parts = sides("tv", Table(counts, np.tile(target, (samples, 1))))
        each = Limits(
            *(
                part.reshape(samples, contexts)
                for part in context_limits("tv", parts, counts, np.tile(target, (samples, 1)))
            )
        )
        of_mean = mean_limits("tv", parts.reshaped(samples, contexts), each)
        ends.append(np.stack([of_mean.low, of_mean.estimate, of_mean.high]))
    found = np.array([joint(*np.stack(ends)[:, :, i].T) for i in range(samples)])
    assert ((found[:, 1] <= shift + 1e-12) & (shift <= found[:, 2])).mean() >= 0.94
