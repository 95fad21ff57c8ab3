"""Statistics of one cell (one class in one context) whose mean lies on a known side of the truth.

Every measure here is a sum over cells of a function f(q, t) of the model's share q and the target's t, and the
count X of a cell is Binomial(n, q) whatever the other cells do. So a function ``low(X)`` with
E low(X) <= f(q, t) for every q can be found and checked one cell at a time, and its sum over cells and contexts
has a mean that is at most the divergence: a lower limit needs only the sampling error of that sum. ``high(X)``
is its mirror image. docs/statistics.md has the argument; this module has the functions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import digamma, gammaln, rel_entr, xlog1py, xlogy

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.scoring.divergence import FloatArray

    CellFunction = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]

_NODES = 32
_KERNEL = 0.5
_CAP = 0.5
_ROOM = 5.0
"""Expected draws (or expected others) below which a side of the target counts as narrow."""
LEAST_SHARE = 1 / 4
"""KL(target || model) is unbounded when the model's share of a class goes to 0 unseen; limits hold for models
that give each class at least this fraction of its target share."""


def tv_truth(q: FloatArray, t: FloatArray) -> FloatArray:
    """Half of |q - t|."""
    return np.asarray(np.abs(q - t) / 2)


def js_truth(q: FloatArray, t: FloatArray) -> FloatArray:
    """The cell's part of the Jensen-Shannon divergence in bits."""
    middle = (q + t) / 2
    return np.asarray((rel_entr(q, middle) + rel_entr(t, middle)) / (2 * math.log(2)))


def kl_model_target_truth(q: FloatArray, t: FloatArray) -> FloatArray:
    """q ln(q / t); cells outside the target's support are the caller's business."""
    return np.asarray(np.where(t > 0, rel_entr(q, np.where(t > 0, t, 1.0)), 0.0))


def kl_target_model_truth(q: FloatArray, t: FloatArray) -> FloatArray:
    """t ln(t / q)."""
    return np.asarray(rel_entr(t, q))


def tv_estimate(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """The plug-in, which overstates."""
    return tv_truth(x / n, t)


def js_estimate(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """The plug-in less its second-order bias f''(q) q (1 - q) / 2n."""
    p = x / n
    with np.errstate(invalid="ignore", divide="ignore"):
        bias = np.where(t > 0, t * (1 - p) / (4 * n * math.log(2) * (p + t)), 0.0)
    seen = x / (x + 0.25)
    return np.asarray(js_truth(p, t) - bias * seen)


def kl_model_target_estimate(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """x/n (G(x) - ln n t) with Grassberger's G, whose mean is q ln(q/t) but for very small nq.

    G is made for Poisson counts; a binomial one varies less, for which x / 2n^2 makes up. Between whole counts it
    is a straight line.
    """
    whole = np.floor(x)
    g = digamma(np.floor(whole / 2) + 0.5) + math.log(2)
    if (whole != x).any():
        g = g + (x - whole) * (digamma(np.floor((whole + 1) / 2) + 0.5) + math.log(2) - g)
    value = x / n * (g - np.log(n * np.where(t > 0, t, 1.0)) + 1 / (2 * n))
    return np.asarray(np.where(t > 0, value, 0.0))


def kl_target_model_estimate(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """t ln(t n / (x + 1/2)): the half makes the logarithm of a Poisson count unbiased to second order.

    A binomial count varies less, for which t / 2n makes up.
    """
    return np.asarray(rel_entr(t, (x + 0.5) / n) + t / (2 * n))


def no_curvature(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """TV is piecewise straight."""
    return np.zeros(np.broadcast_shapes(x.shape, n.shape, t.shape))


def js_curvature(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """f''(q) times the variance of a share: twice the second-order bias."""
    p = x / n
    with np.errstate(invalid="ignore", divide="ignore"):
        value = t * (1 - p) / (2 * n * math.log(2) * (p + t))
    return np.asarray(np.where(t > 0, value, 0.0) * x / (x + 0.25))


def kl_model_target_curvature(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """f''(q) times the variance of a share."""
    return np.asarray(np.where(t > 0, (1 - x / n) / n, 0.0) * x / (x + 0.25))


def kl_target_model_curvature(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """f''(q) times the variance of a share."""
    return np.asarray(t * (1 - x / n) / (x + 0.5))


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


def parabola(x: FloatArray, n: FloatArray, t: FloatArray, scale: float, capped: bool) -> FloatArray:
    """|d| <= a/2 + d^2 / 2a for every a; (q - t)^2 has an unbiased estimate. Half of that, capped if wanted."""
    a = np.where(t * (1 - t) > 0, scale * sd(n, t), 1.0)
    square = x * (x - 1) / (n * np.maximum(n - 1, 1)) - 2 * t * x / n + t * t
    value = (a / 2 + square / (2 * a)) / 2
    if capped:
        value = np.minimum(value, tv_truth(x / n, t) + _CAP * sd(n, t) / 2)
    return np.asarray(np.where(t * (1 - t) > 0, value, tv_truth(x / n, t)))
