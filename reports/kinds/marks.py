"""What the figures share: colours and marks that tell models apart, names, and shares with their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.plaintext import line
from harness.scoring.interval import Limits, share_limits
from reports.standing import who

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.load import Entry

COLOURS = ("#1a56b0", "#c0641f", "#3a7d4f", "#7d5ba6", "#b0475f", "#6d7630", "#2f7d84", "#7b6149")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#888888"


class Mark(NamedTuple):
    """How one model is drawn."""

    colour: str
    marker: str


def mark(i: int) -> Mark:
    """The i-th of 56: 8 colours and 7 markers, neighbours differ in both."""
    return Mark(COLOURS[i % len(COLOURS)], MARKS[i % len(MARKS)])


def label(entry: Entry, beside: Sequence[Entry] = ()) -> str:
    """A model's name; in brackets the method that made it, and what else tells it from the others in the figure."""
    person, measure = who(entry), entry.run.identity.measure
    method = "/".join(filter(None, (person.method, person.arm)))
    told = [method] * (method not in ("", "known")) + [measure] * (measure != "draws")
    told += [entry.target.name] * (len({e.target.name for e in beside}) > 1)
    return line(person.model, 60) + (f" ({line(', '.join(told), 60)})" if told else "")


def shares_of(entry: Entry) -> Limits:
    """Shares of each class, and last of no class, with 95% limits; of computed shares, their certain bounds."""
    k = len(entry.classes)
    rows = entry.rows if not entry.certain else entry.rows[:, :-1]
    grouped = np.concatenate([rows[:, :k], rows[:, k:].sum(axis=1, keepdims=True)], axis=1)
    if not entry.certain:
        return share_limits(np.asarray(grouped, dtype=np.int64))
    lower = np.asarray(grouped, dtype=np.float64)
    total = lower.sum(axis=1, keepdims=True)
    return Limits(lower / np.where(total > 0, total, np.nan), lower, lower + entry.rows[:, -1:])
