"""Certain bounds on divergences, when outcome shares are known except for an undecided mass.

The shares of a context are lower + u s with s >= 0 and sum s = 1, where u is the undecided mass. Every divergence with
bounds of its own is convex in the model's shares. So its greatest value is reached when all of u is on one outcome. Its
least value is at p = max(lower, c target), with c such that p sums to 1. The reason: the divergence is a sum of terms that
depend on an outcome through p / target, so it falls most where p is raised at the lowest ratio (water-filling). Both
values are reached, so no narrower bounds exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.errors import UserError
from harness.metrics.base import Divergence
from harness.metrics.catalog import divergence, of
from harness.metrics.w1 import below, cuts, w1

if TYPE_CHECKING:
    from harness.metrics.base import FloatArray

HALVINGS = 60


class Bounds(NamedTuple):
    """The least and the greatest value that the undecided mass allows."""

    low: FloatArray
    high: FloatArray


def undecided(lower: FloatArray) -> FloatArray:
    """The mass ``[...]`` that lower bounds ``[..., K]`` leave."""
    return np.asarray(np.maximum(1.0 - lower.sum(axis=-1), 0.0))


def closest(lower: FloatArray, target: FloatArray) -> FloatArray:
    """The possible shares that are closest to the target by every divergence with bounds of its own."""
    lower, target = np.broadcast_arrays(lower, target)
    low, high = np.zeros(lower.shape[:-1]), np.ones(lower.shape[:-1])
    for _ in range(HALVINGS):
        c = (low + high) / 2
        short = np.maximum(lower, c[..., None] * target).sum(axis=-1) < 1
        low, high = np.where(short, c, low), np.where(short, high, c)
    return np.asarray(np.maximum(lower, high[..., None] * target))


def bounds(name: str, lower: FloatArray, target: FloatArray) -> Bounds:
    """Bounds ``[...]`` on a divergence, per context.

    Args:
        name: a divergence with bounds of its own.
        lower: lower bounds ``[..., K]`` of the outcomes' shares; what they lack to 1 is undecided.
        target: shares ``[..., K]`` that sum to 1; 0 for outcomes that the target does not have.
    """
    metric = divergence(name)
    if metric.bounds != "own":
        known = ", ".join(key for key, other in of(Divergence).items() if other.bounds == "own")
        raise UserError("a divergence without certain bounds", found=name, expected=known)
    vertices = lower[..., None, :] + undecided(lower)[..., None, None] * np.eye(lower.shape[-1])
    high = metric.value(vertices, target[..., None, :]).max(axis=-1)
    # Where nothing is undecided both are the value itself; rounding must not turn them around.
    low = np.minimum(metric.value(closest(lower, target), target), high)
    return Bounds(low, high)


def w1_bounds(lower: FloatArray, target: FloatArray, positions: FloatArray) -> Bounds:
    """Bounds ``[...]`` on W1 of ordered classes; columns after the classes are mass without a class.

    W1 is convex, so the greatest value has all of the undecided mass on one outcome. For the least value this mass is
    spread over the classes (none need lie outside: spread like the target it costs nothing). What has been spread
    below each cut rises from cut to cut, and each cut has its own wish. The best rising sequence takes only values
    that some cut wishes, so it is found cut by cut.
    """
    vertices = lower[..., None, :] + undecided(lower)[..., None, None] * np.eye(lower.shape[-1])
    high = w1(vertices, target[..., None, :], positions).max(axis=-1)
    found, count = cuts(positions), len(positions)
    outside, spare = lower[..., count:].sum(axis=-1), undecided(lower)[..., None]
    wish = np.clip((1 - outside)[..., None] * below(target, found) - below(lower, found), 0.0, spare)
    given = np.sort(np.broadcast_to(wish, np.broadcast_shapes(wish.shape, spare.shape)), axis=-1)
    off = below(lower, found) - (1 - outside)[..., None] * below(target, found)
    cost = np.zeros(given.shape)
    for cut, gap in enumerate(found.gaps):
        cost = np.minimum.accumulate(cost, axis=-1) + gap * np.abs(off[..., cut, None] + given)
    return Bounds(np.minimum(cost.min(axis=-1) + outside, high), high)


def mean_bounds(name: str, lower: FloatArray, target: FloatArray) -> Bounds:
    """Bounds on the mean of a divergence over contexts ``[contexts, K]``: the undecided masses are free of each other."""
    low, high = bounds(name, lower, target)
    return Bounds(low.mean(axis=0), high.mean(axis=0))


def conditional(lower: FloatArray, kept: int) -> FloatArray:
    """Lower bounds on shares within the first ``kept`` outcomes, given one of them.

    What is undecided may lie outside them, which never widens the set of conditional shares: it is the slice in
    which all of it lies inside. nan where neither mass was found nor any is undecided.
    """
    inside = lower[..., :kept]
    mass = inside.sum(axis=-1) + undecided(lower)
    return np.asarray(inside / np.where(mass > 0, mass, np.nan)[..., None])
