"""How far a model is from the target for wordings like those that were asked, and where the variance comes from.

The interval of the score table is for the wordings that were asked. Here a wording is one of many that could have been
asked. See docs/statistics.md, "Wordings".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from harness.records import Number  # noqa: TC001  # read where scores.json is: these are its shapes
from harness.scoring.compare import distances, possible
from harness.scoring.reference import tv_shift

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.metrics.base import FloatArray, IntArray

LEAST = 3
"""Wordings from which others like them are judged."""
MOST = 200
"""Wordings up to which it is said how many would settle a comparison."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the variance of a mean over contexts and wordings is made of."""

    draws: Number
    """The chance of the draws."""
    contexts: Number
    """That contexts differ."""
    wordings: Number
    """That wordings differ, in all contexts alike."""
    both: Number
    """That wordings differ otherwise in each context."""

    def told(self) -> str:
        """The parts in per cent, in words."""
        whole = self.draws + self.contexts + self.wordings + self.both
        if not whole:
            return "0"
        parts = {
            "draws": self.draws,
            "contexts": self.contexts,
            "wordings": self.wordings,
            "wordings by context": self.both,
        }
        return ", ".join(f"{part / whole:.0%} by {name}" for name, part in parts.items())


@dataclass(frozen=True, slots=True)
class OverWordings:
    """TV for wordings like those that were asked."""

    low: Number
    """Lower limit of the 95% interval."""
    high: Number
    """Upper limit."""
    each: dict[str, Number]
    """Wording -> mean TV over contexts when it alone is asked, bias-corrected."""
    sources: Sources
    """Of the mean over contexts and wordings of such TVs."""


class Crossed(NamedTuple):
    """Counts of every context and wording ``[contexts, wordings, classes and what is none]``."""

    wordings: tuple[str, ...]
    counts: IntArray


class WordingDifference(NamedTuple):
    """Mean TV of A minus that of B, each wording asked alone, for contexts and wordings like these."""

    estimate: float
    low: float
    high: float
    wordings: int
    needed: int | None
    """So many wordings would tell the two apart if the estimate is right; None where no number up to ``MOST`` does."""
    sources: Sources


def crossed(cells: Mapping[tuple[str, str], IntArray]) -> Crossed | None:
    """The wordings that have draws in every context; None where these are too few to judge others by.

    Args:
        cells: (context, prompt) -> counts.
    """
    contexts = list(dict.fromkeys(context for context, _ in cells))
    drawn = {key for key, row in cells.items() if row.sum() > 0}
    asked = tuple(p for p in dict.fromkeys(p for _, p in cells) if all((c, p) in drawn for c in contexts))
    if len(asked) < LEAST:
        return None
    return Crossed(asked, np.array([[cells[context, prompt] for prompt in asked] for context in contexts]))


def over_wordings(
    cells: Crossed, target: FloatArray, sizes: FloatArray, these: tuple[float, float]
) -> OverWordings:
    """The interval of the mean TV for wordings like these, and what its variance is made of.

    The TV is that of the mean distribution over wordings. Two numbers for each wording bound it in the mean. From below:
    the excess of the classes that the *other* wordings have in excess of the target, which a fixed set of classes can
    only have less of than the TV. From above: the TV of this wording alone, since TV is convex. Wordings are few, so
    both have a t distribution.

    Args:
        cells: counts by context and wording.
        target: shares of the same columns.
        sizes: as how many independent replies each context's target counts.
        these: the interval for the wordings that were asked; the one for wordings like these holds it.
    """
    contexts, count, _ = cells.counts.shape
    shares = cells.counts / cells.counts.sum(axis=-1, keepdims=True)
    wanted = target[:, None]
    others = (shares.sum(axis=1, keepdims=True) - shares) / (count - 1)
    under = (np.sign(others - wanted) * (shares - wanted)).sum(axis=-1).mean(axis=0) / 2
    value, variance = _each(cells, target)
    over = value.mean(axis=0)
    shift = tv_shift(shares.mean(axis=1) - target, target, sizes)
    chance = 0.0 if shift is None else float((shift**2).sum()) / contexts**2
    low, high = (
        float(side.mean() + sign * stats.t.ppf(0.975, count - 1) * np.sqrt(side.var(ddof=1) / count + chance))
        for side, sign in ((under, -1), (over, 1))
    )
    return OverWordings(
        low=min(max(low, 0.0), these[0]),
        high=max(min(high, 1.0), these[1]),
        each=dict(zip(cells.wordings, over.clip(0.0, 1.0).tolist(), strict=True)),
        sources=_sources(value, variance),
    )


def difference_over_wordings(a: Crossed, b: Crossed, target: FloatArray) -> WordingDifference:
    """The difference of two models that were asked the same wordings in the same contexts.

    Contexts and wordings are both taken as some of many (a crossed design of random effects). The degrees of freedom are
    those of Satterthwaite.
    """
    (one, noise), (two, more) = (_each(cells, target) for cells in (a, b))
    off = one - two
    sources = _sources(off, noise + more)
    count = off.shape[1]
    estimate = float(off.mean())
    half = _half(off, count)
    needed = next((w for w in range(LEAST, MOST + 1) if _half(off, w) < abs(estimate)), None)
    value, low, high = possible(np.array([estimate, estimate - half, estimate + half])).tolist()
    return WordingDifference(value, low, high, count, needed, sources)


def _each(cells: Crossed, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """TV of each context and wording, bias-corrected, and its variance by the draws."""
    contexts, count, columns = cells.counts.shape
    wanted = np.repeat(target, count, axis=0)
    found = distances(cells.counts.reshape(-1, columns), wanted)
    return found.value.reshape(contexts, count), found.variance.reshape(contexts, count)


class _Squares(NamedTuple):
    """Mean squares of a two-way table, one value a cell."""

    contexts: float
    wordings: float
    rest: float


def _squares(table: FloatArray) -> _Squares:
    contexts, count = table.shape
    mean, rows, columns = table.mean(), table.mean(axis=1), table.mean(axis=0)
    rest = table - rows[:, None] - columns + mean
    free = max(contexts - 1, 1)
    return _Squares(
        count * float(((rows - mean) ** 2).sum()) / free,
        contexts * float(((columns - mean) ** 2).sum()) / (count - 1),
        float((rest**2).sum()) / (free * (count - 1)),
    )


def _sources(table: FloatArray, noise: FloatArray) -> Sources:
    """The parts of the variance of the table's mean; what the draws explain is taken out of the others."""
    contexts, count = table.shape
    found, draws = _squares(table), float(noise.mean())
    # With one context a wording's own effect and that in this context are one.
    rest = max(found.rest, draws) if contexts > 1 else draws
    return Sources(
        draws=draws / (contexts * count),
        contexts=max(found.contexts - rest, 0.0) / (contexts * count),
        wordings=max(found.wordings - rest, 0.0) / (contexts * count),
        both=(rest - draws) / (contexts * count),
    )


def _half(off: FloatArray, wordings: int) -> float:
    """Half the width of the interval of the table's mean, had so many wordings been asked."""
    contexts, count = off.shape
    found = _squares(off)
    # Of the mean's variance times contexts x wordings: what contexts add does not fall with more wordings.
    apart = max(found.contexts - found.rest, 0.0) * wordings / count
    parts = [(apart, max(contexts - 1, 1)), (max(found.wordings, found.rest), wordings - 1)]
    total = sum(part for part, _ in parts)
    if total <= 0:
        return 0.0
    free = total**2 / sum(part**2 / df for part, df in parts)
    return float(stats.t.ppf(0.975, free) * np.sqrt(total / (contexts * wordings)))
