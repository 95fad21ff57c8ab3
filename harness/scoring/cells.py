"""Functions of the count of one cell (one class in one context), with a mean below or above the true divergence.

A divergence with an interval of its own is a sum over cells of a function f(q, t), where q is the model's share and t
the target's. The count X of a cell is Binomial(n, q), whatever the other cells are. A function ``low(X)`` with
E low(X) <= f(q, t) for every q can be found and checked one cell at a time. Its sum over cells and contexts has a mean
that is at most the divergence, so a lower limit needs only the sampling error of that sum. ``high(X)`` is the same for
the upper limit. See docs/statistics.md, "Intervals". The functions of single divergences are in ``metrics``; here are
those that they share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from harness.metrics.tv import tv_truth

if TYPE_CHECKING:
    from harness.metrics.base import FloatArray

_NODES = 32
_KERNEL = 0.5
_CAP = 0.5
_ROOM = 5.0
"""Expected draws (or expected others) below which a side of the target counts as narrow."""


def nodes(q: FloatArray, n: FloatArray, poisson: bool = False) -> tuple[FloatArray, FloatArray]:
    """Counts that carry the mass of Binomial(n, q) (or Poisson(nq)), with their probabilities.

    All counts of a window of 6 standard errors where they are few, an even subset of them where they are many.
    """
    mean = n * q
    reach = 6 * np.sqrt(mean * (1 - (0 if poisson else q))) + 4
    first = np.maximum(np.floor(mean - reach), 0.0)
    top = np.ceil(mean + reach)
    last = top if poisson else np.minimum(top, n)
    step = np.maximum(np.ceil((last - first) / (_NODES - 1)), 1.0)
    x = first[..., None] + step[..., None] * np.arange(_NODES)
    inside = x <= last[..., None]
    x = np.where(inside, x, first[..., None])
    if poisson:
        log = xlogy(x, mean[..., None]) - mean[..., None] - gammaln(x + 1)
    else:
        m = n[..., None]
        log = gammaln(m + 1) - gammaln(x + 1) - gammaln(m - x + 1)
        log = log + xlogy(x, q[..., None]) + xlog1py(m - x, -q[..., None])
    weight = np.where(inside, np.exp(log), 0.0)
    return x, weight / weight.sum(axis=-1, keepdims=True)


_OFFSETS = np.concatenate([np.arange(0.0, 1.3, 0.25), 1.2 * 1.23 ** np.arange(1, 28)])
_RATIOS = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 1.3, 2.0, 4.0, 10.0, 30.0])


def share_grid(n: FloatArray, t: FloatArray, least: float) -> FloatArray:
    """Model shares ``[pairs, Q]`` at which the sides are checked; the target's own is in column 0."""
    n, t = n[:, None], t[:, None]
    step = np.sqrt(n * t * (1 - t) + 0.3)
    around = np.concatenate([n * t, n * t + _OFFSETS[1:] * step, n * t - _OFFSETS[1:] * step], axis=1)
    grid = np.concatenate([around, n * t * _RATIOS], axis=1) / n
    return np.clip(grid, least * t, 1.0)


def tangent(excess: FloatArray, grid: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The line a + b (q - t) above ``excess`` on the grid that is lowest at the target share (column 0).

    A range of slopes will do; in its middle neither side is favoured. But where the target has next to no room on
    one side, that side bounds the slope hardly at all, and its bound would be paid for all over the other.
    """
    t = grid[:, :1]
    gap = grid - t
    left, right = gap < -1e-15, gap > 1e-15
    lefts, rights = left.any(axis=0), right.any(axis=0)
    low, high = gap[:, lefts, None], gap[:, None, rights]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = high / (high - low)
        chord = share * excess[:, lefts, None] + (1 - share) * excess[:, None, rights]
    chord = np.where(left[:, lefts, None] & right[:, None, rights], chord, -np.inf)
    best = chord.max(axis=(1, 2), initial=-np.inf)
    height = np.maximum(best, np.where(np.abs(gap) <= 1e-15, excess, -np.inf).max(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = (excess - height[:, None]) / gap
    from_right = np.where(right, slopes, -np.inf).max(axis=1)
    from_left = np.where(left, slopes, np.inf).min(axis=1)
    below, above = (np.minimum(1.0, (n * room / _ROOM) ** 2) / 2 for room in (t[:, 0], 1 - t[:, 0]))
    share = np.where(t[:, 0] <= 0.5, below, 1 - above)
    with np.errstate(invalid="ignore"):
        middle = from_right + share * (from_left - from_right)
    slope = np.where(
        np.isfinite(from_right) & np.isfinite(from_left),
        middle,
        np.where(np.isfinite(from_right), from_right, np.where(np.isfinite(from_left), from_left, 0.0)),
    )
    return height, slope


def outside(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """The share of a cell that the target rules out."""
    return np.asarray(np.where(t > 0, 0.0, x / n))


def sd(n: FloatArray, t: FloatArray) -> FloatArray:
    """Standard error of a cell's share when the model is the target."""
    return np.asarray(np.sqrt(t * (1 - t) / n))


def kernel(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """A bump at the target share, as wide as the bias of the plug-in TV needs."""
    width2 = (sd(n, t) * _KERNEL) ** 2 + (0.35 / n) ** 2
    return np.asarray(np.exp(-((x / n - t) ** 2) / (2 * width2)))


def square(x: FloatArray, n: FloatArray, t: FloatArray, scale: float) -> FloatArray:
    """``scale`` (q - t)^2 / t without bias."""
    value = x * (x - 1) / (n * np.maximum(n - 1, 1)) - 2 * t * x / n + t * t
    return np.asarray(np.where(t > 0, scale * value / np.where(t > 0, t, 1.0), 0.0))


def parabola(x: FloatArray, n: FloatArray, t: FloatArray, scale: float) -> FloatArray:
    """|d| <= a/2 + d^2 / 2a for every a; (q - t)^2 has an unbiased estimate. Half of that, capped far out."""
    a = np.where(t * (1 - t) > 0, scale * sd(n, t), 1.0)
    square = x * (x - 1) / (n * np.maximum(n - 1, 1)) - 2 * t * x / n + t * t
    value = np.minimum((a / 2 + square / (2 * a)) / 2, tv_truth(x / n, t) + _CAP * sd(n, t) / 2)
    return np.asarray(np.where(t * (1 - t) > 0, value, tv_truth(x / n, t)))
