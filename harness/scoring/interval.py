"""95% intervals of class shares and of divergences, per context and of the mean over contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import betaincinv, ndtr

from harness.scoring.cells import LEAST_SHARE
from harness.scoring.divergence import MEASURES
from harness.scoring.sides import Sides, Table, sides

if TYPE_CHECKING:
    from harness.scoring.divergence import FloatArray, IntArray
    from harness.scoring.sides import Cumulants

_LEVEL = 0.97
"""Aimed at, so that second-order error leaves at least 94% in every case simulated."""
_CAUTION = 1.1
"""Near the target the error of a lower sum is understated by up to a tenth, and most when the sum is large; and the
least of TV's seven upper limits is a little too low."""
_Z_OUTSIDE = 2.5
"""A second lower limit of TV must not add much to the misses of the first: 0.6%."""
BOUNDED = ("tv", "js")
SAME_AS = {"mae": "tv", "kl_eps1e-10": "kl_target_model", "kl_half": "kl_target_model"}


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


def scale_of(name: str, classes: int) -> float:
    """A measure's multiple of the one it varies."""
    return {"mae": 2 / classes, "kl_half": 0.5}.get(name, 1.0)


def limits(
    counts: IntArray | FloatArray, target: FloatArray, names: tuple[str, ...]
) -> dict[str, tuple[Limits, Limits]]:
    """For each measure: limits per context ``[C]``, and of the mean over contexts.

    Every context must have draws, a whole number of them in all. The papers' variants estimate the same quantity as the measure they vary
    (times 2/K for MAE, 1/2 for the halved KL) and have its interval.
    """
    table = Table(counts, target)
    found: dict[str, tuple[Limits, Limits]] = {}
    for name in names:
        base = SAME_AS.get(name, name)
        if base not in found:
            parts = sides(base, table)
            each = context_limits(base, parts, counts, target)
            of_mean = mean_limits(base, parts, each) if len(counts) > 1 else Limits(*(p[0] for p in each))
            found[base] = each, of_mean
        scale = scale_of(name, counts.shape[1])
        each, of_mean = found[base]
        found[name] = Limits(*(p * scale for p in each)), Limits(*(p * scale for p in of_mean))
    return {name: found[name] for name in names}


def context_limits(name: str, parts: Sides, counts: IntArray | FloatArray, target: FloatArray) -> Limits:
    """Limits per context ``[C]``."""
    found = _limits(name, parts)
    if counts.shape[1] == 2:
        found = _ordered(found.estimate, *_two_classes(name, counts, target))
    if name == "kl_model_target":
        impossible = (np.where(target == 0, counts, 0) > 0).any(axis=1)
        return Limits(*(np.where(impossible, np.inf, part) for part in found))
    return found


def mean_limits(name: str, parts: Sides, each: Limits) -> Limits:
    """Limits of the mean over the last axis; infinite if a context's estimate is."""
    infinite = np.isinf(each.estimate).any(axis=-1)
    return Limits(*(np.where(infinite, np.inf, part) for part in _limits(name, parts.mean())))


def _limits(name: str, parts: Sides) -> Limits:
    lows, highs = [], []
    for upper in parts.uppers:
        z = _critical(parts.lower, upper)
        lows.append(_limit(parts.lower, _CAUTION * z, -1))
        highs.append(_limit(upper, z * (_CAUTION if name == "tv" else 1.0), 1))
    best = np.argmin(highs, axis=0)[None]
    low = np.take_along_axis(np.array(lows), best, axis=0)[0]
    high = np.take_along_axis(np.array(highs), best, axis=0)[0]
    if name == "tv":
        low = np.maximum(low, _limit(parts.outside, np.full(low.shape, _Z_OUTSIDE), -1))
    top = 1.0 if name in BOUNDED else np.inf
    return _ordered(parts.estimate, np.clip(low, 0.0, top), np.clip(high, 0.0, top))


def _critical(lower: Cumulants, upper: Cumulants) -> FloatArray:
    """z with Phi(z + gap) - Phi(-z) = level, where gap separates the two sides in standard errors.

    The truth cannot be at both ends at once: two-sided critical values where the sides meet, one-sided ones
    where they are far apart (Imbens and Manski, 2004).
    """
    spread = np.sqrt(np.maximum(np.maximum(lower.variance, upper.variance), 1e-300))
    gap = np.maximum(upper.value - lower.value, 0.0) / spread
    low, high = np.full(gap.shape, 1.5), np.full(gap.shape, 2.5)
    for _ in range(30):
        middle = (low + high) / 2
        enough = ndtr(middle + gap) - ndtr(-middle) >= _LEVEL
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _limit(side: Cumulants, z: FloatArray, sign: int) -> FloatArray:
    """The value at which ``side`` would lie z standard errors away, with the variance it would have there.

    To first order the variance grows by third/variance per unit of the value; the skewness of the sampling error
    takes back a third of that and the curvature of the measure its own part (Cornish-Fisher, inverted).
    """
    growth = (2 / 3 + 1 / (3 * z * z)) * side.third / np.maximum(side.variance, 1e-300) - side.curvature
    shift = z * z * growth
    return np.asarray(side.value + (shift + sign * np.sqrt(shift**2 + 4 * z * z * side.variance)) / 2)


def _two_classes(
    name: str, counts: IntArray | FloatArray, target: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Limits of one context with two classes: the exact interval of the share, through the measure.

    The divergence falls as the share nears the target and rises after it, so its extremes over the interval of
    Clopper and Pearson are at the ends and, if inside, at the target.
    """
    x = counts[:, 0].astype(np.float64)
    n = np.rint(counts.sum(axis=1))
    with np.errstate(invalid="ignore"):
        low = np.where(x > 0, betaincinv(x, n - x + 1, 0.025), 0.0)
        high = np.where(x < n, betaincinv(x + 1, n - x, 0.975), 1.0)
    t = target[:, 0]
    if name == "kl_target_model":
        # A share of 0 cannot be ruled out when a class was not drawn; the limit holds for shares above this.
        low = np.where(x > 0, low, np.minimum(LEAST_SHARE * t, 0.1 / n))
        high = np.where(x < n, high, 1 - np.minimum(LEAST_SHARE * (1 - t), 0.1 / n))
    if name == "kl_model_target":
        low = np.where((t == 1) & (x == n), 1.0, low)
        high = np.where((t == 0) & (x == 0), 0.0, high)
    ends = np.stack([MEASURES[name](np.stack([s, 1 - s], axis=1), target) for s in (low, high)])
    inside = (low <= t) & (t <= high)
    return np.where(inside, 0.0, ends.min(axis=0)), ends.max(axis=0)


def _ordered(estimate: FloatArray, low: FloatArray, high: FloatArray) -> Limits:
    high = np.maximum(low, high)
    return Limits(np.clip(estimate, low, high), low, high)
