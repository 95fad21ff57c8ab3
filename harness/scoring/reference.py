"""Targets that are samples of people: their sampling error in floors and intervals.

A reference of m replies differs by chance from the people it was drawn from, and n draws differ from the model. Near the
target, a difference of shares has the variance t(1 - t)(1/n + 1/m). That is the variance of nm/(n + m) draws against an
exact target, so the limits of that many draws are used. Farther from the target the variance of the reference (by the
delta method) is larger than this assumes. The limits are widened by the difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.catalog import divergence
from harness.metrics.w1 import W1, gradient
from harness.scoring.divergence import smoothed_shares
from harness.scoring.interval import Limits, limits
from harness.scoring.ordered import ordered_limits
from harness.scoring.sides import cells_of

if TYPE_CHECKING:
    from harness.metrics.base import FloatArray, IntArray

_Z = 2.0


def sample_limits(
    counts: IntArray | FloatArray,
    target: FloatArray,
    sizes: FloatArray,
    names: tuple[str, ...],
    positions: FloatArray | None = None,
    tables: int | None = None,
) -> dict[str, tuple[Limits, Limits]]:
    """As ``limits``, for targets ``[C, K]`` that are samples of ``sizes[C]`` independent replies (inf: exact).

    Of classes with ``positions`` also W1.
    """
    if not np.isfinite(sizes).any():
        return _exact_limits(counts, target, names, positions, tables)
    n = counts.sum(axis=1)
    both = np.where(np.isfinite(sizes), np.maximum(np.floor(n / (1 + n / sizes)), 1.0), n)
    # Whole numbers of draws: the sides look at the counts that so many can give.
    found = _exact_limits(counts * both[:, None] / n[:, None], target, names, positions, tables)
    shares = smoothed_shares(counts, (counts > 0) | (target > 0))
    result = {}
    shape = (-1,) if tables is None else (tables, -1)
    for name, (each, mean) in found.items():
        if name == W1 and positions is not None:
            base, scale, slopes = name, 1.0, gradient(shares, target, positions)
        else:
            base = divergence(name).varies or name
            scale, slopes = divergence(name).scale(counts.shape[1]), cells_of(base).slopes(shares, target)
        missing = scale**2 * _missing_variance(slopes, shares, target) / sizes
        top = scale * cells_of(base).top
        own = missing.reshape(shape)
        result[name] = (
            _widened(each, missing, top),
            _widened(mean, own.mean(axis=-1) / own.shape[-1], top),
        )
    return result


def _exact_limits(
    counts: IntArray | FloatArray,
    target: FloatArray,
    names: tuple[str, ...],
    positions: FloatArray | None,
    tables: int | None,
) -> dict[str, tuple[Limits, Limits]]:
    found = limits(counts, target, names, tables)
    return found if positions is None else found | {W1: ordered_limits(counts, target, positions, tables)}


def tv_shift(off: FloatArray, target: FloatArray, sizes: FloatArray | None) -> FloatArray | None:
    """By how much the chance of a sampled target moves the TV ``[..., cells]``, in independent directions.

    The scalar product of two models' shifts is the covariance of their TVs: what a target's sampling moves, it moves
    for both. None where every target is exact.

    Args:
        off: the model's share of each cell less the target's.
        target: shares of the cells.
        sizes: as how many independent replies each target counts; inf, or None for all, where it is exact.
    """
    return shift(np.sign(off) / 2, target, sizes)


def shift(slope: FloatArray, target: FloatArray, sizes: FloatArray | None) -> FloatArray | None:
    """The same of any distance with the derivatives ``slope`` by the target's shares."""
    if sizes is None or np.isinf(sizes).all():
        return None
    return np.asarray(
        (slope - (slope * target).sum(axis=-1, keepdims=True)) * np.sqrt(target / sizes[..., None])
    )


def _widened(found: Limits, missing: FloatArray, top: float) -> Limits:
    """Limits with a variance added by the squares of their distances from the estimate; none is taken away."""
    extra = _Z**2 * np.maximum(missing, 0.0)
    with np.errstate(invalid="ignore"):
        below, above = (np.sqrt((found.estimate - end) ** 2 + extra) for end in found[1:])
        low, high = found.estimate - below, found.estimate + above
    known = np.isfinite(found.estimate)
    return Limits(
        found.estimate,
        np.where(known, np.maximum(low, 0.0), found.low),
        np.where(known, np.minimum(high, top), found.high),
    )


def _missing_variance(
    slopes: tuple[FloatArray, FloatArray], model: FloatArray, target: FloatArray
) -> FloatArray:
    """m times: the variance that the reference gives the divergence, less the one of m more draws of the model."""
    by_model, by_target = slopes
    return _variance(by_target, target) - _variance(by_model, model)


def _variance(values: FloatArray, shares: FloatArray) -> FloatArray:
    values = np.where(shares > 0, values, 0.0)
    return np.asarray((shares * values**2).sum(axis=-1) - (shares * values).sum(axis=-1) ** 2)
