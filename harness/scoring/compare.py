"""The difference of two models over the same contexts, with the chance of the draws and between contexts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from harness.metrics.base import shares
from harness.metrics.tv import tv
from harness.metrics.w1 import gradient, w1
from harness.scoring.floor import fit_statistic
from harness.scoring.ordered import ordered_moments
from harness.scoring.reference import shift, tv_shift
from harness.scoring.sides import tv_moments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.metrics.base import FloatArray, IntArray

NAN = float("nan")
_UNDECIDED = float(stats.norm.ppf(0.975))
"""The mass that a run without draws left undecided counts as a 95% error."""
LEVEL = 0.05
"""Below this an adjusted p tells two models apart."""


class Distances(NamedTuple):
    """One model's TV in each context, bias-corrected, with both kinds of chance that it carries."""

    value: FloatArray
    """``[contexts]``; nan where nothing was drawn."""
    variance: FloatArray
    """By the draws."""
    shift: FloatArray | None
    """``[contexts, cells]``: by how much the chance of a sampled target moves the TV, in independent directions. It
    moves two models that err to the same side as one, two on opposite sides apart. None where targets are exact."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean TV of A minus mean TV of B over the contexts that both have draws in; negative = A is closer."""

    estimate: float
    low: float
    high: float
    p: float
    contexts: int
    by_context: tuple[tuple[float, float, float], ...]
    """Per context: bias-corrected difference with its own 95% interval; nan where a model has no draw."""


def distances(
    counts: IntArray,
    target: FloatArray,
    sizes: FloatArray | None = None,
    positions: FloatArray | None = None,
) -> Distances:
    """TV of each context from counts; of classes with ``positions`` W1.

    Args:
        counts: contexts x cells (invalid mass as a last cell).
        target: shares of the cells.
        sizes: as how many independent replies each target counts, see ``table.score``.
        positions: of the classes, the first of the cells.
    """
    used = counts.sum(axis=1) > 0
    value, variance = np.full((2, len(counts)), np.nan)
    if used.any():
        seen, wanted = counts[used], target[used]
        # Half a draw in every cell: an outcome not seen in n draws may still have a share. Observed shares lie farther
        # from the target than the model's, by what the fit would be of a perfect model (James and Stein).
        cells = np.where((seen > 0) | (wanted > 0), seen + 0.5, 0.0)
        degrees = (cells > 0).sum(axis=1) - 1
        pull = np.minimum(1.0, degrees / np.maximum(fit_statistic(seen, wanted), 1e-9))[:, None]
        likely = pull * wanted + (1 - pull) * cells / cells.sum(axis=1, keepdims=True)
        if positions is None:
            value[used], variance[used] = tv_moments(seen, wanted, likely)
        else:
            value[used], variance[used] = ordered_moments(seen, wanted, likely, positions)
    return Distances(value, variance, _shift(np.nan_to_num(shares(counts)), target, sizes, positions))


def certain_distances(
    lower: FloatArray,
    undecided: FloatArray,
    target: FloatArray,
    sizes: FloatArray | None = None,
    positions: FloatArray | None = None,
) -> Distances:
    """TV of each context from shares that were computed; the decided mass stands for the rest.

    Args:
        lower: contexts x cells, lower bounds of the shares.
        undecided: the mass of each context that is not decided.
        target: shares of the cells.
        sizes: see ``distances``.
        positions: see ``distances``.
    """
    mass = lower.sum(axis=-1, keepdims=True)
    model = lower / np.where(mass > 0, mass, 1)
    value = tv(model, target) if positions is None else w1(model, target, positions)
    return Distances(value, (undecided / _UNDECIDED) ** 2, _shift(model, target, sizes, positions))


def _shift(
    model: FloatArray, target: FloatArray, sizes: FloatArray | None, positions: FloatArray | None
) -> FloatArray | None:
    if positions is None:
        return tv_shift(model - target, target, sizes)
    return shift(gradient(model, target, positions)[1], target, sizes)


def difference(a: Distances, b: Distances) -> Difference:
    """Paired difference of the mean TV of two models over the same contexts.

    A context's difference varies by its draws and from context to context, so what the draws explain is first taken
    out of the spread between contexts; otherwise it would count twice. What is left is estimated from few contexts,
    and as uncertain as a t distribution has it (Welch and Satterthwaite for both kinds of chance together).
    """
    each, variance = a.value - b.value, a.variance + b.variance
    if a.shift is not None and b.shift is not None:
        variance = variance + ((a.shift - b.shift) ** 2).sum(axis=-1)
    used = ~np.isnan(each)
    count = int(used.sum())
    margin = _UNDECIDED * np.sqrt(variance)
    rows = tuple(map(tuple, possible(np.stack([each, each - margin, each + margin], axis=1)).tolist()))
    if not count:
        return Difference(NAN, NAN, NAN, NAN, 0, rows)
    value = float(each[used].mean())
    spread = float(((each[used] - value) ** 2).sum())
    found = judged([Mean(*np.array([value, variance[used].sum() / count**2, spread, count]))])
    estimate, low, high = possible(np.array([value, found.low, found.high])).tolist()
    return Difference(estimate, low, high, float(found.p), count, rows)


def possible(differences: FloatArray) -> FloatArray:
    """Differences of distances, and their limits, cut to -1 and 1.

    A corrected distance may be below 0, so that a mean over contexts is right on average. Means are taken before the cut.
    It is for what is shown: no two distances differ by more than 1, so an interval that is cut holds the truth as often.
    """
    return np.clip(differences, -1.0, 1.0)


class Mean(NamedTuple):
    """Mean difference over the contexts of one task; an entry for each pair that is compared."""

    value: FloatArray
    within: FloatArray
    """Its variance by the draws."""
    spread: FloatArray
    """Sum of the squares by which contexts differ from it."""
    contexts: FloatArray


class Differences(NamedTuple):
    """Differences with 95% intervals and p, unadjusted."""

    value: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray


def judged(tasks: Sequence[Mean]) -> Differences:
    """The difference in the mean over tasks that err independently."""
    value, variance, loose = np.zeros((3, *np.shape(tasks[0].value)))
    for mean in tasks:
        degrees = np.maximum(mean.contexts - 1, 1)
        between = np.maximum(mean.spread / degrees / mean.contexts - mean.within, 0.0)
        value, variance = value + mean.value, variance + mean.within + between
        loose = loose + between**2 / degrees
    value, error = value / len(tasks), np.sqrt(variance) / len(tasks)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(loose > 0, variance**2 / loose, np.inf)
        half = stats.t.ppf(0.975, freedom) * error
        p = np.where(error > 0, 2 * stats.t.sf(np.abs(value) / error, freedom), value == 0)
    return Differences(value, value - half, value + half, p)


def pairs(tasks: Sequence[Sequence[Distances]]) -> Differences:
    """Every model less every other, ``[models, models]``, as ``difference`` has it for two; nan where none is shared.

    Args:
        tasks: for each task the same models in the same order, over the same contexts.
    """
    return judged([_pairs(models) for models in tasks])


def _pairs(models: Sequence[Distances]) -> Mean:
    drawn = ~np.isnan(np.stack([m.value for m in models]))
    used = drawn.astype(np.float64)
    value = np.stack([m.value for m in models])
    # Only differences matter: near 0 the squares below lose no digits.
    value = np.where(drawn, value - np.nanmean(np.where(drawn, value, np.nan), axis=0), 0.0)
    variance = np.where(drawn, np.stack([m.variance for m in models]), 0.0)
    count = used @ used.T
    total = value @ used.T - used @ value.T
    squares = (value**2) @ used.T + used @ (value**2).T - 2 * value @ value.T
    within = variance @ used.T + used @ variance.T
    shifts = [m.shift for m in models if m.shift is not None]
    if len(shifts) == len(models):
        moved = np.where(drawn[..., None], np.stack(shifts), 0.0)
        own = (moved**2).sum(axis=-1)
        flat = moved.reshape(len(models), -1)
        within = within + own @ used.T + used @ own.T - 2 * flat @ flat.T
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / count
        spread = np.maximum(squares - count * mean**2, 0.0)
        return Mean(mean, np.maximum(within, 0.0) / count**2, spread, count)


def adjusted(p: Sequence[float] | FloatArray) -> list[float]:
    """Holm: p-values such that the chance to call any two equal ones different is 5% when those below 0.05 are called so."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    scaled = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    found = np.empty_like(values)
    found[order] = np.minimum(scaled, 1.0)
    return [float(v) for v in found]
