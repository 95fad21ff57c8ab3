"""Scores of the exact and choices measures: nothing was drawn, so intervals are certain bounds and floors are 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.scoring.bounds import CERTAIN, bounds, conditional
from harness.scoring.divergence import MEASURES
from harness.scoring.table import HEADLINE, AggregateScore, ContextScore, Interval, Score, TableScore

if TYPE_CHECKING:
    from harness.scoring.divergence import FloatArray

_KL = ("kl_target_model", "kl_model_target")
NAN = float("nan")


def score_certain(lower: FloatArray, undecided: FloatArray, target: FloatArray) -> TableScore:
    """Score lower bounds of outcome shares against a target.

    Args:
        lower: contexts x (classes, then the mass that is no class).
        undecided: per context, the mass not assigned to any outcome; 0 for the choices measure.
        target: shares of the classes per context.

    Returns:
        The same scores as of counts. The value is that of the shares with the undecided mass spread in
        proportion; n is 0, for nothing was drawn.
    """
    kept = target.shape[1]
    full = np.concatenate([target, np.zeros((len(target), 1))], axis=1)
    valid = conditional(lower, kept)
    scores, given = {}, {}
    for name in MEASURES:
        given[name] = _bounded(name, valid, target)
        scores[name] = _bounded(name, lower, full) if name in HEADLINE else given[name]
    best, worst = bounds("tv", lower[:, :kept], target)
    mass = lower[:, :kept].sum(axis=1)
    inside = np.stack([mass / _total(lower), mass, mass + undecided], axis=1)
    contexts = tuple(
        ContextScore(
            n=0,
            valid=Interval(*map(float, inside[i])),
            scores={name: _score(scores[name][i]) for name in MEASURES},
            conditional={name: _score(given[name][i]) for name in HEADLINE},
            unsmoothed={name: float(given[name][i, 0]) for name in _KL},
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
        scores={name: _score(_mean(scores[name])) for name in MEASURES},
        conditional={name: _score(_mean(given[name])) for name in HEADLINE},
        unsmoothed={name: float(_mean(given[name])[0]) for name in _KL},
        best_tv=float(best.mean()),
        worst_tv=float(worst.mean()),
        fit_p=NAN,
    )
    return TableScore(contexts, aggregate)


def _total(lower: FloatArray) -> FloatArray:
    total = lower.sum(axis=-1)
    return np.asarray(np.where(total > 0, total, np.nan))


def _bounded(name: str, lower: FloatArray, target: FloatArray) -> FloatArray:
    """[contexts, (value, low, high)]; limits are nan where a paper's own variant has none."""
    total = _total(lower)[..., None]
    value = MEASURES[name](lower / total, target)
    if name in CERTAIN:
        low, high = bounds(name, np.nan_to_num(lower), target)
    elif name == "kl_half":
        low, high = (b / 2 for b in bounds("kl_target_model", np.nan_to_num(lower), target))
    else:
        decided = np.abs(total[..., 0] - 1) < 1e-9
        low = high = np.where(decided, value, np.nan)
    return np.stack([np.clip(value, low, high) if name in CERTAIN else value, low, high], axis=-1)


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
