"""The Wasserstein-1 distance between distributions over ordered classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness.metrics.base import Cells, FloatArray, IntArray, Ordered, Words
from harness.metrics.tv import no_curvature, slopes, tv_estimate, tv_truth

W1 = "w1"


class Cuts(NamedTuple):
    """The places between neighbouring classes."""

    order: IntArray
    """The classes by position, the lowest first."""
    gaps: FloatArray
    """How far apart the neighbours are; they sum to 1."""


def cuts(positions: FloatArray) -> Cuts:
    """The cuts between classes at ``positions``, of which the two ends are 1 apart."""
    order = np.argsort(positions, kind="stable")
    return Cuts(order, np.diff(positions[order]))


def below(shares: FloatArray | IntArray, found: Cuts) -> FloatArray:
    """What lies below each cut ``[..., K - 1]``, of shares or counts ``[..., K]``; more columns are left out."""
    return np.asarray(np.cumsum(shares[..., found.order], axis=-1)[..., :-1], dtype=np.float64)


def w1(model: FloatArray, target: FloatArray, positions: FloatArray) -> FloatArray:
    """Wasserstein-1 distance, the sum over cuts of gap x abs(Q - T); 0 to 1, symmetric over classes.

    Q and T are the shares below the cut. The distance is how far an answer must move on average to turn one
    distribution into the other, the ends of the scale being 1 apart. Columns after the classes are draws without a
    class: each lies 1 away from every class, as far as one end from the other.
    """
    found, count = cuts(positions), len(positions)
    valid = model[..., :count].sum(axis=-1)
    apart = np.abs(below(model, found) - valid[..., None] * below(target, found))
    return np.asarray((found.gaps * apart).sum(axis=-1) + model[..., count:].sum(axis=-1))


def gradient(model: FloatArray, target: FloatArray, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Derivatives ``[..., K]`` by the shares of the model and of the target, on the sides that they are on."""
    found, count = cuts(positions), len(positions)
    valid, wanted = model[..., :count].sum(axis=-1)[..., None], below(target, found)
    side = found.gaps * np.sign(below(model, found) - valid * wanted)
    # A class counts at every cut above it.
    from_above = np.zeros((*side.shape[:-1], count))
    from_above[..., :-1] = np.cumsum(side[..., ::-1], axis=-1)[..., ::-1]
    of_class = np.empty_like(from_above)
    of_class[..., found.order] = from_above
    by_model, by_target = np.ones(model.shape), np.zeros(target.shape)
    by_model[..., :count] = of_class - (side * wanted).sum(axis=-1)[..., None]
    by_target[..., :count] = -valid * of_class
    return by_model, by_target


BETWEEN_CLASSES = Ordered(
    key=W1,
    title=Words("W1", "W1"),
    under=Words("of ordered classes; ends are 1 apart", "有序类别；两端相距 1"),
    about=Words(
        "Wasserstein distance of ordered classes: how far an answer must move, on average, to turn the "
        "model’s shares into the target’s. The two ends of the scale are 1 apart, so “very good” for “good” "
        "costs less than “very bad” for “good”. A draw that names no class counts as 1 away. Corrected for "
        "bias like TV.",
        "有序类别的 Wasserstein 距离：要把模型的比例变成目标的比例，一个回答平均需移动多远。量表两端相距 1，"
        "因此把“好”答成“很好”的代价小于答成“很差”。没有归入任何类别的抽样算作相距 1。与总变差一样已校正偏差。",
    ),
    better="lower",
    formula="sum over cuts of gap x abs(Q - T); the ends of the scale are 1 apart",
    values="0 to 1",
    value=w1,
    cells=Cells(
        truth=tv_truth,
        estimate=tv_estimate,
        curvature=no_curvature,
        slopes=slopes,
        local=0.0,
        caution=(1.1, 1.1),
        top=1.0,
    ),
)
