"""A model's replies against people's: value, interval by prompt, and the floor that other people score.

Per context one draw a prompt is compared with one half of the people, so that both samples are about as large as
those of the floor: random halves of the people against each other, by conversation. Replies of one conversation
resemble each other, so other people are taken by conversations as large as those that the prompts are from. The
interval is a delete-a-group jackknife over the conversations of the prompts and of the people: a bootstrap's
duplicates would bias distances and neighbourhoods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.base import Features, OfEncoded, OfPeople
from harness.metrics.catalog import of
from harness.scoring.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.metrics.base import About, FloatArray, IntArray

Compared = OfPeople | OfEncoded
JACKKNIFE = "jackknife over conversations"
LEAST = 20
"""A context with fewer prompts, or fewer people in a half, is left out."""
_SPLITS = 100
_GROUPS = 20
_WIDEST = 3.0
"""Of a metric of one side alone: V is then twice S."""
_MOST = 400
"""Replies compared with each other at a time."""


@dataclass(frozen=True, slots=True)
class ReplySample:
    """Replies of a model or of people in one context."""

    features: Features
    talks: IntArray
    """The conversation that each reply, or its prompt, is from."""
    prompts: IntArray
    """The prompt of each reply: the draws of a prompt share it."""

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
    model: Mapping[str, ReplySample],
    people: Mapping[str, ReplySample],
    about: About,
    seed: int = 0,
    *,
    held_out: bool = False,
) -> tuple[dict[str, Measured], dict[str, dict[str, Measured]]]:
    """Every metric in the mean over contexts, and per context.

    Args:
        model: context -> replies, one row a draw.
        people: context -> replies of people.
        about: what the texts are of.
        seed: of the splits.
        held_out: the people replied to the model's prompts, and each has a vector of meaning. A model is then
            compared with people at other prompts than its own, as people are with each other.
    """
    known: Mapping[str, Compared] = of(OfEncoded) if held_out else of(OfPeople)
    metrics = {key: metric for key, metric in known.items() if metric.applies(about)}
    each: dict[str, dict[str, _Found]] = {}
    for number, context in enumerate(c for c in model if c in people):
        rng = np.random.default_rng(np.random.SeedSequence([seed, number]))
        found = _context(model[context], people[context], metrics, rng, held_out)
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


def _measured(parts: list[_Found], metric: Compared) -> Measured:
    value = float(np.mean([p.value for p in parts]))
    error = float(np.sqrt(np.sum([p.variance for p in parts])) / len(parts))
    floors = np.mean([p.floor for p in parts], axis=0)
    worst = 0.95 if metric.better == "lower" else 0.05
    known_floors = floors[np.isfinite(floors)]
    # the quantile that one more such value is past 5% of the time, however few the splits
    floor = float(np.quantile(known_floors, worst, method="weibull")) if len(known_floors) else float("nan")
    most = 1.0 if metric.values == "0 to 1" else np.inf
    floor = float(np.clip(floor, 0.0, most))
    low, high = max(value - 1.96 * error, 0.0), min(value + 1.96 * error, most)
    known = bool(np.isfinite(error))
    limits = (low, high) if known else (error, error)
    others = float(np.mean(known_floors)) if len(known_floors) else float("nan")
    return Measured(value, *limits, JACKKNIFE * known, value, floor, others)


def _context(
    model: ReplySample,
    people: ReplySample,
    metrics: Mapping[str, Compared],
    rng: np.random.Generator,
    held_out: bool,
) -> dict[str, _Found]:
    """Every metric of one context; none where there are too few prompts or people."""
    prompts = len(np.unique(model.prompts))
    splits = [_halves(people.talks, rng) for _ in range(_SPLITS)]
    size = min(prompts, _MOST, *(len(one) for one, _ in splits), *(len(two) for _, two in splits))
    if size < LEAST:
        return {}
    every = np.ones(len(model.prompts), dtype=bool)
    asked = [np.isin(model.prompts, people.prompts[two]) if held_out else every for _, two in splits]
    chosen = [np.flatnonzero(a)[_one_each(model.prompts[a], rng)][:size] for a in asked]
    floors: dict[str, list[float]] = {key: [] for key in metrics}
    apart: dict[str, list[float]] = {key: [] for key in metrics}
    for (one, two), ours in zip(splits, chosen, strict=True):
        sides = _alike(two, people.talks, model.talks[ours], rng), one[:_MOST]
        other, reference = map(people.pick, sides)
        for key, metric in metrics.items():
            floors[key].append(metric.compute(other, reference))
        if held_out:
            continue  # a divergence is of both sides alike, and falls faster with their size than V is taken to
        parts = [[people.pick(rows[half]) for half in _halves(people.talks[rows], rng)] for rows in sides]
        for key, metric in metrics.items():
            first, second = (metric.compute(*pair) for pair in zip(*parts, strict=True))
            apart[key].append(first - second)
    # one half, as for each value of the floor: a mean over halves would vary less than the floor allows
    reference, drawn = people.pick(splits[0][0][:_MOST]), model.pick(chosen[0])
    values = {key: metric.compute(drawn, reference) for key, metric in metrics.items()}
    variances = _variances(model, people, metrics, splits[0][0][:_MOST], chosen[0], rng)
    return {
        key: _Found(values[key], variances[key], _widened(np.array(floors[key]), np.array(apart[key])))
        for key in metrics
    }


def _widened(floors: FloatArray, apart: FloatArray) -> FloatArray:
    """Values of splits, spread as far from their mean as the value of others may be.

    The halves of one sample make up for each other: where one has more of something, its other half has less. So a
    metric of one side alone varies less over splits than over samples, and the splits' mean is itself by chance where it
    is. With V the variance over samples and S that over splits, the mean's is V - S, and the value of other people is
    away from it by V + (V - S). V comes from pairs of samples half as large that have nothing in common (``apart``, the
    difference of two such values), for which it is twice as large. For a difference of the sides, S is V.
    """
    known, pairs = floors[np.isfinite(floors)], apart[np.isfinite(apart)]
    spread = float(known.var()) if len(known) and len(pairs) else 0.0
    if not spread:
        return floors
    widen = np.clip(2 * float(np.mean(pairs**2)) / 4 / spread - 1, 1, _WIDEST)
    middle = known.mean()
    return np.asarray(middle + np.sqrt(widen) * (floors - middle))


def _alike(rows: IntArray, talks: IntArray, like: IntArray, rng: np.random.Generator) -> IntArray:
    """As many of the people's rows as ``like`` has, from conversations of which as many are taken as there.

    Where no conversation that is left has enough rows, the rest are any that are left.
    """
    names, of_row = np.unique(talks[rows], return_inverse=True)
    order = np.argsort(of_row, kind="stable")
    each = np.split(rows[order], np.cumsum(np.bincount(of_row, minlength=len(names)))[:-1])
    largest_first = sorted(each, key=len, reverse=True)
    pool: list[IntArray] = []
    taken: list[IntArray] = []
    next_ = 0
    for wanted in sorted(np.unique(like, return_counts=True)[1].tolist(), reverse=True):
        while next_ < len(largest_first) and len(largest_first[next_]) >= wanted:
            pool.append(largest_first[next_])
            next_ += 1
        if pool:
            at = int(rng.integers(len(pool)))
            pool[at], pool[-1] = pool[-1], pool[at]
            taken.append(pool.pop()[:wanted])
    found = np.concatenate([*taken, rows[:0]])
    rest = rows[~np.isin(rows, found)]
    return np.concatenate([found, rest[: len(like) - len(found)]])


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
    metrics: Mapping[str, Compared],
    half: IntArray,
    ours: IntArray,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Of each metric, by leaving out one group of the prompts' conversations and one of the people's in turn."""
    by_prompt, by_talk = (_in_groups(of.talks[rows], rng) for of, rows in ((model, ours), (people, half)))
    found: dict[str, list[list[float]]] = {key: [[], []] for key in metrics}
    for group in range(_GROUPS):
        pairs = (
            (model.pick(ours[by_prompt != group]), people.pick(half)),
            (model.pick(ours), people.pick(half[by_talk != group])),
        )
        for side, (drawn, reference) in enumerate(pairs):
            for key, metric in metrics.items():
                found[key][side].append(metric.compute(drawn, reference))
    factor = (_GROUPS - 1) ** 2 / _GROUPS
    return {key: float(sum(factor * np.var(side, ddof=1) for side in sides)) for key, sides in found.items()}


def _in_groups(talks: IntArray, rng: np.random.Generator) -> IntArray:
    """A random group for each conversation; of each row its conversation's."""
    names, of_row = np.unique(talks, return_inverse=True)
    return np.asarray((rng.permutation(len(names)) % _GROUPS)[of_row])


def sample(
    values: NDArray[np.float64],
    scale: FloatArray,
    lengths: IntArray,
    controlled: NDArray[np.bool_],
    talks: IntArray,
    prompts: IntArray | None = None,
) -> ReplySample:
    """Replies over people's spread of each feature; features that do not vary among people are left out.

    Without ``prompts`` each reply is to a prompt of its own.
    """
    kept = np.isfinite(scale)
    own = np.arange(len(values)) if prompts is None else prompts
    return ReplySample(Features(values[:, kept] / scale[kept], lengths, controlled[kept]), talks, own)
