"""A mean over contexts of ratios of sums, such as bits over bytes, with its interval by prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.metrics.base import FloatArray

OF_PEOPLE = "linearised ratio, by prompt"


@dataclass(frozen=True, slots=True)
class Ratio:
    """A value with its 95% interval; nan limits where one prompt alone was asked."""

    value: float
    low: float
    high: float
    p: float
    """Of a value of 0."""


def ratio(parts: Sequence[tuple[FloatArray, FloatArray]]) -> Ratio:
    """The sum of one column over the sum of the other, in the mean over parts.

    Args:
        parts: per context, what is summed and its sizes, a number each for every prompt.
    """
    values, variances = [], []
    for amounts, sizes in parts:
        value, n = float(amounts.sum() / sizes.sum()), len(amounts)
        spread = ((amounts - value * sizes) ** 2).sum() / sizes.sum() ** 2  # the linearised ratio
        values.append(value)
        variances.append(spread * n / (n - 1) if n > 1 else np.nan)
    mean, error = float(np.mean(values)), float(np.sqrt(np.sum(variances)) / len(values))
    half = float(stats.norm.ppf(0.975)) * error
    p = float(2 * stats.norm.sf(abs(mean) / error)) if error else float(mean == 0)
    return Ratio(mean, mean - half, mean + half, p)
