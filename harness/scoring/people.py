"""A model's replies against people's: value, interval by prompt, and the floor that other people score.

Per context one draw a prompt is compared with one half of the people, so that both samples are about as large as
those of the floor: random halves of the people against each other, by conversation. The interval is a
delete-a-group jackknife over prompts and over conversations: a bootstrap's duplicates would bias distances and
neighbourhoods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.base import Features, OfPeople
from harness.metrics.catalog import of
from harness.scoring.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.metrics.base import About, FloatArray, IntArray

JACKKNIFE = "jackknife over prompts and conversations"
LEAST = 20
"""A context with fewer prompts, or fewer people in a half, is left out."""
_SPLITS = 100
_HALVES = 5
"""Halves of the people that a model's value is the mean of."""
_GROUPS = 20
_MOST = 400
"""Replies compared with each other at a time."""


@dataclass(frozen=True, slots=True)
class ReplySample:
    """Replies of a model or of people in one context."""

    features: Features
    groups: IntArray
    """The prompt, or the conversation, of each reply."""

    def pick(self, rows: IntArray) -> Features:
        """Some of the replies."""
        return self.features.rows(rows)


@dataclass(frozen=True, slots=True)
class _Found:
    """One metric in one context."""

    value: float
    variance: float
    floor: FloatArray
    """What other people score, once a split."""


def of_people(
    model: Mapping[str, ReplySample], people: Mapping[str, ReplySample], about: About, seed: int = 0
) -> tuple[dict[str, Measured], dict[str, dict[str, Measured]]]:
    """Every metric in the mean over contexts, and per context.

    Args:
        model: context -> replies, one row a draw.
        people: context -> replies of people.
        about: what the texts are of.
        seed: of the splits.
    """
    metrics = {key: metric for key, metric in of(OfPeople).items() if metric.applies(about)}
    each: dict[str, dict[str, _Found]] = {}
    for number, context in enumerate(c for c in model if c in people):
        rng = np.random.default_rng(np.random.SeedSequence([seed, number]))
        found = _context(model[context], people[context], metrics, rng)
        if found:
            each[context] = found
    contexts = {
        context: {key: _measured([f], metrics[key]) for key, f in found.items() if np.isfinite(f.value)}
        for context, found in each.items()
    }
    mean = {}
    for key, metric in metrics.items():
        parts = [f[key] for f in each.values() if np.isfinite(f[key].value)]
        if parts:
            mean[key] = _measured(parts, metric)
    return mean, contexts


def _measured(parts: list[_Found], metric: OfPeople) -> Measured:
    value = float(np.mean([p.value for p in parts]))
    error = float(np.sqrt(np.sum([p.variance for p in parts])) / len(parts))
    floors = np.mean([p.floor for p in parts], axis=0)
    worst = 0.95 if metric.better == "lower" else 0.05
    floor = float(np.nanquantile(floors, worst)) if np.isfinite(floors).any() else float("nan")
    low = max(value - 1.96 * error, 0.0)
    high = min(value + 1.96 * error, 1.0 if metric.values == "0 to 1" else np.inf)
    known = bool(np.isfinite(error))
    return Measured(value, low if known else error, high if known else error, JACKKNIFE * known, value, floor)


def _context(
    model: ReplySample, people: ReplySample, metrics: Mapping[str, OfPeople], rng: np.random.Generator
) -> dict[str, _Found]:
    """Every metric of one context; none where there are too few prompts or people."""
    prompts = len(np.unique(model.groups))
    splits = [_halves(people.groups, rng) for _ in range(_SPLITS)]
    size = min(prompts, _MOST, *(len(one) for one, _ in splits), *(len(two) for _, two in splits))
    if size < LEAST:
        return {}
    floors: dict[str, list[float]] = {key: [] for key in metrics}
    values: dict[str, list[float]] = {key: [] for key in metrics}
    for number, (one, two) in enumerate(splits):
        reference, other = people.pick(one[:_MOST]), people.pick(two[:size])
        drawn = model.pick(_one_each(model.groups, rng)[:size])
        for key, metric in metrics.items():
            floors[key].append(metric.compute(other, reference))
            if number < _HALVES:
                values[key].append(metric.compute(drawn, reference))
    variances = _variances(model, people, metrics, splits[0][0][:_MOST], size, rng)
    return {
        key: _Found(float(np.mean(values[key])), variances[key], np.array(floors[key])) for key in metrics
    }


def _halves(groups: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Rows of two halves of the conversations, in random order."""
    names, of_row = np.unique(groups, return_inverse=True)
    first = (rng.permutation(len(names)) < len(names) / 2)[of_row]
    order = rng.permutation(len(groups))
    return order[first[order]], order[~first[order]]


def _one_each(groups: IntArray, rng: np.random.Generator) -> IntArray:
    """A random row of each group, in random order."""
    order = rng.permutation(len(groups))
    _, first = np.unique(groups[order], return_index=True)
    return rng.permutation(order[first])


def _variances(
    model: ReplySample,
    people: ReplySample,
    metrics: Mapping[str, OfPeople],
    half: IntArray,
    size: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Of each metric, by leaving out one group of prompts and one of conversations in turn."""
    ours = _one_each(model.groups, rng)[:size]
    parts = [(rng.permutation(len(rows)) % _GROUPS) for rows in (ours, np.unique(people.groups[half]))]
    by_talk = parts[1][np.unique(people.groups[half], return_inverse=True)[1]]
    found: dict[str, list[list[float]]] = {key: [[], []] for key in metrics}
    for group in range(_GROUPS):
        pairs = (
            (model.pick(ours[parts[0] != group]), people.pick(half)),
            (model.pick(ours), people.pick(half[by_talk != group])),
        )
        for side, (drawn, reference) in enumerate(pairs):
            for key, metric in metrics.items():
                found[key][side].append(metric.compute(drawn, reference))
    factor = (_GROUPS - 1) ** 2 / _GROUPS
    return {key: float(sum(factor * np.var(side, ddof=1) for side in sides)) for key, sides in found.items()}


def sample(
    values: NDArray[np.float64],
    scale: FloatArray,
    lengths: IntArray,
    controlled: NDArray[np.bool_],
    groups: IntArray,
) -> ReplySample:
    """Replies over people's spread of each feature; features that do not vary among people are left out."""
    kept = np.isfinite(scale)
    return ReplySample(Features(values[:, kept] / scale[kept], lengths, controlled[kept]), groups)
