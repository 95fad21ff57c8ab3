"""Sums over cells with a mean below, and above, a divergence, and the cumulants of their sampling error.

See docs/statistics.md, "Intervals". The functions of one cell are in ``cells``; here a straight line is
added that puts their mean below (or above) the truth. Then they are summed over the classes of a context, and the
variance and the skewness of the sum are computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.metrics.base import OfShares
from harness.metrics.catalog import of
from harness.metrics.tv import tv_estimate as tv_plugin
from harness.scoring import cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.metrics.base import CellFunction, Cells, FloatArray, IntArray

PARABOLAS = (0.35, 0.6, 1.0)
"""Upper functions of TV: width of the parabola in standard errors."""
_SQUARES = (0.5, 1.0, 1.6, 2.6)
"""Upper functions of the other divergences: multiples of their curvature at the target."""
_LEAST_TARGET = 1e-60
"""A smaller share is as good as this one, and its third power could not be written."""
EXACT_PAIRS = 800
"""Of n and target share in a table: each has functions of its own, while there are no more."""
_CHUNK = 400


class Cumulants(NamedTuple):
    """A statistic of each context: value, variance, third cumulant, and curvature of its divergence; ``[..., C]``."""

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
    """What a divergence's limits are computed from, per context."""

    estimate: FloatArray
    lower: Cumulants
    uppers: tuple[Cumulants, ...]
    outside: Cumulants
    """The mass on cells with target 0; TV is at least that."""
    classes: int

    def mean(self) -> Sides:
        """The mean over contexts (the last axis)."""
        uppers = tuple(upper.mean() for upper in self.uppers)
        return Sides(
            self.estimate.mean(axis=-1), self.lower.mean(), uppers, self.outside.mean(), self.classes
        )

    def reshaped(self, *shape: int) -> Sides:
        """The same contexts in an array of another shape."""

        def parts(c: Cumulants) -> Cumulants:
            return Cumulants(*(field.reshape(shape) for field in c))

        uppers = tuple(parts(upper) for upper in self.uppers)
        return Sides(
            self.estimate.reshape(shape), parts(self.lower), uppers, parts(self.outside), self.classes
        )


def cells_of(name: str) -> Cells:
    """The cell functions of a metric that has an interval of its own."""
    metric = of(OfShares).get(name)
    found = metric.cells if metric is not None else None
    if found is None:
        raise ValueError(f"{name} has no cell functions")
    return found


@dataclass(frozen=True, slots=True)
class Shifted:
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

    def __init__(self, n: FloatArray, t: FloatArray, parts: Cells) -> None:
        self.n, self.t = n[:, None, None], t[:, None, None]
        self.grid = cells.share_grid(n, t, parts.least)
        self.x, self.weight = cells.nodes(self.grid, np.broadcast_to(n[:, None], self.grid.shape))
        self.truth = parts.truth(self.grid, t[:, None])

    def mean(self, function: CellFunction) -> FloatArray:
        """[pairs, grid]: the function's mean for each model share."""
        return np.asarray((self.weight * function(self.x, self.n, self.t)).sum(axis=-1))

    def line(self, mean: FloatArray, side: int) -> tuple[FloatArray, FloatArray]:
        """Height and slope that put ``mean`` below (side -1) or above (1) the truth everywhere on the grid."""
        height, slope = cells.tangent(side * (self.truth - mean), self.grid, self.n[:, 0, 0])
        return side * height, side * slope


class _Sampling:
    """The sampling of a table's cells, as far as the cumulants of any statistic need it.

    The counts of a context are independent Poisson counts given their total, so the cumulants of a sum over
    classes are those of the Poisson sum after regression on the total. The model's shares are the observed ones
    with ``prior`` draws added, half of them from the target and half from the uniform.
    """

    def __init__(self, table: Table, prior: float) -> None:
        self.table = table
        added = prior * (table.t + 1 / table.place.shape[1]) / 2
        shares = (table.x + added) / (table.n + prior)
        self.nodes, self.weight = cells.nodes(shares, table.n, poisson=True)
        gap = self.nodes - (self.weight * self.nodes).sum(axis=1, keepdims=True)
        self.first = self.weight * gap
        self.second = self.first * gap
        self.variance = table.summed(self.second.sum(axis=1))
        self.third = table.summed(np.einsum("cq,cq->c", self.second, gap))

    def cumulants(self, function: Shifted, curvature: FloatArray) -> Cumulants:
        """Value, variance and third cumulant per context of ``function`` summed over its classes."""
        table = self.table
        value = table.summed(function.at(table.x, table.n, table.t, table.pair))
        w = function.at(self.nodes, table.n[:, None], table.t[:, None], table.pair[:, None])
        w = w - (self.weight * w).sum(axis=1, keepdims=True)
        squared = w * w
        weighted = squared * self.weight
        products = (
            (squared, self.weight),
            (w, self.first),
            (weighted, w),
            (squared, self.first),
            (w, self.second),
        )
        ww, wx, www, wwx, wxx = (table.summed(np.einsum("cq,cq->c", a, b)) for a, b in products)
        slope = wx / np.maximum(self.variance, 1e-300)
        variance = np.maximum(ww - slope * wx, 0.0)
        third = www - 3 * slope * wwx + 3 * slope**2 * wxx - slope**3 * self.third
        return Cumulants(value, variance, third, table.summed(curvature))


class Table:
    """Counts ``[C, K]`` and targets ``[C, K]`` taken apart into their distinct cells; every context has draws."""

    def __init__(self, counts: IntArray | FloatArray, target: FloatArray) -> None:
        n = np.broadcast_to(np.rint(counts.sum(axis=1, keepdims=True)), counts.shape)
        first, where = _distinct(counts.ravel(), n.ravel(), target.ravel())
        self.x, self.n, t = (a.ravel()[first].astype(np.float64) for a in (counts, n, target))
        self.t = np.where(t > 0, np.maximum(t, _LEAST_TARGET), 0.0)
        self.place: IntArray = where.reshape(counts.shape)
        self.pairs, self.pair = pairs_of(self.n, self.t)
        classes = counts.shape[1]
        # Little shrinkage where too small a variance would do harm, more where too large a one would.
        self.below = _Sampling(self, min(classes / 2, 2.0))
        self.above = _Sampling(self, classes / 2)
        nothing = np.zeros(len(self.pairs))
        mass = Shifted(cells.outside, nothing, nothing)
        self.outside = self.below.cumulants(mass, np.zeros(len(self.x)))

    def summed(self, values: FloatArray) -> FloatArray:
        """Values of the distinct cells, summed over the classes of each context."""
        return np.asarray(values[self.place].sum(axis=1))


def sides(name: str, table: Table) -> Sides:
    """The sides of the divergence ``name``, per context."""
    parts = cells_of(name)
    estimate, lower, uppers = functions(parts, *table.pairs.T)
    # The trace is spread over all directions; what counts is the one in which the divergence grows.
    directions = max(table.place.shape[1] - 1, 1)
    curvature = parts.curvature(table.x, table.n, table.t) / directions
    return Sides(
        table.summed(estimate.at(table.x, table.n, table.t, table.pair)),
        table.below.cumulants(lower, curvature),
        tuple(table.above.cumulants(upper, curvature) for upper in uppers),
        table.outside,
        table.place.shape[1],
    )


def tv_moments(counts: IntArray, target: FloatArray, likely: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The bias-corrected TV of each context ``[C]`` and its variance when the model has the shares ``likely``.

    A cell's count is binomial. What its function leaves over a straight line is much like a parabola, so that of two
    cells whose counts correlate by r the lines' values correlate by r and what is left by r^2 (Mehler, 1866).
    """
    shape = counts.shape
    x = counts.ravel().astype(np.float64)
    n = np.broadcast_to(counts.sum(axis=1, keepdims=True), shape).ravel().astype(np.float64)
    t = np.where(target > 0, np.maximum(target, _LEAST_TARGET), 0.0).ravel()
    pairs, pair = pairs_of(n, t)
    estimate = debiased_tv(*pairs.T)
    nodes, weight = cells.nodes(likely.ravel(), n)
    w = estimate.at(nodes, n[:, None], t[:, None], pair[:, None])
    w, gap = (v - (weight * v).sum(axis=1, keepdims=True) for v in (w, nodes))
    ww, wx, xx = (
        np.einsum("cq,cq,cq->c", weight, a, b).reshape(shape) for a, b in ((w, w), (w, gap), (gap, gap))
    )
    line = wx / np.sqrt(np.maximum(xx, 1e-300))
    rest = np.sqrt(np.maximum(ww - line**2, 0.0))
    odds = np.sqrt(likely / np.maximum(1 - likely, 1e-12))
    related = -np.minimum(odds[:, :, None] * odds[:, None, :], 1.0)
    related[:, *np.diag_indices(shape[1])] = 1.0
    variance = np.einsum("cj,cjk,ck->c", line, related, line) + np.einsum(
        "cj,cjk,ck->c", rest, related**2, rest
    )
    value = estimate.at(x, n, t, pair).reshape(shape).sum(axis=1)
    return value, np.maximum(variance, 0.0)


def _distinct(*columns: FloatArray | IntArray) -> tuple[IntArray, IntArray]:
    """The distinct rows of some columns: where each stands first, and which of them every row is."""
    key = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        values, rank = np.unique(column, return_inverse=True)
        key = key * len(values) + rank
    _, first, where = np.unique(key, return_index=True, return_inverse=True)
    return first, where


def pairs_of(n: FloatArray, t: FloatArray) -> tuple[FloatArray, IntArray]:
    """The distinct (n, t) and which of them each cell has; in very large tables neighbours share one."""
    first, index = _distinct(n, t)
    pairs = np.stack([n[first], t[first]], axis=1)
    if len(pairs) <= EXACT_PAIRS:
        return pairs, index
    with np.errstate(divide="ignore"):
        logit = np.log(pairs[:, 1]) - np.log1p(-pairs[:, 1])
    near = np.round(np.log(pairs[:, 0]) * 8), np.round(np.clip(logit, -50, 50) * 12)
    first, group = _distinct(*near, np.where(np.isinf(logit), np.sign(logit), 0.0))
    return pairs[first], group[index]


def functions(parts: Cells, n: FloatArray, t: FloatArray) -> tuple[Shifted, Shifted, list[Shifted]]:
    """Estimate, lower and upper functions with their lines, for every pair of n and t."""
    checks = [_Check(n[i : i + _CHUNK], t[i : i + _CHUNK], parts) for i in range(0, len(n), _CHUNK)]
    nothing = np.zeros(len(n))
    plain = Shifted(parts.estimate, nothing, nothing)
    if parts.local:
        squares: list[CellFunction] = [partial(cells.square, scale=parts.local * m) for m in _SQUARES]
        uppers = [_shifted(checks, n, f, 1) for f in [parts.estimate, *squares]]
        return plain, _shifted(checks, n, parts.estimate, -1), uppers
    estimate = debiased_tv(n, t)
    parabolas = [partial(cells.parabola, scale=a) for a in PARABOLAS]
    uppers = [plain, *(_shifted(checks, n, f, 1) for f in parabolas)]
    return estimate, _shifted(checks, n, parts.estimate, -1, estimate.bump), uppers


def debiased_tv(n: FloatArray, t: FloatArray) -> Shifted:
    """The plug-in TV less as much of the kernel as takes away its mean where the model is the target."""
    x, weight = cells.nodes(t, n)
    of = x, n[:, None], t[:, None]
    bump = (weight * tv_plugin(*of)).sum(axis=1) / (weight * cells.kernel(*of)).sum(axis=1)
    nothing = np.zeros(len(n))
    return Shifted(tv_plugin, nothing, nothing, bump * n)


def _shifted(
    checks: Sequence[_Check], n: FloatArray, function: CellFunction, side: int, bump: FloatArray | None = None
) -> Shifted:
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
    return Shifted(function, np.concatenate(heights) * n, np.concatenate(slopes), bump)
