"""The noise floor: the score of a perfect model at this many draws; and the smallest difference that can be shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from harness.scoring.divergence import plugin, plugins, unsmoothed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from harness.metrics.base import FloatArray, IntArray

_BUDGET = 2_000_000
_POWER = 0.8
_Z_POWER = float(stats.norm.ppf(0.975) + stats.norm.ppf(_POWER))


_HUGE = 1e300


def upper(values: FloatArray) -> FloatArray:
    """95% quantile along the first axis, infinite values included: between two of them numpy before 2.4 finds nan."""
    quantile = np.asarray(np.quantile(np.minimum(values, _HUGE), 0.95, axis=0))
    return np.where(quantile > _HUGE / 1e9, np.inf, quantile)


@dataclass(frozen=True, slots=True)
class Null:
    """Scores of a perfect model, simulated."""

    values: Mapping[str, FloatArray]
    """Divergence -> [repetitions, contexts]; nan in contexts without draws."""
    floors: Mapping[str, tuple[FloatArray, FloatArray]]
    """Divergence -> mean and 95% quantile per context."""
    fit: FloatArray
    """The likelihood-ratio statistic 2n KL(observed || target), of the same shape."""
    exact: NDArray[np.bool_]
    """Per context, whether the target is no sample."""


def simulate(
    n: IntArray,
    target: FloatArray,
    names: Iterable[str],
    *,
    sizes: FloatArray | None = None,
    seed: int = 0,
    positions: FloatArray | None = None,
) -> Null:
    """Draw ``n[C]`` answers per context from the target itself, many times, and score them.

    A target that is a sample of ``sizes[C]`` independent replies is redrawn too: a perfect model answers like the
    people, not like those who happened to be asked. Of classes with ``positions`` W1 is scored too.

    Contexts with the same n and target share their simulated scores, in an order of their own each. What is
    simulated depends on the contents of the contexts only, so the order they are given in does not matter. The
    number of repetitions shrinks from 20,000 to no less than 100 as the table grows. The last two tables are kept:
    many models are asked as often for the same target.
    """
    sizes = np.full(len(n), np.inf) if sizes is None else sizes
    table = np.column_stack([sizes, n, target])
    places = None if positions is None else tuple(positions.tolist())
    return _simulated(table.tobytes(), table.shape, tuple(names), seed, places)


@lru_cache(maxsize=2)
def _simulated(
    table: bytes, shape: tuple[int, int], names: tuple[str, ...], seed: int, places: tuple[float, ...] | None
) -> Null:
    rows = np.frombuffer(table).reshape(shape)
    positions = None if places is None else np.array(places)
    keys, where = np.unique(rows, axis=0, return_inverse=True)
    where = where.ravel()
    room = min(_BUDGET // max(1, keys[:, 2:].size), _BUDGET // max(1, len(rows)))
    repetitions = int(np.clip(room, 100, 20_000))
    rng = np.random.default_rng(seed)
    people = _rows(keys[:, 2:])
    drawn = rng.multinomial(np.broadcast_to(keys[:, 1].astype(np.int64), (repetitions, len(keys))), people)
    asked = redrawn(people, keys[:, 0], repetitions, rng)
    spread = _spread(where, repetitions, rng)
    values = {name: spread(scores) for name, scores in plugins(names, drawn, asked, positions).items()}
    fit = spread(fit_statistic(drawn, asked))
    for kept in (*values.values(), fit):
        kept.flags.writeable = False
    floors = {name: (scores.mean(axis=0), upper(scores)) for name, scores in values.items()}
    return Null(values, floors, fit, np.isinf(rows[:, 0]))


def redrawn(target: FloatArray, sizes: FloatArray, repetitions: int, rng: np.random.Generator) -> FloatArray:
    """The target ``[C, K]``; or, where some of it is a sample, other samples of the same people ``[R, C, K]``.

    A class that a sample does not show counts as half a reply, as in an imported reference.
    """
    sampled = np.isfinite(sizes)
    if not sampled.any():
        return target
    found = np.tile(target, (repetitions, 1, 1))
    m = np.broadcast_to(np.rint(sizes[sampled]).astype(np.int64), (repetitions, int(sampled.sum())))
    replies = rng.multinomial(m, target[sampled]).astype(np.float64)
    replies[(replies == 0) & (target[sampled] > 0)] = 0.5
    found[:, sampled] = replies / replies.sum(axis=-1, keepdims=True)
    return found


def _spread(
    where: IntArray, repetitions: int, rng: np.random.Generator
) -> Callable[[FloatArray], FloatArray]:
    """From scores per key to scores per context: a context whose key is taken gets its own order of them."""
    order = np.argsort(where, kind="stable")
    again = order[np.diff(where[order], prepend=-1) == 0]
    if not len(again):
        return lambda scores: np.asarray(scores[:, where])
    place = np.repeat(np.arange(repetitions)[:, None], len(where), axis=1)
    place[:, again] = rng.permuted(place[:, again], axis=0)
    return lambda scores: np.asarray(scores[place, where])


def fit_statistic(counts: IntArray, target: FloatArray) -> FloatArray:
    """2n KL(observed || target): 0 for a perfect fit, infinite when an impossible class was drawn."""
    return np.asarray(2.0 * counts.sum(axis=-1) * unsmoothed("kl_model_target", counts, target))


def tail(observed: FloatArray, null: FloatArray) -> FloatArray:
    """P(a perfect model scores at least ``observed``), per column of ``null`` ``[repetitions, ...]``.

    Counted where at least ten repetitions reach the observed value. Beyond that a gamma distribution with the
    mean and variance of the repetitions stands in for them (a sum of chi-squares is close to one), so that p
    does not stop at one over the number of repetitions; a table of many contexts could prove nothing otherwise.
    """
    repetitions = null.shape[0]
    reached = (null >= observed - 1e-12).sum(axis=0)
    counted = (reached + 1) / (repetitions + 1)
    with np.errstate(
        invalid="ignore", divide="ignore"
    ):  # of infinite scores there is no variance: they are counted
        mean, variance = null.mean(axis=0), null.var(axis=0)
        fitted = stats.gamma.sf(observed, mean**2 / variance, scale=variance / mean)
    p = np.where((reached >= 10) | ~np.isfinite(fitted), counted, np.minimum(fitted, counted))
    p = np.where(np.isposinf(observed), 0.0, p)
    return np.asarray(np.where(np.isnan(observed), np.nan, p))


def goodness_of_fit(counts: IntArray, target: FloatArray, null: Null) -> tuple[FloatArray, float]:
    """p of "the model is the target": per context, and over all contexts together (the statistics added up).

    Chi-square where the target is exact and every expected count is at least 5, simulated otherwise. A class with
    target 0 that was drawn gives p = 0, whatever the rest.
    """
    observed = fit_statistic(counts, target)
    n = counts.sum(axis=-1)
    possible = target > 0
    least = np.where(possible, n[:, None] * target, np.inf).min(axis=-1)
    with np.errstate(invalid="ignore"):
        asymptotic = stats.chi2.sf(observed, np.maximum(possible.sum(axis=-1) - 1, 1))
    per_context = np.where((least >= 5) & null.exact, asymptotic, tail(observed, null.fit))
    per_context = np.where(n > 0, per_context, np.nan)
    used = n > 0
    if not used.any():
        return per_context, float("nan")
    total = observed[used].sum()
    return per_context, float(tail(np.asarray(total), null.fit[:, used].sum(axis=1)))


def _rows(target: FloatArray) -> FloatArray:
    return np.asarray(target / target.sum(axis=-1, keepdims=True))


@dataclass(frozen=True, slots=True)
class Tellable:
    """What this many draws can tell, in mean TV; printed before any draw is made."""

    floor: float
    """Mean TV of a perfect model."""
    floor95: float
    from_target: float
    """The least mean TV, the same in every context, that lies above ``floor95`` in 80% of runs."""
    between_models: float
    """The least difference of two models' mean TV found with 80% power at a level of 5%."""


def tellable(n: IntArray, target: FloatArray, *, sizes: FloatArray | None = None, seed: int = 0) -> Tellable:
    """Noise floor and smallest tellable differences of the mean TV for ``n[C]`` draws per context.

    Args:
        n: draws per context.
        target: shares per context.
        sizes: of the samples that the target's rows are, see ``simulate``.
        seed: of the simulation.
    """
    used = n > 0
    if not used.any():
        nan = float("nan")
        return Tellable(nan, nan, nan, nan)
    n, target = n[used], _rows(target[used])
    sizes = np.full(len(n), np.inf) if sizes is None else sizes[used]
    repetitions = int(np.clip(_BUDGET // (4 * target.size), 100, 4_000))

    def mean_tv(shift: float) -> FloatArray:
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(np.broadcast_to(n, (repetitions, len(n))), _rows(moved(target, shift)))
        return np.asarray(plugin("tv", drawn, redrawn(target, sizes, repetitions, rng)).mean(axis=1))

    null = mean_tv(0.0)
    limit = float(upper(null))
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        if (mean_tv(middle) > limit).mean() >= _POWER:
            high = middle
        else:
            low = middle
    spread = max(float(null.std()), float(mean_tv(0.2).std()))
    return Tellable(float(null.mean()), limit, high, _Z_POWER * np.sqrt(2) * spread)


def moved(target: FloatArray, shift: float) -> FloatArray:
    """A model at TV ``shift`` from each row of ``target`` (or as far as the row allows).

    Mass is taken from the classes that have most, until ``shift`` is gathered, and given to the one that has
    least: the plainest form of a model that overdoes one answer.
    """
    result = np.array(target, dtype=np.float64)
    rows = np.arange(len(result))
    least = result.argmin(axis=-1)
    order = np.argsort(-result, axis=-1, kind="stable")
    left = np.full(len(result), float(shift))
    for rank in range(result.shape[1]):
        column = order[:, rank]
        free = np.where(column == least, 0.0, result[rows, column])
        taken = np.minimum(left, free)
        result[rows, column] -= taken
        result[rows, least] += taken
        left -= taken
    return result
