"""Divergences computed from counts, with or without half a draw added, and the best and worst possible TV.

A divergence's own function normalises, smooths and drops nothing: what is given is measured. Smoothing is a step of
its own (:func:`smoothed_shares`), so that a reader sees where it happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.base import over_classes, shares
from harness.metrics.catalog import divergence
from harness.metrics.w1 import W1, w1

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from harness.metrics.base import FloatArray, IntArray


def smoothed_shares(counts: IntArray | FloatArray, cells: NDArray[np.bool_] | None = None) -> FloatArray:
    """Shares after adding 1/2 to the count of each class (of each class in ``cells``, where given).

    The half count is the Jeffreys prior of a share. It keeps a KL finite when a class was not drawn in n draws,
    which is not evidence that the model never gives it. nan where nothing was counted.
    """
    drawn = np.asarray(counts, dtype=np.float64)
    result = shares(drawn + (0.5 if cells is None else np.where(cells, 0.5, 0.0)))
    return np.where(over_classes(drawn)[..., None] > 0, result, np.nan)


def plugin(name: str, counts: IntArray | FloatArray, target: FloatArray) -> FloatArray:
    """The divergence ``name`` read off counts ``[..., K]``, as it is reported.

    The two KLs are taken of smoothed shares. KL(model || target) smooths within the target's support only: a
    half count outside it would make every value infinite; a real count outside it does, and should.
    The papers' variants are taken of raw shares, as in the papers.
    """
    return plugins((name,), counts, target)[name]


def plugins(
    names: Iterable[str],
    counts: IntArray | FloatArray,
    target: FloatArray,
    positions: FloatArray | None = None,
) -> dict[str, FloatArray]:
    """``plugin`` of several divergences; of classes with ``positions`` W1 too."""
    models: dict[str, FloatArray] = {}
    found = {}
    for name in names:
        metric = divergence(name)
        if metric.smoothing not in models:
            models[metric.smoothing] = _read_off(counts, target, metric.smoothing)
        found[name] = metric.value(models[metric.smoothing], target)
    if positions is not None:
        found[W1] = w1(shares(counts), target, positions)
    return found


def _read_off(counts: IntArray | FloatArray, target: FloatArray, smoothing: str) -> FloatArray:
    """The model's shares with half a draw added where a metric wants it."""
    if smoothing == "classes":
        return smoothed_shares(counts)
    if smoothing == "support":
        return smoothed_shares(counts, target > 0)
    return shares(counts)


def unsmoothed(name: str, counts: IntArray | FloatArray, target: FloatArray) -> FloatArray:
    """The divergence ``name`` of raw shares; a KL of it may be infinite."""
    return divergence(name).value(shares(counts), target)


def best_and_worst_tv(
    counts: IntArray, invalid: IntArray, target: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The least and the greatest TV over all ways to hand the invalid draws to declared classes.

    Classes that the target wants more of can always absorb the invalid mass, so the least is the mass in excess
    of the target; TV is convex, so the greatest puts all of it on one class.
    """
    total = (counts.sum(axis=-1) + invalid).astype(np.float64)
    n = np.where(total > 0, total, np.nan)
    share = counts / n[..., None]
    excess = np.maximum(share - target, 0.0)
    gain = np.maximum(share + (invalid / n)[..., None] - target, 0.0) - excess
    least = excess.sum(axis=-1)
    return least, least + gain.max(axis=-1)
