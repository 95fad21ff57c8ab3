"""The mean of a divergence over contexts, bias-corrected, with its 95% interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.scoring.divergence import plugin
from harness.scoring.interval import Limits

if TYPE_CHECKING:
    from harness.scoring.divergence import FloatArray, IntArray


def mean_limits(name: str, counts: IntArray, target: FloatArray, floor: FloatArray) -> Limits:
    """Estimate and interval of the mean of ``name`` over contexts that have draws."""
    value = plugin(name, counts, target)
    spread = 1.0 / np.sqrt(counts.sum())
    mean = value.mean()
    return Limits(
        np.maximum(mean - floor.mean(), 0), np.maximum(mean - floor.mean() - 2 * spread, 0), mean + 2 * spread
    )
