"""Scores of the exact and choices measures: intervals are certain bounds and floors are 0, as nothing is drawn.

Against a target that is itself a sample its chance remains: a floor, and an interval around the bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.base import Divergence
from harness.metrics.catalog import divergence, of
from harness.metrics.w1 import W1, w1
from harness.scoring import floor as noise
from harness.scoring.bounds import bounds, conditional, w1_bounds
from harness.scoring.reference import sample_limits
from harness.scoring.table import (
    AggregateScore,
    ContextScore,
    Interval,
    Score,
    TableScore,
    headline,
    smoothed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.metrics.base import FloatArray

NAN = float("nan")
_ALL = 10**12
"""Draws that stand for shares known without any."""


def score_certain(
    lower: FloatArray,
    undecided: FloatArray,
    target: FloatArray,
    *,
    sizes: FloatArray | None = None,
    positions: FloatArray | None = None,
) -> TableScore:
    """Score lower bounds of outcome shares against a target.

    Args:
        lower: contexts x (classes, then the mass that is no class).
        undecided: per context, the mass not assigned to any outcome; 0 for the choices measure.
        target: shares of the classes per context.
        sizes: as how many independent replies each row of the target counts, see ``table.score``.
        positions: of classes that have an order, see ``table.score``.

    Returns:
        The same scores as of counts. The value is that of the shares with the undecided mass spread in
        proportion; n is 0, for nothing was drawn.
    """
    names, outside, raw = tuple(of(Divergence)), headline(), smoothed()
    kept = target.shape[1]
    full = np.concatenate([target, np.zeros((len(target), 1))], axis=1)
    valid = conditional(lower, kept)
    sizes = np.full(len(target), np.inf) if sizes is None else sizes
    given, given_mean = _scored(names, valid, target, sizes, positions)
    scores, mean = _scored(outside, lower, full, sizes, positions)
    over_all, names = tuple(scores), tuple(given)
    scores, mean = given | scores, given_mean | mean
    best, worst = bounds("tv", lower[:, :kept], target)
    mass = lower[:, :kept].sum(axis=1)
    inside = np.stack([mass / _total(lower), mass, mass + undecided], axis=1)
    contexts = tuple(
        ContextScore(
            n=0,
            valid=Interval(*map(float, inside[i])),
            scores={name: scores[name][i] for name in names},
            conditional={name: given[name][i] for name in over_all},
            unsmoothed={name: given[name][i].plugin for name in raw},
            best_tv=float(best[i]),
            worst_tv=float(worst[i]),
            shares=_shares(valid[i]),
            fit_p=NAN,
        )
        for i in range(len(target))
    )
    aggregate = AggregateScore(
        n=0,
        contexts=len(target),
        empty=0,
        without_valid=int((mass + undecided <= 0).sum()),
        valid=Interval(*map(float, inside.mean(axis=0))),
        scores={name: mean[name] for name in names},
        conditional={name: given_mean[name] for name in over_all},
        unsmoothed={name: given_mean[name].plugin for name in raw},
        best_tv=float(best.mean()),
        worst_tv=float(worst.mean()),
        fit_p=NAN,
    )
    return TableScore(contexts, aggregate)


def _scored(
    names: tuple[str, ...],
    lower: FloatArray,
    target: FloatArray,
    sizes: FloatArray,
    positions: FloatArray | None,
) -> tuple[dict[str, list[Score]], dict[str, Score]]:
    """The divergences ``names`` per context, and of the mean over the contexts where they exist."""
    found = {name: _bounded(name, lower, target) for name in names}
    if positions is not None:
        found[W1] = _bounded_w1(lower, target, positions)
    if np.isinf(sizes).all():
        return {n: [_score(row) for row in v] for n, v in found.items()}, {
            n: _score(_mean(v)) for n, v in found.items()
        }
    shares = lower / _total(lower)[:, None]
    used = ~np.isnan(shares[:, 0])
    null = noise.simulate(np.where(used, _ALL, 0), target, names, sizes=sizes, positions=positions)
    seen = shares[used] * _ALL, target[used], sizes[used]
    near = sample_limits(*seen, names, positions) if used.any() else {}
    rows: dict[str, list[Score]] = {}
    means: dict[str, Score] = {}
    for name, bounded in found.items():
        each = [_score(row) for row in bounded]
        for i, limits in zip(np.flatnonzero(used), zip(*near[name][0], strict=True), strict=True):
            each[i] = _sampled(bounded[i], limits, null.values[name][:, i])
        rows[name] = each
        mean = _mean(bounded)
        means[name] = (
            _sampled(mean, near[name][1], null.values[name][:, used].mean(axis=1))
            if used.any()
            else _score(mean)
        )
    return rows, means


def _sampled(bounded: FloatArray, limits: Sequence[FloatArray], null: FloatArray) -> Score:
    """Certain bounds around an interval: what is undecided, and what the sample leaves open."""
    value, least, most = map(float, bounded)
    estimate, low, high = (float(v) if np.isfinite(value) else value for v in limits)
    below, above = (value - least, most - value) if np.isfinite(value) else (0.0, 0.0)
    return Score(
        plugin=value,
        estimate=estimate,
        low=max(low - below, 0.0),
        high=high + above,
        floor=float(null.mean()),
        floor95=float(noise.upper(null)),
        p=float(noise.tail(np.asarray(value), null)),
    )


def _total(lower: FloatArray) -> FloatArray:
    total = lower.sum(axis=-1)
    return np.asarray(np.where(total > 0, total, np.nan))


def _bounded(name: str, lower: FloatArray, target: FloatArray) -> FloatArray:
    """[contexts, (value, low, high)]; limits are nan where a paper's own variant has none."""
    total = _total(lower)[..., None]
    metric = divergence(name)
    value = metric.value(lower / total, target)
    if metric.bounds == "own":
        low, high = bounds(name, np.nan_to_num(lower), target)
    elif metric.bounds == "varied":
        scale = metric.scale(target.shape[-1])
        low, high = (b * scale for b in bounds(metric.varies, np.nan_to_num(lower), target))
    else:
        decided = np.abs(total[..., 0] - 1) < 1e-9
        low = high = np.where(decided, value, np.nan)
    return np.stack([np.clip(value, low, high) if metric.bounds == "own" else value, low, high], axis=-1)


def _bounded_w1(lower: FloatArray, target: FloatArray, positions: FloatArray) -> FloatArray:
    value = w1(lower / _total(lower)[..., None], target, positions)
    low, high = w1_bounds(np.nan_to_num(lower), target, positions)
    return np.stack([np.clip(value, low, high), low, high], axis=-1)


def _mean(values: FloatArray) -> FloatArray:
    """Mean over the contexts where the value exists."""
    there = values[~np.isnan(values[:, 0])]
    return np.asarray(there.mean(axis=0)) if len(there) else np.full(3, np.nan)


def _score(row: FloatArray) -> Score:
    value, low, high = map(float, row)
    return Score(plugin=value, estimate=value, low=low, high=high, floor=0.0, floor95=0.0, p=NAN)


def _shares(lower: FloatArray) -> tuple[Interval, ...]:
    total = float(lower.sum())
    return tuple(
        Interval(float(v / total) if total else NAN, float(v), float(v + max(1 - total, 0.0))) for v in lower
    )
