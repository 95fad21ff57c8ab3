"""Scores one table of counts against one target: each divergence with its interval and its noise floor."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.base import Divergence
from harness.metrics.catalog import of
from harness.metrics.w1 import W1
from harness.records import Number  # noqa: TC001  # read where scores.json is: these are its shapes
from harness.scoring import floor as noise
from harness.scoring.divergence import best_and_worst_tv, plugins, unsmoothed
from harness.scoring.interval import Limits, share_limits
from harness.scoring.reference import sample_limits

if TYPE_CHECKING:
    from harness.metrics.base import FloatArray, IntArray

NAN = float("nan")


def headline() -> tuple[str, ...]:
    """Divergences that take invalid draws as mass outside the target; the others are of valid draws only."""
    return tuple(key for key, metric in of(Divergence).items() if metric.invalid == "outside")


def smoothed() -> tuple[str, ...]:
    """Divergences that are read off counts with half a draw added."""
    return tuple(key for key, metric in of(Divergence).items() if metric.smoothing)


# The shapes of ``scores.json`` too: each text under a field stands in its JSON Schema.
@dataclass(frozen=True, slots=True)
class Interval:
    """A share with its 95% limits."""

    value: Number
    """The share."""
    low: Number
    """Lower limit."""
    high: Number
    """Upper limit."""


@dataclass(frozen=True, slots=True)
class Score:
    """One divergence, in one context or as the mean over contexts."""

    plugin: Number
    """Read off the counts: too large on average, by about the floor when the model is good."""
    estimate: Number
    """Corrected for that."""
    low: Number
    """Lower limit of the 95% interval."""
    high: Number
    """Upper limit of the 95% interval."""
    floor: Number
    """Mean plug-in value of a perfect model at this n."""
    floor95: Number
    """Its 95% quantile."""
    p: Number
    """How often a perfect model's plug-in value would be at least this large."""


NOTHING = Score(NAN, NAN, NAN, NAN, NAN, NAN, NAN)
"""The score of what was not drawn, or not scored."""


@dataclass(frozen=True, slots=True)
class ContextScore:
    """All scores of one context."""

    n: int
    """Draws, invalid ones included."""
    valid: Interval
    """Share of draws that gave a declared class."""
    scores: dict[str, Score]
    """TV, JS and (of ordered classes) W1 over all draws; the KLs, MAE and the papers' variants over valid draws."""
    conditional: dict[str, Score]
    """TV, JS and W1 over valid draws."""
    unsmoothed: dict[str, Number]
    """The KLs without add-1/2, over valid draws; may be infinite."""
    best_tv: Number
    """TV if the invalid draws had gone to the classes where they serve best."""
    worst_tv: Number
    """TV if they had gone where they serve worst."""
    shares: tuple[Interval, ...]
    """Share of each class among valid draws."""
    fit_p: Number
    """Goodness of fit of the valid draws to the target."""


@dataclass(frozen=True, slots=True)
class AggregateScore:
    """Means over the contexts that have draws (for conditional scores: valid draws)."""

    n: int
    """Draws in all contexts."""
    contexts: int
    """Contexts averaged over in the headline scores."""
    empty: int
    """Contexts left out because they have no draw at all."""
    without_valid: int
    """Contexts with draws but no valid one: in the headline scores, not in the conditional ones."""
    valid: Interval
    """Mean valid share; its interval treats contexts as fixed."""
    scores: dict[str, Score]
    """As in a context."""
    conditional: dict[str, Score]
    """As in a context."""
    unsmoothed: dict[str, Number]
    """As in a context."""
    best_tv: Number
    """As in a context."""
    worst_tv: Number
    """As in a context."""
    fit_p: Number
    """Goodness of fit of all contexts together."""


@dataclass(frozen=True, slots=True)
class TableScore:
    """Every score of one table of counts."""

    contexts: tuple[ContextScore, ...]
    """Of each context, in the order of ``context_ids``."""
    aggregate: AggregateScore
    """Of their mean."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Scores of several divergences on one version of the counts."""

    rows: list[dict[str, Score]]
    mean: dict[str, Score]
    fit: FloatArray
    fit_all: float


def score(
    counts: IntArray,
    invalid: IntArray,
    target: FloatArray,
    *,
    sizes: FloatArray | None = None,
    seed: int = 0,
    positions: FloatArray | None = None,
) -> TableScore:
    """Score counts against a target, context by context and in the mean.

    Args:
        counts: Draws of each declared class, contexts x classes.
        invalid: Draws per context that gave no declared class.
        target: Shares of the classes per context; each row sums to 1.
        sizes: As how many independent replies of people each row of the target counts; inf, or None for all of
            them, where its shares are exact.
        seed: Seed of the simulated noise floors; the same input and seed give the same digits, and the order of
            contexts does not matter.
        positions: Of the classes, from 0 to 1, where they have an order: then W1 is scored too.
    """
    counts, invalid, target = checked(counts, invalid, target)
    names, outside = tuple(of(Divergence)), headline()
    shown = outside if positions is None else (*outside, W1)
    sizes = np.full(len(counts), np.inf) if sizes is None else np.asarray(sizes, dtype=np.float64)
    everything, full_target = counts, target
    if invalid.any():
        everything = np.concatenate([counts, invalid[:, None]], axis=1)
        full_target = np.concatenate([target, np.zeros((len(target), 1))], axis=1)
        # At once, as what is simulated and the limits: nearly all of it is numpy, which lets other threads run.
        with ThreadPoolExecutor(1) as beside:
            pending = beside.submit(_block, outside, everything, full_target, sizes, seed, positions)
            conditional = _block(names, counts, target, sizes, seed, positions)
        over_all = pending.result()
    else:
        over_all = conditional = _block(names, counts, target, sizes, seed, positions)
    every = dict.fromkeys((*names, *shown))
    raw = {name: unsmoothed(name, counts, target) for name in smoothed()}
    best, worst = best_and_worst_tv(counts, invalid, target)
    valid_counts = np.stack([counts.sum(axis=1), invalid], axis=1)
    valid = share_limits(valid_counts)
    contexts = tuple(
        ContextScore(
            n=int(everything[i].sum()),
            valid=Interval(*(float(v[i, 0]) for v in valid)),
            scores={name: (over_all if name in shown else conditional).rows[i][name] for name in every},
            conditional={name: conditional.rows[i][name] for name in shown},
            unsmoothed={name: float(values[i]) for name, values in raw.items()},
            best_tv=float(best[i]),
            worst_tv=float(worst[i]),
            shares=share_row,
            fit_p=float(conditional.fit[i]),
        )
        for i, share_row in enumerate(_intervals(share_limits(counts)))
    )
    n, n_valid = everything.sum(axis=1), counts.sum(axis=1)
    aggregate = AggregateScore(
        n=int(n.sum()),
        contexts=int((n > 0).sum()),
        empty=int((n == 0).sum()),
        without_valid=int(((n > 0) & (n_valid == 0)).sum()),
        valid=mean_share(valid_counts),
        scores={name: (over_all if name in shown else conditional).mean[name] for name in every},
        conditional={name: conditional.mean[name] for name in shown},
        unsmoothed={name: mean_of(values) for name, values in raw.items()},
        best_tv=mean_of(best),
        worst_tv=mean_of(worst),
        fit_p=conditional.fit_all,
    )
    return TableScore(contexts, aggregate)


def _block(
    names: tuple[str, ...],
    counts: IntArray,
    target: FloatArray,
    sizes: FloatArray,
    seed: int,
    positions: FloatArray | None,
) -> _Block:
    """The divergences ``names`` of one version of the counts (with or without the invalid draws)."""
    n = counts.sum(axis=1)
    used = n > 0
    with ThreadPoolExecutor(1) as beside:
        pending = beside.submit(noise.simulate, n, target, names, sizes=sizes, seed=seed, positions=positions)
        seen = counts[used], target[used], sizes[used]
        found = sample_limits(*seen, names, positions) if used.any() else {}
    null = pending.result()
    rows: list[dict[str, Score]] = [{} for _ in n]
    mean: dict[str, Score] = {}
    for name, value in plugins(names, counts, target, positions).items():
        floor, floor95 = null.floors[name]
        table = np.full((len(n), 7), np.nan)
        p = noise.tail(value, null.values[name])
        if used.any():
            per_context, of_mean = found[name]
            table[used] = np.stack([value[used], *per_context, floor[used], floor95[used], p[used]], axis=1)
            mean[name] = _mean_score(value[used], of_mean, null.values[name][:, used])
        else:
            mean[name] = NOTHING
        for i, row in enumerate(table.tolist()):
            rows[i][name] = Score(*row)
    fit, fit_all = noise.goodness_of_fit(counts, target, null)
    return _Block(rows, mean, fit, fit_all)


def _mean_score(value: FloatArray, found: Limits, null: FloatArray) -> Score:
    mean, means = value.mean(), null.mean(axis=1)
    return Score(
        plugin=float(mean),
        estimate=float(found.estimate),
        low=float(found.low),
        high=float(found.high),
        floor=float(means.mean()),
        floor95=float(noise.upper(means)),
        p=float(noise.tail(np.asarray(mean), means)),
    )


def _intervals(limits: Limits) -> list[tuple[Interval, ...]]:
    table = np.stack(limits, axis=-1).tolist()
    return [tuple(Interval(*cell) for cell in row) for row in table]


def mean_share(counts: IntArray) -> Interval:
    """Mean over contexts of the first column's share, with a stratified Wilson-like interval.

    The effective number of draws is the one at which a single share would have the variance of the mean.
    """
    n = counts.sum(axis=1)
    counts, n = counts[n > 0], n[n > 0].astype(np.float64)
    if not len(n):
        return Interval(float("nan"), float("nan"), float("nan"))
    value = float((counts[:, 0] / n).mean())
    effective = len(n) ** 2 / (1.0 / n).sum()
    drawn = np.array([[value * effective, (1 - value) * effective]])
    limits = share_limits(drawn)
    return Interval(value, float(limits.low[0, 0]), float(limits.high[0, 0]))


def mean_of(values: FloatArray) -> float:
    """Mean of the values that exist; nan where none does."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def checked(counts: IntArray, invalid: IntArray, target: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Counts, invalid draws and target as arrays that fit together.

    Raises:
        ValueError: they do not, or a number is negative.
    """
    counts = np.asarray(counts, dtype=np.int64)
    invalid = np.asarray(invalid, dtype=np.int64)
    target = np.asarray(target, dtype=np.float64)
    if counts.ndim != 2 or target.shape != counts.shape or invalid.shape != counts.shape[:1]:
        raise ValueError(
            f"shapes differ: counts {counts.shape}, invalid {invalid.shape}, target {target.shape}"
        )
    if (counts < 0).any() or (invalid < 0).any() or (target < 0).any():
        raise ValueError("a count or a target share is negative")
    total = target.sum(axis=1, keepdims=True)
    if len(target) and np.abs(total - 1).max() > 1e-6:
        raise ValueError("a row of the target does not sum to 1")
    return counts, invalid, target / np.where(total > 0, total, 1.0)
