"""Who is nearest to a target, by how much, and what it cost: one sentence a column, from the ranks' own pairs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.scoring.compare import possible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.ranks import Ranking

NAMED = 2
"""Models that a sentence names; of more it says how many."""


class Nearest(NamedTuple):
    """What the pairs of a ranking allow to be said. Models are places in the ranking's own order."""

    leaders: tuple[int, ...]
    """The best one first, then every model that cannot be told apart from it."""
    alike: bool
    """Whether no two of these are told apart."""
    beaten: int | None
    """The best model that is told apart from the best one; None where there is none."""
    all_beat: bool
    """Whether every leader is told apart from it."""
    low: float
    """By how much it is beaten, at least: over all pairs that are told of, with 95% confidence for each."""
    high: float


def verdict(found: Ranking) -> Nearest:
    """The verdict of one ranking."""
    first, *rest = (int(m) for m in found.order)
    leaders = (first, *(m for m in rest if not found.apart[first, m]))
    inside = found.apart[np.ix_(leaders, leaders)]
    beaten = next((m for m in rest if found.apart[first, m] and found.pairs.value[m, first] > 0), None)
    if beaten is None:
        return Nearest(leaders, not inside.any(), None, False, 0.0, 0.0)
    every = all(found.apart[m, beaten] and found.pairs.value[beaten, m] > 0 for m in leaders)
    told = leaders if every else (first,)
    low, high = (
        float(f(possible(limit[beaten, list(told)])))
        for f, limit in ((np.min, found.pairs.low), (np.max, found.pairs.high))
    )
    return Nearest(leaders, not inside.any(), beaten, every, low, high)


def sentence(said: Nearest, names: Sequence[str], target: str, words: Mapping[str, str]) -> str:
    """The verdict in words.

    Args:
        said: the verdict.
        names: names of the ranking's models.
        target: what they are near to.
        words: the page's words in one language.
    """
    led = [names[m] for m in said.leaders]
    first, listed = led[0], _listed(led, words)
    if len(names) == 1:
        return words["says_only"].format(a=first)
    if said.beaten is None and said.alike:
        return words["says_tied"].format(a=listed, target=target)
    kind = "says_first" if len(led) == 1 else "says_alike" if said.alike else "says_not_told"
    told = words[kind].format(
        a=first if kind != "says_alike" else listed, rest=_listed(led[1:], words), target=target
    )
    if said.beaten is None:
        return told + words["says_stop"]
    beats = {"low": f"{said.low:.2f}", "high": f"{said.high:.2f}"}
    if f"{said.low:.2f}" == "0.00":
        beats = {"low": f"{said.low:.3f}", "high": f"{said.high:.3f}"}
    how = "one" if len(led) == 1 else "leader" if not said.all_beat else "both" if len(led) == 2 else "all"
    return told + words[f"says_beats_{how}"].format(a=first, x=names[said.beaten], k=len(led), **beats)


def _listed(names: Sequence[str], words: Mapping[str, str]) -> str:
    if len(names) > NAMED + 1:
        return words["comma"].join(names[:NAMED]) + words["and_more"].format(k=len(names) - NAMED)
    *before, last = names or [""]
    return words["comma"].join(before) + (words["and"] if before else "") + last


def names_of(candidates: Sequence[Sequence[str]]) -> list[str]:
    """For each model the first of its names that no other model has under any name; else its last one."""
    often = Counter(name for names in candidates for name in set(names))
    return [next((name for name in names if name and often[name] == 1), names[-1]) for names in candidates]
