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

from harness.metrics.tv import tv
from harness.records import Number  # noqa: TC001  # read where scores.json is: these are its shapes
from harness.scoring.table import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    judged: int = 0
    """Labelled texts whose label is a judge model's, not a person's."""


def correction(sample: LabelledDraws, value: NDArray[np.int64]) -> Correction:
    """The mean over all draws of a number that each labelled draw has: -1, 0 or 1.

    Each stratum has a share of 1s and a share of -1s with exact limits (Clopper and Pearson). The distances of the
    limits are added as squares (Zou and Donner, 2008), with the correlation of two shares of one sample.
    """
    total, below, above = 0.0, 0.0, 0.0
    for s in np.flatnonzero(sample.weight):
        weight, own = sample.weight[s], value[sample.stratum == s]
        plus, minus = _share(own == 1), _share(own == -1)
        odds = plus.value * minus.value / max((1 - plus.value) * (1 - minus.value), 1e-12)
        related = 2 * min(np.sqrt(odds), 1.0)
        total += weight * (plus.value - minus.value)
        below += weight**2 * (plus.below**2 + minus.above**2 + related * plus.below * minus.above)
        above += weight**2 * (plus.above**2 + minus.below**2 + related * plus.above * minus.below)
    return Correction(float(total), float(np.sqrt(below)), float(np.sqrt(above)))


def _share(hit: NDArray[np.bool_]) -> Correction:
    x, m = int(hit.sum()), len(hit)
    if not m:  # nobody looked: as the reader says, or not at all
        return Correction(0.0, 0.0, 1.0)
    low = float(betaincinv(x, m - x + 1, _TAIL)) if x else 0.0
    high = float(betaincinv(x + 1, m - x, 1 - _TAIL)) if x < m else 1.0
    return Correction(x / m, x / m - low, high - x / m)


class Drawn(NamedTuple):
    """All draws, contexts x (classes, no class): as the person labelled their text, else as the reader read it."""

    counts: IntArray
    """Every context has draws."""
    unknown: IntArray
    """Those of them whose text nobody labelled, or only by the chance of the sample."""
    misread: float
    """Share of the draws, in the mean over contexts, whose text is known and was read otherwise."""


def labelled(
    sample: LabelledDraws, drawn: Drawn, target: FloatArray, read_tv: Interval, as_read: float, texts: int
) -> Labelled:
    """Scores of a run with hand labels.

    Args:
        sample: labelled draws of those that are unknown otherwise.
        drawn: all draws.
        target: shares of the classes, contexts x classes.
        read_tv: mean TV of ``drawn``, with its limits by the chance of the draws.
        as_read: estimate of the mean TV where the reader has the word.
        texts: distinct texts that were labelled.
    """
    n = drawn.counts.sum(axis=1).astype(np.float64)
    shares, unknown = drawn.counts / n[:, None], drawn.unknown / n[:, None]
    full = np.concatenate([target, np.zeros((len(target), 1))], axis=1)
    draws = len(n) ** 2 / (1 / n).sum()
    wrong = correction(sample, (sample.label != sample.read).astype(np.int64))
    by_class = tuple(
        _with_draws(
            float(shares[:, k].mean()),
            correction(sample, (sample.label == k).astype(np.int64) - (sample.read == k)),
            float(draws),
        )
        for k in range(full.shape[1])
    )
    # TV is the greatest excess that any set of outcomes has, so the excess of one set is a lower bound: of the set
    # that the reader finds above its target. It is at most the TV as read and the share of draws read otherwise.
    above = shares > full
    excess = correction(
        sample,
        above[sample.context, sample.label].astype(np.int64) - above[sample.context, sample.read],
    )
    low = read_tv.value + excess.value - float(np.hypot(read_tv.value - read_tv.low, excess.below))
    high = read_tv.value + wrong.value + float(np.hypot(read_tv.high - read_tv.value, wrong.above))
    moved = shares - unknown + unknown @ _confusion(sample, full.shape[1])
    shift = float(tv(moved, full).mean() - tv(shares, full).mean())
    by_context, room = _by_context(sample, shares, unknown, full)
    high = min(high, by_context + float(np.hypot(read_tv.high - read_tv.value, room)), 1.0)
    low = max(low, 0.0)
    value = min(max(read_tv.value + shift, low), high)
    return Labelled(
        texts=texts,
        known=float(1 - unknown.sum(axis=1).mean()),
        error=_between(
            drawn.misread + wrong.value,
            drawn.misread + wrong.value - wrong.below,
            drawn.misread + wrong.value + wrong.above,
        ),
        shares=by_class,
        tv=Interval(value, low, high),
        shift=value - as_read,
    )


def _by_context(
    sample: LabelledDraws, shares: FloatArray, unknown: FloatArray, target: FloatArray
) -> tuple[float, float]:
    """The mean TV of each context's own labels, and how far its upper limit lies above it; for bad readers.

    The labels of a context stand for its draws as long as the strata are what the reader says now.
    """
    if (sample.stratum != sample.read).any():
        return 1.0, 0.0
    outcomes = np.arange(shares.shape[1])
    middle, room = np.zeros(len(shares)), np.zeros(len(shares))
    for c, row in enumerate(shares):
        here = sample.context == c
        own = LabelledDraws(unknown[c], *(part[here] for part in sample[1:]))
        off = [correction(own, (own.label == k).astype(np.int64) - (own.read == k)) for k in outcomes]
        middle[c] = tv(row + np.array([o.value for o in off]), target[c])
        room[c] = sum(max(o.below, o.above) for o in off) / 2
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
