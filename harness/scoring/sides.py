"""Sums over cells that lie, on average, below and above a divergence, with the cumulants of their sampling error.

See docs/statistics.md, "Intervals". The functions of one cell are in ``cells``; here they are shifted by the
line that puts their mean on the right side of the truth, summed over a context's classes, and given a variance
and a skewness.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.scoring import cells

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.scoring.cells import CellFunction
    from harness.scoring.divergence import FloatArray, IntArray

_PARABOLAS = ((0.35, True), (0.6, True), (1.0, True), (0.35, False), (0.6, False), (1.0, False))
"""Upper functions of TV: width of the parabola in standard errors, and whether it is capped far out."""
_SQUARES = (1.0, 1.6, 2.6)
"""Upper functions of the other measures: multiples of their curvature at the target."""
_EXACT_PAIRS = 800
_CHUNK = 400


class Cumulants(NamedTuple):
    """A statistic of each context: value, variance, third cumulant, and curvature of its measure; ``[..., C]``."""

    value: FloatArray
    variance: FloatArray
    third: FloatArray
    curvature: FloatArray

    def mean(self) -> Cumulants:
        """The mean over contexts (the last axis), which are independent."""
        count = self.value.shape[-1]
        return Cumulants(
            self.value.mean(axis=-1),
            self.variance.sum(axis=-1) / count**2,
            self.third.sum(axis=-1) / count**3,
            self.curvature.sum(axis=-1) / count**2,
        )


@dataclass(frozen=True, slots=True)
class Sides:
    """What a measure's limits are computed from, per context."""

    estimate: FloatArray
    lower: Cumulants
    uppers: tuple[Cumulants, ...]

    def mean(self) -> Sides:
        """The mean over contexts (the last axis)."""
        return Sides(self.estimate.mean(axis=-1), self.lower.mean(), tuple(u.mean() for u in self.uppers))

    def reshaped(self, *shape: int) -> Sides:
        """The same contexts in an array of another shape."""

        def parts(c: Cumulants) -> Cumulants:
            return Cumulants(*(field.reshape(shape) for field in c))

        return Sides(self.estimate.reshape(shape), parts(self.lower), tuple(parts(u) for u in self.uppers))


@dataclass(frozen=True, slots=True)
class _Measure:
    estimate: CellFunction
    truth: Callable[[FloatArray, FloatArray], FloatArray]
    curvature: CellFunction
    local: float
    """Second derivative at the target, times t / 2."""
    least: float = 0.0


_MEASURES = {
    "tv": _Measure(cells.tv_estimate, cells.tv_truth, cells.no_curvature, 0.0),
    "js": _Measure(cells.js_estimate, cells.js_truth, cells.js_curvature, 1 / (8 * np.log(2))),
    "kl_model_target": _Measure(
        cells.kl_model_target_estimate, cells.kl_model_target_truth, cells.kl_model_target_curvature, 0.5
    ),
    "kl_target_model": _Measure(
        cells.kl_target_model_estimate,
        cells.kl_target_model_truth,
        cells.kl_target_model_curvature,
        0.5,
        cells.LEAST_SHARE,
    ),
}


@dataclass(frozen=True, slots=True)
class _Shifted:
    """A function of cells plus ``height`` + ``slope`` (x/n - t), less ``bump`` times the kernel; per pair."""

    function: CellFunction
    height: FloatArray
    slope: FloatArray
    bump: FloatArray | None = None

    def at(self, x: FloatArray, n: FloatArray, t: FloatArray, pair: IntArray) -> FloatArray:
        """Values; ``pair`` tells which n and t a cell has. Heights and bumps are kept times n."""
        value = self.function(x, n, t) + self.height[pair] / n + self.slope[pair] * (x / n - t)
        if self.bump is not None:
            value = value - self.bump[pair] / n * cells.kernel(x, n, t)
        return np.asarray(value)


class _Check:
    """Means of functions of cells at a grid of model shares, for a number of pairs (n, t)."""

    def __init__(self, n: FloatArray, t: FloatArray, measure: _Measure) -> None:
        self.n, self.t = n[:, None, None], t[:, None, None]
        self.grid = cells.share_grid(n, t, measure.least)
        self.x, self.weight = cells.nodes(self.grid, np.broadcast_to(n[:, None], self.grid.shape))
        self.truth = measure.truth(self.grid, t[:, None])

    def mean(self, function: CellFunction) -> FloatArray:
        """[pairs, grid]: the function's mean for each model share."""
        return np.asarray((self.weight * function(self.x, self.n, self.t)).sum(axis=-1))

    def bump(self, function: CellFunction) -> FloatArray:
        """How much of the kernel takes away the function's mean where the model is the target."""
        share = self.mean(cells.kernel)[:, 0]
        return np.asarray(self.mean(function)[:, 0] / share)

    def line(self, mean: FloatArray, side: int) -> tuple[FloatArray, FloatArray]:
        """Height and slope that put ``mean`` below (side -1) or above (1) the truth everywhere on the grid."""
        height, slope = cells.tangent(side * (self.truth - mean), self.grid)
        return side * height, side * slope


class _Cells(NamedTuple):
    """The distinct cells of a table, and which of them each class of each context is."""

    x: FloatArray
    n: FloatArray
    t: FloatArray
    pair: IntArray
    place: IntArray
    """[C, K]"""


def sides(name: str, counts: IntArray, target: FloatArray) -> Sides:
    """The sides of measure ``name`` for counts ``[C, K]`` and target ``[C, K]``; every context has draws."""
    n = np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape)
    keys = np.stack([counts.ravel(), n.ravel(), target.ravel()], axis=1).astype(np.float64)
    unique, where = np.unique(keys, axis=0, return_inverse=True)
    x, m, t = unique.T
    pairs, pair = _pairs(m, t)
    table = _Cells(x, m, t, pair, where.reshape(counts.shape))
    estimate, lower, uppers = _functions(name, pairs[:, 0], pairs[:, 1])
    classes = counts.shape[1]
    # The trace is spread over all directions; what counts is the one in which the measure grows.
    curvature = _MEASURES[name].curvature(x, m, t) / max(classes - 1, 1)
    # Little shrinkage where too small a variance would do harm, more where too large a one would.
    below = _summed([lower], table, curvature, min(classes / 2, 2.0))
    above = _summed(uppers, table, curvature, classes / 2)
    value = estimate.at(x, m, t, pair)[table.place].sum(axis=1)
    return Sides(value, below[0], tuple(above))


def _pairs(n: FloatArray, t: FloatArray) -> tuple[FloatArray, IntArray]:
    """The distinct (n, t) and which of them each cell has; in very large tables neighbours share one."""
    pairs, index = np.unique(np.stack([n, t], axis=1), axis=0, return_inverse=True)
    if len(pairs) <= _EXACT_PAIRS:
        return pairs, index.ravel()
    with np.errstate(divide="ignore"):
        logit = np.log(pairs[:, 1]) - np.log1p(-pairs[:, 1])
    key = np.stack([np.round(np.log(pairs[:, 0]) * 8), np.round(np.clip(logit, -50, 50) * 12)], axis=1)
    key = np.concatenate([key, np.isposinf(logit)[:, None], np.isneginf(logit)[:, None]], axis=1)
    _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return pairs[first], group.ravel()[index.ravel()]


def _functions(name: str, n: FloatArray, t: FloatArray) -> tuple[_Shifted, _Shifted, list[_Shifted]]:
    """Estimate, lower and upper functions with their lines, for every pair of n and t."""
    measure = _MEASURES[name]
    checks = [_Check(n[i : i + _CHUNK], t[i : i + _CHUNK], measure) for i in range(0, len(n), _CHUNK)]
    nothing = np.zeros(len(n))
    plain = _Shifted(measure.estimate, nothing, nothing)
    if name != "tv":
        squares: list[CellFunction] = [partial(cells.square, scale=measure.local * m) for m in _SQUARES]
        uppers = [_shifted(checks, n, f, 1) for f in [measure.estimate, *squares]]
        return plain, _shifted(checks, n, measure.estimate, -1), uppers
    bump = np.concatenate([check.bump(measure.estimate) for check in checks]) * n
    parabolas = [partial(cells.parabola, scale=a, capped=c) for a, c in _PARABOLAS]
    uppers = [plain, *(_shifted(checks, n, f, 1) for f in parabolas)]
    estimate = _Shifted(measure.estimate, nothing, nothing, bump)
    return estimate, _shifted(checks, n, measure.estimate, -1, bump), uppers


def _shifted(
    checks: Sequence[_Check], n: FloatArray, function: CellFunction, side: int, bump: FloatArray | None = None
) -> _Shifted:
    heights, slopes = [], []
    done = 0
    for check in checks:
        mean = check.mean(function)
        if bump is not None:
            part = (bump / n)[done : done + len(mean), None]
            mean = mean - part * check.mean(cells.kernel)
        done += len(mean)
        height, slope = check.line(mean, side)
        heights.append(height)
        slopes.append(slope)
    return _Shifted(function, np.concatenate(heights) * n, np.concatenate(slopes), bump)


def _summed(
    functions: Sequence[_Shifted], table: _Cells, curvature: FloatArray, prior: float
) -> list[Cumulants]:
    """Sum over the classes of each context, with cumulants of a multinomial sum.

    The counts of a context are independent Poisson counts given their total, so a statistic's cumulants are
    those of the Poisson sum after regression on the total. The model's shares are the observed ones with
    ``prior`` draws of the target and of the uniform added, half and half.
    """
    x, n, t, pair = table.x, table.n, table.t, table.pair
    added = prior * (t + 1 / table.place.shape[1]) / 2
    shares = (x + added) / (n + prior)
    nodes, weight = cells.nodes(shares, n, poisson=True)
    from_mean = nodes - (weight * nodes).sum(axis=1, keepdims=True)
    powers = [weight * from_mean**k for k in range(4)]
    total2, total3 = (np.einsum("cq->c", powers[k])[table.place].sum(axis=1) for k in (2, 3))
    result = []
    for function in functions:
        value = function.at(x, n, t, pair)[table.place].sum(axis=1)
        w = function.at(nodes, n[:, None], t[:, None], pair[:, None])
        w = w - (weight * w).sum(axis=1, keepdims=True)
        w2 = w * w
        terms = (
            np.einsum("cq,cq->c", a, b)
            for a, b in (
                (w2, powers[0]),
                (w, powers[1]),
                (w2 * w, powers[0]),
                (w2, powers[1]),
                (w, powers[2]),
            )
        )
        ww, wx, www, wwx, wxx = (term[table.place].sum(axis=1) for term in terms)
        slope = wx / np.maximum(total2, 1e-300)
        variance = np.maximum(ww - slope * wx, 0.0)
        third = www - 3 * slope * wwx + 3 * slope**2 * wxx - slope**3 * total3
        result.append(Cumulants(value, variance, third, curvature[table.place].sum(axis=1)))
    return result
