"""Scores of the metrics that have no interval of their own: their values, with bootstrap intervals.

A percentile bootstrap counts the bias of a metric twice; this one subtracts it (Davison and Hinkley, 1997,
section 5.2, the basic bootstrap). How often it covers has not been measured for every metric there may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.base import Counted, OfCounts, OfTexts, OfTv
from harness.metrics.catalog import of
from harness.records import Number  # noqa: TC001  # read where scores.json is: these are its shapes
from harness.scoring.floor import redrawn

if TYPE_CHECKING:
    from harness.metrics.base import About, FloatArray, Texts
    from harness.scoring.table import Score

OF_DRAWS = "bootstrap of the draws"
OF_PROMPTS = "bootstrap of the prompts"
OF_TV = "that of the TV"
_REPETITIONS = 1000
_BUDGET = 2_000_000
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric in the mean over contexts, or over prompts."""

    value: Number
    """Of counts: corrected for the bias that the bootstrap finds."""
    low: Number
    """Lower limit of the 95% interval; none where there is no interval."""
    high: Number
    """Upper limit."""
    interval: str
    """How the interval was found, '' where there is none."""
    plugin: Number
    """Read off what was drawn."""
    floor: Number
    """Mean of a perfect model at this n, or what 95 of 100 halves of people do at least as well as; none for metrics
    of texts."""
    people: Number = _NAN
    """What one half of people scores against the other, on average; none where nothing is compared with people."""


def of_counts(table: Counted, sizes: FloatArray, about: About, seed: int = 0) -> dict[str, Measured]:
    """Metrics of counts that the score table does not have.

    Args:
        table: counts (or, where nothing was drawn, shares), invalid ones and target of each context.
        sizes: as how many independent replies each target counts; it is redrawn with the counts.
        about: what the counts are of.
        seed: of the resampling.
    """
    wanted = {k: m for k, m in of(OfCounts).items() if not m.in_table and m.applies(about)}
    n = np.asarray(table.counts.sum(axis=1) + table.invalid)
    used = n > 0
    if not wanted or not used.any():
        return {}
    seen = Counted(table.counts[used], table.invalid[used], table.target[used])
    if np.issubdtype(table.counts.dtype, np.floating):
        return {k: _certain(m, seen) for k, m in wanted.items()}
    rng = np.random.default_rng(seed)
    repetitions = int(np.clip(_BUDGET // seen.counts.size, 100, _REPETITIONS))
    asked = redrawn(seen.target, sizes[used], repetitions, rng)
    cells = np.concatenate([seen.counts, seen.invalid[:, None]], axis=1)
    size = np.broadcast_to(n[used], (repetitions, int(used.sum())))
    again = rng.multinomial(size, cells / n[used, None])
    perfect = rng.multinomial(size, seen.target)
    none = np.zeros(size.shape)
    return {
        key: _bootstrapped(
            _mean(metric.compute(seen)),
            _mean(metric.compute(Counted(again[..., :-1], again[..., -1], asked))),
            _mean(metric.compute(Counted(perfect, none, asked))),
        )
        for key, metric in wanted.items()
    }


def _certain(metric: OfCounts, seen: Counted) -> Measured:
    value = float(_mean(metric.compute(seen)))
    return Measured(value, _NAN, _NAN, "", value, _NAN)


def _bootstrapped(plugin: FloatArray, again: FloatArray, perfect: FloatArray) -> Measured:
    value = float(plugin)
    low, high = 2 * value - np.nanquantile(again, [0.975, 0.025])
    corrected = 2 * value - float(np.nanmean(again))
    return Measured(corrected, float(low), float(high), OF_DRAWS, value, float(np.nanmean(perfect)))


def _mean(values: FloatArray) -> FloatArray:
    """Mean over contexts where the value exists."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, values, 0.0).sum(axis=-1) / there.sum(axis=-1))


def of_tv(found: Score, target: FloatArray) -> dict[str, Measured]:
    """Other scales of the mean TV ``found`` over contexts with the shares ``target``."""
    ends = np.array([found.estimate, found.high, found.low, found.plugin, found.floor])
    made = {}
    for key, metric in of(OfTv).items() if len(target) else ():
        value, low, high, plugin, floor = map(float, metric.compute(ends, target))
        made[key] = Measured(value, low, high, OF_TV, plugin, floor)
    return made


def of_texts(texts: Texts, about: About, seed: int = 0) -> dict[str, Measured]:
    """Metrics of texts; those of people's replies only where there are any. What no prompt has is left out."""
    found = {}
    for key, metric in of(OfTexts).items():
        if not metric.applies(about) or (metric.needs == "replies" and not texts.references):
            continue
        value, weight = metric.compute(texts)
        value, weight = value[weight > 0], weight[weight > 0]
        if not len(value):
            continue
        plugin = float((value * weight).sum() / weight.sum())
        low = high = _NAN
        if len(value) > 1:
            chosen = np.random.default_rng(seed).integers(len(value), size=(_REPETITIONS, len(value)))
            again = (value * weight)[chosen].sum(axis=1) / weight[chosen].sum(axis=1)
            low, high = (float(v) for v in np.quantile(again, [0.025, 0.975]))
        found[key] = Measured(plugin, low, high, OF_PROMPTS if len(value) > 1 else "", plugin, _NAN)
    return found
