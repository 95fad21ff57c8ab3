"""Class shares corrected for a reader that mistakes one class for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UserError
from harness.scoring.interval import Limits

if TYPE_CHECKING:
    from harness.metrics.base import FloatArray, IntArray

_REPETITIONS = 1000
_STEPS = 400


def corrected_shares(counts: IntArray, confusion: IntArray, *, seed: int = 0) -> Limits:
    """True shares behind what a reader reported, with 95% limits.

    The reported outcomes are a mixture of the confusion matrix's rows; the shares returned are the mixture
    weights of greatest likelihood. With as many outcomes as classes this is the estimate of Rogan and Gladen (1978)
    wherever that lies between 0 and 1, and the nearest possible one where it does not. The limits are percentiles
    over redrawn counts and redrawn confusion matrices: the few hand-labelled texts are usually the larger error.

    Args:
        counts: how often each outcome was reported; classes first, then invalid outcomes if they are told apart.
        confusion: hand-labelled texts, true class x reported outcome.
        seed: of the redrawing.

    Raises:
        UserError: a class without labelled texts, or classes that the reader cannot tell apart at all.
    """
    counts, confusion = np.asarray(counts, dtype=np.int64), np.asarray(confusion, dtype=np.int64)
    if confusion.ndim != 2 or confusion.shape[1:] != counts.shape:
        raise ValueError(f"shapes differ: counts {counts.shape}, confusion {confusion.shape}")
    total = confusion.sum(axis=1, keepdims=True)
    if (total == 0).any():
        raise UserError(
            "a class has no labelled text",
            where=f"class number {int(np.argmin(total[:, 0])) + 1} of the confusion matrix",
            expected="at least one example of each class",
        )
    rates = confusion / total
    if np.linalg.matrix_rank(rates, tol=1e-6) < len(rates):
        raise UserError(
            "the reader reports the same for different classes; no correction can tell them apart"
        )
    classes = len(confusion)
    if not counts.sum():
        nothing = np.full(classes, np.nan)
        return Limits(nothing, nothing, nothing)
    estimate = _mixture(counts[None].astype(np.float64), rates[None])[0]
    rng = np.random.default_rng(seed)
    # A fraction of a text in each cell: a mistake not seen in a few dozen texts can still happen.
    weights = rng.gamma(confusion + 1 / len(counts), size=(_REPETITIONS, *confusion.shape))
    redrawn = weights / weights.sum(axis=2, keepdims=True)
    smoothed = (counts + 1 / len(counts)) / (counts.sum() + 1)
    again = rng.multinomial(counts.sum(), smoothed, size=_REPETITIONS).astype(np.float64)
    low, high = np.quantile(_mixture(again, redrawn), [0.025, 0.975], axis=0)
    return Limits(estimate, np.minimum(low, estimate), np.maximum(high, estimate))


def _mixture(counts: FloatArray, rates: FloatArray) -> FloatArray:
    """Weights ``[B, classes]`` of greatest likelihood for counts ``[B, outcomes]``, by expectation-maximisation."""
    weights = np.full(rates.shape[:2], 1 / rates.shape[1])
    # Outcomes that no class is ever read as carry no information about the weights.
    counts = np.where(rates.sum(axis=1) > 0, counts, 0.0)
    total = np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
    for _ in range(_STEPS):
        expected = np.einsum("bc,bco->bo", weights, rates)
        ratio = counts / np.maximum(expected, 1e-300)
        weights = weights * np.einsum("bo,bco->bc", ratio, rates) / total
        weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    return weights
