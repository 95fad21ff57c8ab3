"""What hand labels say of a reader: its error rate, the class shares and the TV with its errors in their intervals.

Prediction-powered estimates (Angelopoulos and others, 2023): the reader speaks of all draws, and the labelled ones tell
by how much it is off. The labelled draws are a random sample within strata, so this holds whatever the reader does.
See docs/statistics.md, "Hand labels".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import betaincinv

from harness.metrics.w1 import below, cuts
from harness.records import Number  # noqa: TC001  # read where scores.json is: these are its shapes
from harness.scoring.table import Interval

if TYPE_CHECKING:
    from harness.metrics.base import FloatArray, IntArray

_TAIL = 0.025


class LabelledDraws(NamedTuple):
    """Labelled draws; an outcome is the number of a class, or K for what is no class."""

    weight: FloatArray
    """Share of all draws that each stratum has in the mean over contexts; what is missing from 1 is known."""
    stratum: IntArray
    """Of each labelled draw."""
    context: IntArray
    """Of each labelled draw."""
    read: IntArray
    """What the reader says of it."""
    label: IntArray
    """What a person says of it."""


class Correction(NamedTuple):
    """A mean over draws, estimated from the labelled ones; how far its limits lie below and above."""

    value: float
    below: float
    above: float


@dataclass(frozen=True, slots=True)
class Labelled:
    """Scores with the reader's error in them, in the mean over contexts."""

    texts: int
    """Labelled texts."""
    known: Number
    """Share of the draws whose text was labelled because it is common: of these nothing is guessed."""
    error: Interval
    """Share of the draws that the reader reads otherwise than the person."""
    shares: tuple[Interval, ...]
    """Of each class, and last of what is no class: as the person would label all draws."""
    tv: Interval
    """TV of these shares. Its estimate takes the reader to err alike in all contexts; its limits do not."""
    shift: Number
    """By how much the labels move the estimate of the TV."""
    w1: Interval | None = None
    """The same of W1; null where the classes have no order."""
    judged: int = 0
    """Labelled texts whose label is a judge model's, not a person's."""


def correction(sample: LabelledDraws, moves: FloatArray) -> Correction:
    """The mean over all draws of what it adds to a number that a draw is not what it was read as.

    In each stratum what is added and what is taken away have limits of their own. The distances of the limits are
    added as squares (Zou and Donner, 2008), with the correlation of two shares of one sample.

    Args:
        sample: the labelled draws.
        moves: contexts x read x label: what a draw adds; 0 where it was read right.
    """
    value = moves[sample.context, sample.read, sample.label]
    total, below, above = 0.0, 0.0, 0.0
    for s in np.flatnonzero(sample.weight):
        weight, mine = sample.weight[s], sample.stratum == s
        own, could = value[mine], moves[:, np.unique(sample.read[mine]) if mine.any() else [s]]
        plus, minus = _mean(np.maximum(own, 0.0), could.max()), _mean(np.maximum(-own, 0.0), -could.min())
        more, less = (
            float((own > 0).mean()) if len(own) else 0.0,
            float((own < 0).mean()) if len(own) else 0.0,
        )
        odds = more * less / max((1 - more) * (1 - less), 1e-12)
        related = 2 * min(np.sqrt(odds), 1.0)
        total += weight * (plus.value - minus.value)
        below += weight**2 * (plus.below**2 + minus.above**2 + related * plus.below * minus.above)
        above += weight**2 * (plus.above**2 + minus.below**2 + related * plus.above * minus.below)
    return Correction(float(total), float(np.sqrt(below)), float(np.sqrt(above)))


def _mean(amounts: FloatArray, most: float) -> Correction:
    """The mean of amounts from 0 to ``most``.

    It is the sum over levels of the step up to a level times the share of amounts that reach it. Each such share has
    exact limits (Clopper and Pearson); those of one sample rise and fall together, so their distances add up.
    """
    m = len(amounts)
    if not m:  # nobody looked: as the reader says, or not at all
        return Correction(0.0, 0.0, most)
    if not amounts.any():
        return Correction(0.0, 0.0, most * float(1 - _TAIL ** (1 / m)))
    levels = np.unique(np.append(amounts, (0.0, most)))
    reach = (amounts >= levels[1:, None]).sum(axis=1)
    low = np.where(reach > 0, betaincinv(reach, m - reach + 1, _TAIL), 0.0)
    high = np.where(reach < m, betaincinv(reach + 1, m - reach, 1 - _TAIL), 1.0)
    steps, value = np.diff(levels), float(amounts.mean())
    return Correction(value, value - float(steps @ low), float(steps @ high) - value)


class Drawn(NamedTuple):
    """All draws, contexts x (classes, no class): as the person labelled their text, else as the reader read it."""

    counts: IntArray
    """Every context has draws."""
    unknown: IntArray
    """Those of them whose text nobody labelled, or only by the chance of the sample."""
    misread: float
    """Share of the draws, in the mean over contexts, whose text is known and was read otherwise."""


class AsRead(NamedTuple):
    """Mean distances of ``Drawn``, with their limits by the chance of the draws."""

    tv: Interval
    w1: Interval | None
    """Of ordered classes."""
    before: float
    """The estimate of the mean TV where the reader has the word."""


class _Distance(NamedTuple):
    """A distance that is the sum of the absolute values of linear functions of a context's shares.

    It is convex. So with the signs fixed to any others it can only be less, and a draw that is not what it was read as
    can add no more than it does part by part.
    """

    parts: FloatArray
    """Contexts x functions x outcomes: what a draw of the outcome adds to the function."""
    none: float
    """What each share without a class adds, besides."""

    def of(self, shares: FloatArray) -> FloatArray:
        """In each context, of shares ``[contexts, outcomes]``."""
        return np.asarray(np.abs(self.sides(shares)).sum(axis=1) + self.none * shares[:, -1])

    def sides(self, shares: FloatArray) -> FloatArray:
        """Contexts x functions."""
        return np.asarray(np.einsum("cpo,co->cp", self.parts, shares))

    def least(self, shares: FloatArray) -> FloatArray:
        """Contexts x read x label: what a draw adds with the signs that the functions have at ``shares``."""
        signed = np.einsum("cp,cpo->co", np.sign(self.sides(shares)), self.parts)
        return np.asarray(signed[:, None, :] - signed[:, :, None] + self._no_class())

    def most(self) -> FloatArray:
        """Contexts x read x label: the most that a draw can add."""
        gap = self.parts[:, :, None, :] - self.parts[:, :, :, None]
        return np.asarray(np.abs(gap).sum(axis=1) + self._no_class())

    def _no_class(self) -> FloatArray:
        last = np.zeros(self.parts.shape[2])
        last[-1] = self.none
        return np.asarray(last[None, :] - last[:, None])


def _tv(target: FloatArray) -> _Distance:
    contexts, classes = target.shape
    mine = np.broadcast_to(np.eye(classes, classes + 1), (contexts, classes, classes + 1))
    return _Distance((mine - target[:, :, None]) / 2, 0.5)


def _w1(target: FloatArray, positions: FloatArray) -> _Distance:
    found, classes = cuts(positions), len(positions)
    under = below(np.eye(classes), found).T
    parts = found.gaps[:, None] * (under - below(target, found)[:, :, None])
    return _Distance(np.concatenate([parts, np.zeros((*parts.shape[:2], 1))], axis=2), 1.0)


def labelled(
    sample: LabelledDraws,
    drawn: Drawn,
    target: FloatArray,
    read: AsRead,
    texts: int,
    positions: FloatArray | None = None,
) -> Labelled:
    """Scores of a run with hand labels.

    Args:
        sample: labelled draws of those that are unknown otherwise.
        drawn: all draws.
        target: shares of the classes, contexts x classes.
        read: mean distances of ``drawn``.
        texts: distinct texts that were labelled.
        positions: of ordered classes.
    """
    n = drawn.counts.sum(axis=1).astype(np.float64)
    shares, unknown = drawn.counts / n[:, None], drawn.unknown / n[:, None]
    draws = len(n) ** 2 / (1 / n).sum()
    one = np.eye(shares.shape[1])
    each = np.broadcast_to(one, (len(n), *one.shape))
    wrong = correction(sample, 1 - each)
    by_class = tuple(
        _with_draws(
            float(shares[:, k].mean()),
            correction(sample, each[:, k][:, None, :] - each[:, k][:, :, None]),
            float(draws),
        )
        for k in range(len(one))
    )
    by_tv = _limits(sample, shares, unknown, _tv(target), read.tv)
    by_w1 = None
    if positions is not None and read.w1 is not None:
        by_w1 = _limits(sample, shares, unknown, _w1(target, positions), read.w1)
    return Labelled(
        texts=texts,
        known=float(1 - unknown.sum(axis=1).mean()),
        error=_between(
            drawn.misread + wrong.value,
            drawn.misread + wrong.value - wrong.below,
            drawn.misread + wrong.value + wrong.above,
        ),
        shares=by_class,
        tv=by_tv,
        shift=by_tv.value - read.before,
        w1=by_w1,
    )


def _limits(
    sample: LabelledDraws, shares: FloatArray, unknown: FloatArray, distance: _Distance, read: Interval
) -> Interval:
    """The mean of a distance, of shares as they would be by hand.

    From below: with the signs that the reader's shares give it, the distance is linear, and the labels correct it. From
    above: the distance as read, and the most that the draws which were read otherwise can add.
    """
    under, over = (correction(sample, moves) for moves in (distance.least(shares), distance.most()))
    low = read.value + under.value - float(np.hypot(read.value - read.low, under.below))
    high = read.value + over.value + float(np.hypot(read.high - read.value, over.above))
    moved = shares - unknown + unknown @ _confusion(sample, shares.shape[1])
    shift = float(distance.of(moved).mean() - distance.of(shares).mean())
    by_context, room = _by_context(sample, shares, unknown, distance)
    high = min(high, by_context + float(np.hypot(read.high - read.value, room)), 1.0)
    low = min(max(low, 0.0), high)
    return Interval(min(max(read.value + shift, low), high), low, high)


def _by_context(
    sample: LabelledDraws, shares: FloatArray, unknown: FloatArray, distance: _Distance
) -> tuple[float, float]:
    """The mean distance by each context's own labels, and how far its upper limit lies above it; for bad readers.

    The labels of a context stand for its draws as long as the strata are what the reader says now.
    """
    if (sample.stratum != sample.read).any():
        return 1.0, 0.0
    none = np.zeros(shares.shape[1])
    none[-1] = distance.none
    middle, room = np.zeros(len(shares)), np.zeros(len(shares))
    for c, row in enumerate(shares):
        here = sample.context == c
        own = LabelledDraws(unknown[c], *(part[here] for part in sample[1:]))
        own = own._replace(context=np.zeros_like(own.context))
        off = [correction(own, (part[None, :] - part[:, None])[None]) for part in (*distance.parts[c], none)]
        side = np.append(distance.parts[c] @ row, none @ row) + np.array([o.value for o in off])
        middle[c] = np.abs(side).sum()
        room[c] = sum(max(o.below, o.above) for o in off)
    return float(middle.mean()), float(np.sqrt((room**2).sum()) / len(shares))


def _with_draws(read: float, off: Correction, draws: float) -> Interval:
    """A share as read with its correction; limits by the labels and, since draws are a sample too, by the draws."""
    value = min(max(read + off.value, 0.0), 1.0)
    x = value * draws
    low = float(betaincinv(x, draws - x + 1, _TAIL)) if x > 0 else 0.0
    high = float(betaincinv(x + 1, draws - x, 1 - _TAIL)) if x < draws else 1.0
    return _between(
        value,
        value - float(np.hypot(off.below, value - low)),
        value + float(np.hypot(off.above, high - value)),
    )


def _between(value: float, low: float, high: float) -> Interval:
    return Interval(value, max(low, 0.0), min(high, 1.0))


def _confusion(sample: LabelledDraws, outcomes: int) -> FloatArray:
    """Of the draws read as one outcome, the shares of what they are; those never labelled are taken as read right."""
    size = np.bincount(sample.stratum, minlength=outcomes)
    each = sample.weight[sample.stratum] / size[sample.stratum]
    found = np.zeros((outcomes, outcomes))
    np.add.at(found, (sample.read, sample.label), each)
    total = found.sum(axis=1, keepdims=True)
    return np.where(total > 0, found / np.where(total > 0, total, 1.0), np.eye(outcomes))
