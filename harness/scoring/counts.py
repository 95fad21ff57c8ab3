"""Counts: the primary result. Classes + unparsed + refused + truncated + failed = draws, on every row."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UserError
from harness.files import read_csv
from harness.terms import INVALID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

HEADER = ("attribute", "context", "prompt", "outcome", "count")


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each outcome of one attribute came, per context and prompt."""

    attribute: str
    classes: tuple[str, ...]
    cells: Mapping[tuple[str, str], tuple[int, ...]]
    """(context, prompt) -> counts in the order of ``outcomes``."""

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Classes first, then the outcomes that are no class."""
        return (*self.classes, *INVALID)

    @property
    def contexts(self) -> list[str]:
        """Contexts in their first order."""
        return list(dict.fromkeys(context for context, _ in self.cells))

    def by_context(self) -> NDArray[np.int64]:
        """Contexts x outcomes, summed over prompts."""
        index = {c: i for i, c in enumerate(self.contexts)}
        table = np.zeros((len(index), len(self.outcomes)), dtype=np.int64)
        for (context, _), row in self.cells.items():
            table[index[context]] += np.array(row, dtype=np.int64)
        return table

    def split(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Per context: counts of the classes, and the draws that are no class."""
        table = self.by_context()
        k = len(self.classes)
        return table[:, :k], table[:, k:].sum(axis=1)

    def totals(self) -> dict[str, int]:
        """Each outcome over all contexts."""
        return {o: int(v) for o, v in zip(self.outcomes, self.by_context().sum(axis=0), strict=True)}


def tally(
    attribute: str,
    classes: Sequence[str],
    keys: Iterable[tuple[str, str]],
    labels: Iterable[tuple[tuple[str, str], str, int]],
) -> Counts:
    """Counts from (key, label, count) triples; ``keys`` fixes the rows and their order."""
    outcomes = (*classes, *INVALID)
    index = {o: i for i, o in enumerate(outcomes)}
    cells = {key: [0] * len(outcomes) for key in keys}
    for key, label, count in labels:
        cells[key][index[label]] += count
    return Counts(attribute, tuple(classes), {k: tuple(v) for k, v in cells.items()})


def to_csv(tables: Sequence[Counts]) -> str:
    """The long table of ``counts.csv``, zero counts included."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for table in tables:
        for (context, prompt), row in table.cells.items():
            for outcome, count in zip(table.outcomes, row, strict=True):
                writer.writerow([table.attribute, context, prompt, outcome, count])
    return out.getvalue()


def from_csv(path: Path) -> list[Counts]:
    """Read ``counts.csv`` back; anything but whole numbers of known outcomes is a ``UserError``."""
    _, rows = read_csv(path, required=HEADER)
    found: dict[str, dict[tuple[str, str], dict[str, int]]] = {}
    for row in rows:
        cells = row.cells
        count = cells["count"]
        if not count.isascii() or not count.isdigit():
            raise UserError(
                "not a count", where=f"{path}:{row.line}", found=count, expected="a whole number of 0 or more"
            )
        cell = found.setdefault(cells["attribute"], {}).setdefault((cells["context"], cells["prompt"]), {})
        if cells["outcome"] in cell:
            raise UserError("an outcome stands twice", where=f"{path}:{row.line}", found=cells["outcome"])
        cell[cells["outcome"]] = int(count)
    return [_table(attribute, cells, path) for attribute, cells in found.items()]


def _table(attribute: str, cells: dict[tuple[str, str], dict[str, int]], path: Path) -> Counts:
    order = list(next(iter(cells.values())))
    classes = tuple(o for o in order if o not in INVALID)
    for key, cell in cells.items():
        missing = {*classes, *INVALID} ^ set(cell)
        if missing:
            raise UserError(
                f"the outcomes of {attribute}, {key[0]}, {key[1]} differ from the first row's",
                where=str(path),
                found=", ".join(sorted(missing)),
                expected=", ".join((*classes, *INVALID)),
            )
    full = (*classes, *INVALID)
    return Counts(attribute, classes, {k: tuple(c[o] for o in full) for k, c in cells.items()})
