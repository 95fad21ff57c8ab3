"""Class shares corrected for a reader's mistakes, with their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

from harness.scoring.interval import Limits

if TYPE_CHECKING:
    from harness.metrics.base import FloatArray, IntArray

_REDRAWN = 1000
_SEED = 0


def corrected_shares(counts: IntArray, confusion: IntArray) -> Limits | None:
    """True shares behind what a reader reported, with 95% limits (Rogan and Gladen 1978, for any number of classes).

    The estimate solves ``observed = confusion' x true`` by non-negative least squares, rescaled to sum to 1. The
    limits are percentiles over redrawn counts and redrawn confusions: the labelled texts are few, so what is not
    known of the reader is usually the larger error. All contexts share the redrawn confusions.

    Args:
        counts: how often each class was reported, contexts x classes; outcomes that are no class are left out.
        confusion: labelled texts, true class x reported class.

    Returns:
        Shares and limits, contexts x classes; NaN in a context without counts. None where a class has no labelled
        text that was read as a class, or the confusion cannot be undone.
    """
    total = confusion.sum(axis=1, keepdims=True)
    if (total == 0).any():
        return None
    rates = confusion / total
    if np.linalg.matrix_rank(rates) < len(rates):
        return None
    n = counts.sum(axis=1)
    estimate = np.full(counts.shape, np.nan)
    for row, x in enumerate(counts):
        if n[row]:
            found, _ = nnls(rates.T, x / n[row])
            estimate[row] = found / found.sum()
    # Solved without a bound: shares held at 0 one by one would push the largest one down in each redraw.
    low, high = np.clip(np.quantile(_redrawn(counts, confusion), [0.025, 0.975], axis=0), 0.0, 1.0)
    return Limits(estimate, np.minimum(low, estimate), np.maximum(high, estimate))


def _redrawn(counts: IntArray, confusion: IntArray) -> FloatArray:
    """Solutions for redrawn counts and confusions ``[redraws, contexts, classes]``; some below 0 or above 1."""
    rng = np.random.default_rng(_SEED)
    classes = len(confusion)
    # A text more, spread over the cells: a mistake not seen in a few dozen texts can still happen.
    weights = rng.gamma(confusion + 1 / classes, size=(_REDRAWN, classes, classes))
    undone = np.linalg.pinv(weights / weights.sum(axis=2, keepdims=True))
    n = counts.sum(axis=1)
    smoothed = (counts + 1 / classes) / (n[:, None] + 1)
    again = rng.multinomial(n, smoothed, size=(_REDRAWN, len(counts)))
    return np.asarray(again / np.where(n > 0, n, np.nan)[:, None] @ undone)
