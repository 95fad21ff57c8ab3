"""Scales that outliers do not move, and the distance of two samples of a feature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_NORMAL = 1.349
"""Interquartile range of a normal distribution with standard deviation 1."""


def scale(values: Floats) -> Floats:
    """The spread of each column: the interquartile range over 1.349; nan where the column does not vary.

    Where more than half of a column is one value, the standard deviation without its farthest half percent on
    either side.
    """
    low, quarter, three, high = np.quantile(values, [0.005, 0.25, 0.75, 0.995], axis=0)
    found = (three - quarter) / _NORMAL
    clipped = np.clip(values, low, high).std(axis=0)
    found = np.where(found > 0, found, clipped)
    return np.where(found > 1e-12, found, np.nan)


def wasserstein(one: Floats, two: Floats) -> Floats:
    """W1 of each column between two samples of any sizes."""
    a, b = len(one), len(two)
    first, second = np.sort(one, axis=0), np.sort(two, axis=0)
    if a == b:
        return np.asarray(np.abs(first - second).mean(axis=0))
    # the quantile functions are steps at i/a and j/b; in whole numbers of 1/(a b)
    ends = np.unique(np.concatenate([np.arange(1, a + 1) * b, np.arange(1, b + 1) * a]))
    widths = np.diff(ends, prepend=0) / (a * b)
    gaps = np.abs(first[(ends - 1) // b] - second[(ends - 1) // a])
    return np.asarray(widths @ gaps)
