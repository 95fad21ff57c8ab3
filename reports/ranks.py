"""Ranks with their uncertainty: ranges of ranks and bands of ties, from paired comparisons.

Each pair of models is compared over the same contexts by the difference of their bias-corrected TVs. Its error
is the larger of two: what the draws of each context leave open, and how much the difference varies from context
to context (with Student's t, for few contexts). Holm's procedure over all pairs keeps the chance that *any* two
equal models are told apart at 5%, so all ranges of a column hold together with 95% confidence
(Holm, 1979; Mogstad, Romano, Shaikh and Wilhelm, 2024, for ranges of ranks from such pairs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special, stats

from harness.scoring.reference import tv_shift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVEL = 0.05


class Corrected(NamedTuple):
    """TV of each context, corrected, and the standard error that the draws leave."""

    value: Floats
    error: Floats
    shift: Floats | None = None
    """``[..., contexts, cells]``: by how much the chance of a sampled target moves the TV, in independent
    directions. It moves all models at once: two that err to the same side as one, two on opposite sides apart."""


class Ranking(NamedTuple):
    """For each model: the least and greatest rank not contradicted, and its band of ties (0 is the best)."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    band: NDArray[np.int64]


def stacked(each: Sequence[Corrected]) -> Corrected:
    """Models side by side."""
    shifts = [c.shift for c in each if c.shift is not None]
    return Corrected(
        np.stack([c.value for c in each]),
        np.stack([c.error for c in each]),
        np.stack(shifts) if len(shifts) == len(each) else None,
    )


def corrected_tv(counts: NDArray[np.int64], shares: Floats, sizes: Floats | None = None) -> Corrected:
    """TV per context of counts ``[..., classes + invalid]`` from target shares ``[..., classes]``.

    The target may be a sample of ``sizes[...]`` independent replies (inf: exact).

    What is no class lies outside the target, as one outcome of target share 0. An absolute difference of a
    noisy share is too large by what a normal variable of the same mean and spread would be folded by; that is
    subtracted. The error is the delta method's, on shares with one half added to every count, so that a class
    never drawn is not taken for one that cannot be.
    """
    k = shares.shape[-1]
    grouped = np.concatenate([counts[..., :k], counts[..., k:].sum(axis=-1, keepdims=True)], axis=-1)
    wanted = np.concatenate([shares, np.zeros((*shares.shape[:-1], 1))], axis=-1)
    n = np.maximum(grouped.sum(axis=-1, keepdims=True), 1)
    off = grouped / n - wanted
    soft = (grouped + 0.5) / (n + 0.5 * grouped.shape[-1])
    sampled = wanted / (np.inf if sizes is None else sizes[..., None])
    spread = np.sqrt(soft * (1 - soft) / n + sampled * (1 - wanted))
    ratio = off / spread
    folded = spread * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + off * special.erf(ratio / np.sqrt(2))
    value = (2 * np.abs(off) - folded).sum(axis=-1) / 2
    side = np.sign(off) / 2
    error = np.sqrt(((side**2 * soft).sum(axis=-1) - (side * soft).sum(axis=-1) ** 2) / n[..., 0])
    return Corrected(value, error, tv_shift(off, wanted, sizes))


def certain_tv(rows: Floats, shares: Floats, sizes: Floats | None = None) -> Corrected:
    """TV per context of shares that were computed: rows of outcomes, then the mass left undecided.

    The decided mass stands for the rest; what the rest could change counts as a 95% error.
    """
    k = shares.shape[-1]
    mass = rows[..., :-1].sum(axis=-1, keepdims=True)
    decided = rows[..., :-1] / np.where(mass > 0, mass, 1)
    wanted = np.concatenate([shares, np.zeros((*shares.shape[:-1], decided.shape[-1] - k))], axis=-1)
    off = decided - wanted
    return Corrected(np.abs(off).sum(axis=-1) / 2, rows[..., -1] / 1.96, tv_shift(off, wanted, sizes))


def joint(low: Floats, value: Floats, high: Floats) -> tuple[float, float, float]:
    """Mean of several measures that err independently, and its 95% interval: value, low, high.

    Errors add up by their squares. A limit at 0 says nothing of how far below its value the truth may lie, and an
    estimate that cannot fall below 0 is too high on average near it: the distance upwards stands for it then.
    """
    below = np.where(low > 0, value - low, np.maximum(value - low, high - value))
    down, up = (float(np.sqrt((d**2).sum())) / len(value) for d in (below, high - value))
    mean = float(value.mean())
    return mean, max(mean - down, 0.0), mean + up


def rank(columns: Sequence[Corrected], order_by: Floats) -> Ranking:
    """Rank models ``[models, contexts]`` over one column, or by the mean over several.

    Args:
        columns: corrected TVs of each column, models x contexts.
        order_by: one number per model that orders them inside a band: the one that is shown.
    """
    models = len(order_by)
    difference = np.zeros((models, models))
    variance = np.zeros((models, models))
    freedom = np.zeros((models, models))
    for value, error, shift in columns:
        contexts = value.shape[1]
        difference += value.mean(axis=1)[:, None] - value.mean(axis=1)[None, :]
        drawn = ((error**2).sum(axis=1)[:, None] + (error**2).sum(axis=1)[None, :]) / contexts**2
        if shift is not None:
            moved = shift.reshape(models, -1)
            drawn += ((moved[:, None] - moved[None, :]) ** 2).sum(axis=-1) / contexts**2
        centred = value - value.mean(axis=1, keepdims=True)
        product = centred @ centred.T
        squares = np.diag(product)
        between = np.maximum(squares[:, None] + squares[None, :] - 2 * product, 0)
        between /= max(contexts - 1, 1) * contexts
        variance += np.maximum(drawn, between)
        freedom += np.where(between > drawn, contexts - 1, 1e6)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(difference == 0, 0.0, difference / np.sqrt(variance))
    p = 2 * stats.t.sf(np.abs(t), np.maximum(freedom, 1))
    apart = _holm(np.asarray(p))
    worse = (apart & (difference > 0)).sum(axis=1)
    better = (apart & (difference < 0)).sum(axis=1)
    return Ranking(1 + worse, models - better, _bands(apart, order_by))


def _holm(p: Floats) -> NDArray[np.bool_]:
    """Pairs that are told apart, all together at ``LEVEL``."""
    upper = np.triu_indices(len(p), 1)
    values = p[upper]
    order = np.argsort(values, kind="stable")
    limits = LEVEL / (len(values) - np.arange(len(values)))
    failed = np.flatnonzero(values[order] > limits)
    rejected = order[: failed[0] if len(failed) else len(values)]
    apart = np.zeros(p.shape, dtype=np.bool_)
    apart[upper[0][rejected], upper[1][rejected]] = True
    return apart | apart.T


def _bands(apart: NDArray[np.bool_], order_by: Floats) -> NDArray[np.int64]:
    """A band is its best model and all after it, up to the first that is told apart from the best."""
    band = np.zeros(len(order_by), dtype=np.int64)
    order = np.argsort(order_by, kind="stable")
    leader = order[0] if len(order) else 0
    current = 0
    for model in order:
        if apart[leader, model]:
            leader, current = model, current + 1
        band[model] = current
    return band
