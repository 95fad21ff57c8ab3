"""95% intervals of class shares and of divergences, per context and of the mean over contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import betaincinv, ndtr, ndtri, rel_entr

from harness.metrics.catalog import divergence
from harness.scoring.sides import Sides, Table, cells_of, sides

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.metrics.base import FloatArray, IntArray
    from harness.scoring.sides import Cumulants

    Value = Callable[[FloatArray, FloatArray], FloatArray]

_LEVEL = 0.97
"""Aimed at, so that second-order error leaves at least 94% in every case simulated."""
_LEVEL_OF_MEAN = 0.965
"""Enough, in every case simulated, for a mean over contexts with more than ``_FEW_CLASSES``."""
_FEW_CLASSES = 3
Z_OUTSIDE = 2.5
"""A second lower limit of TV must not add much to the misses of the first: 0.6%."""
_FEW = 60
"""Up to so many draws the upper limit of a context is also held against the exact ones of its classes."""
_EXACT_TAIL = 0.02
"""Of the exact interval of one share: 96%, for its coverage at many draws is no more than it says."""
_LIKELY = float(ndtri(0.975) ** 2)
"""Twice the log of the likelihood ratio that 95% of chi-squares of one degree of freedom stay under."""


class Limits(NamedTuple):
    """A bias-corrected estimate and its 95% interval."""

    estimate: FloatArray
    low: FloatArray
    high: FloatArray


def share_limits(counts: IntArray | FloatArray) -> Limits:
    """Class shares with Jeffreys intervals: the 2.5% and 97.5% quantiles of Beta(x + 1/2, n - x + 1/2).

    The lower limit is 0 when the class was never drawn and the upper one 1 when nothing else was
    (Brown, Cai and DasGupta, 2001, section 4.3).
    """
    x = counts.astype(np.float64)
    n = x.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = x / np.where(n > 0, n, np.nan)
    low = np.where(x > 0, betaincinv(x + 0.5, n - x + 0.5, 0.025), 0.0)
    high = np.where(x < n, betaincinv(x + 0.5, n - x + 0.5, 0.975), 1.0)
    return Limits(share, np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan))


def limits(
    counts: IntArray | FloatArray, target: FloatArray, names: tuple[str, ...], tables: int | None = None
) -> dict[str, tuple[Limits, Limits]]:
    """For each divergence: limits per context ``[C]``, and of the mean over contexts.

    Every context must have draws, a whole number of them in all. The papers' variants estimate the same quantity as
    the divergence they vary (times 2/K for MAE, 1/2 for the halved KL) and have its interval. Where the contexts are
    those of ``tables`` of equal size, one after the other, the means are ``[tables]``.
    """
    table = Table(counts, target)
    found: dict[str, tuple[Limits, Limits]] = {}
    for name in names:
        base = divergence(name).varies or name
        if base not in found:
            parts = sides(base, table)
            each = context_limits(base, parts, counts, target)
            found[base] = each, limits_of_means(base, parts, each, tables)
        scale = divergence(name).scale(counts.shape[1])
        each, of_mean = found[base]
        found[name] = Limits(*(p * scale for p in each)), Limits(*(p * scale for p in of_mean))
    return {name: found[name] for name in names}


def context_limits(name: str, parts: Sides, counts: IntArray | FloatArray, target: FloatArray) -> Limits:
    """Limits per context ``[C]``."""
    found = guarded_limits(name, divergence(name).value, parts, counts, target)
    if cells_of(name).forbids:
        impossible = (np.where(target == 0, counts, 0) > 0).any(axis=1)
        return Limits(*(np.where(impossible, np.inf, part) for part in found))
    return found


def guarded_limits(
    name: str, value: Value, parts: Sides, counts: IntArray | FloatArray, target: FloatArray
) -> Limits:
    """Limits per context, held against those that a few draws need; ``value`` is what ``name`` has of shares."""
    found = _limits(name, parts, _LEVEL)
    if counts.shape[1] == 2:
        return _ordered(found.estimate, *_two_classes(name, value, counts, target))
    low = np.minimum(found.low, _nearest_likely(value, counts, target))
    high, few = found.high, np.rint(counts.sum(axis=1)) <= _FEW
    if few.any():
        high[few] = np.maximum(high[few], _one_class_off(name, value, counts[few], target[few]))
    return _ordered(found.estimate, low, high)


def limits_of_means(name: str, parts: Sides, each: Limits, tables: int | None) -> Limits:
    """Limits of the mean over all contexts, or over those of each table."""
    shape = (-1,) if tables is None else (tables, -1)
    shaped = Limits(*(part.reshape(shape) for part in each))
    if shaped.estimate.shape[-1] == 1:
        return Limits(*(part[..., 0] for part in shaped))
    return mean_limits(name, parts.reshaped(*shape), shaped)


def mean_limits(name: str, parts: Sides, each: Limits) -> Limits:
    """Limits of the mean over the last axis; infinite if a context's estimate is."""
    infinite = np.isinf(each.estimate).any(axis=-1)
    level = _LEVEL if parts.classes <= _FEW_CLASSES else _LEVEL_OF_MEAN
    return Limits(*(np.where(infinite, np.inf, part) for part in _limits(name, parts.mean(), level)))


def _limits(name: str, parts: Sides, level: float) -> Limits:
    lows, highs = [], []
    cells = cells_of(name)
    low_caution, high_caution = cells.caution
    for upper in parts.uppers:
        z = critical(parts.lower, upper, level)
        lows.append(limit(parts.lower, low_caution * z, -1))
        highs.append(limit(upper, high_caution * z, 1))
    best = np.argmin(highs, axis=0)[None]
    low = np.take_along_axis(np.array(lows), best, axis=0)[0]
    high = np.take_along_axis(np.array(highs), best, axis=0)[0]
    if cells.above_outside:
        low = np.maximum(low, limit(parts.outside, np.full(low.shape, Z_OUTSIDE), -1))
    return _ordered(parts.estimate, np.clip(low, 0.0, cells.top), np.clip(high, 0.0, cells.top))


def critical(lower: Cumulants, upper: Cumulants, level: float) -> FloatArray:
    """z with Phi(z + gap) - Phi(-z) = level, where gap separates the two sides in standard errors.

    The truth cannot be at both ends at once: two-sided critical values where the sides meet, one-sided ones
    where they are far apart (Imbens and Manski, 2004).
    """
    spread = np.sqrt(np.maximum(np.maximum(lower.variance, upper.variance), 1e-300))
    gap = np.maximum(upper.value - lower.value, 0.0) / spread
    z = np.full(gap.shape, ndtri(level))
    for _ in range(6):  # Newton's steps, which come from below since the left side is concave
        density = np.exp(-((z + gap) ** 2) / 2) + np.exp(-z * z / 2)
        z = z + (level - ndtr(z + gap) + ndtr(-z)) * np.sqrt(2 * np.pi) / density
    return z


def limit(side: Cumulants, z: FloatArray, sign: int) -> FloatArray:
    """The value at which ``side`` would lie z standard errors away, with the variance it would have there.

    To first order the variance grows by third/variance per unit of the value; the skewness of the sampling error
    takes back a third of that and the curvature of the divergence its own part (Cornish-Fisher, inverted).
    """
    growth = (2 / 3 + 1 / (3 * z * z)) * side.third / np.maximum(side.variance, 1e-300) - side.curvature
    shift = z * z * growth
    return np.asarray(side.value + (shift + sign * np.sqrt(shift**2 + 4 * z * z * side.variance)) / 2)


def _exact(x: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The exact interval of a share of which ``x`` of ``n`` draws were seen (Clopper and Pearson, 1934)."""
    with np.errstate(invalid="ignore"):
        low = np.where(x > 0, betaincinv(x, n - x + 1, _EXACT_TAIL), 0.0)
        high = np.where(x < n, betaincinv(x + 1, n - x, 1 - _EXACT_TAIL), 1.0)
    return low, high


def _two_classes(
    name: str, value: Value, counts: IntArray | FloatArray, target: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Limits of one context with two classes: the exact interval of the share, through the divergence.

    The divergence falls as the share nears the target and rises after it, so its extremes over the interval are at
    the ends and, if inside, at the target.
    """
    x = counts[:, 0].astype(np.float64)
    n = np.rint(counts.sum(axis=1))
    low, high = _exact(x, n)
    t = target[:, 0]
    cells = cells_of(name)
    if cells.least:
        # A share of 0 cannot be ruled out when a class was not drawn; the limit holds for shares above this.
        low = np.where(x > 0, low, np.minimum(cells.least * t, 0.1 / n))
        high = np.where(x < n, high, 1 - np.minimum(cells.least * (1 - t), 0.1 / n))
    if cells.forbids:
        low = np.where((t == 1) & (x == n), 1.0, low)
        high = np.where((t == 0) & (x == 0), 0.0, high)
    ends = np.stack([value(np.stack([s, 1 - s], axis=1), target) for s in (low, high)])
    inside = (low <= t) & (t <= high)
    return np.where(inside, 0.0, ends.min(axis=0)), ends.max(axis=0)


def _nearest_likely(value: Value, counts: IntArray | FloatArray, target: FloatArray) -> FloatArray:
    """The divergence at the shares on the way to the target that the likelihood ratio just allows.

    On the straight way from the observed shares (with one draw from the target added) to the target every
    divergence falls. The cumulants of a few draws say too little of how skewed a sum is; the likelihood ratio does
    not need them.
    """
    n = np.rint(counts.sum(axis=1))
    shares = (counts + target) / (n + 1)[:, None]
    near, far = np.zeros(len(n)), np.ones(len(n))
    for _ in range(24):
        middle = (near + far) / 2
        way = shares + middle[:, None] * (target - shares)
        inside = 2 * n * rel_entr(shares, way).sum(axis=1) <= _LIKELY
        near, far = np.where(inside, middle, near), np.where(inside, far, middle)
    return np.maximum(value(shares + near[:, None] * (target - shares), target), 0.0)


def _one_class_off(name: str, value: Value, counts: IntArray | FloatArray, target: FloatArray) -> FloatArray:
    """The greatest divergence when one class has its exact upper limit and the others share what is left."""
    n = np.rint(counts.sum(axis=1))
    cells = cells_of(name)
    least = cells.least * target
    above = np.maximum((counts + target) / (n + 1)[:, None] - least, 0.0)
    greatest = np.zeros(len(n))
    for k in range(counts.shape[1]):
        others = np.delete(above, k, axis=1)
        room = 1 - np.delete(least, k, axis=1).sum(axis=1)
        _, top = _exact(counts[:, k].astype(np.float64), n)
        top = np.minimum(top, room)
        if cells.forbids:
            top = np.where(target[:, k] > 0, top, 0.0)
        moved = least + above * ((room - top) / np.maximum(others.sum(axis=1), 1e-300))[:, None]
        moved[:, k] = top
        found = value(moved, target)
        greatest = np.maximum(greatest, np.where(np.isfinite(found), found, 0.0))
    return greatest


def _ordered(estimate: FloatArray, low: FloatArray, high: FloatArray) -> Limits:
    high = np.maximum(low, high)
    return Limits(np.clip(estimate, low, high), low, high)
