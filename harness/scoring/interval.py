"""95% intervals of class shares and of divergences, per context."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import betaincinv

from harness.scoring.divergence import plugin

if TYPE_CHECKING:
    from harness.scoring.divergence import FloatArray, IntArray


class Limits(NamedTuple):
    """A bias-corrected estimate and its 95% interval, per context or as one number."""

    estimate: FloatArray
    low: FloatArray
    high: FloatArray


def share_limits(counts: IntArray) -> Limits:
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


def context_limits(name: str, counts: IntArray, target: FloatArray, floor: FloatArray) -> Limits:
    """Estimate and interval of the measure ``name`` in each context."""
    value = plugin(name, counts, target)
    n = np.maximum(counts.sum(axis=-1), 1)
    spread = 1.0 / np.sqrt(n)
    return Limits(np.maximum(value - floor, 0), np.maximum(value - floor - spread, 0), value + spread)
