"""Shares: what the exact and choices measures give in place of counts. Certain bounds, no draws."""

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
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

HEADER = ("attribute", "context", "prompt", "outcome", "lower", "undecided")


@dataclass(frozen=True, slots=True)
class Certain:
    """Lower bounds of every outcome of one attribute, per context and prompt."""

    attribute: str
    classes: tuple[str, ...]
    cells: Mapping[tuple[str, str], tuple[float, ...]]
    """(context, prompt) -> lower bounds in the order of ``outcomes``, then the undecided mass."""

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Classes first, then the outcomes that are no class."""
        return (*self.classes, *INVALID)

    @property
    def contexts(self) -> list[str]:
        """Contexts in their first order."""
        return list(dict.fromkeys(context for context, _ in self.cells))

    def by_context(self) -> NDArray[np.float64]:
        """Contexts x (outcomes, undecided): the mean over a context's prompts, each asked equally often."""
        rows: dict[str, list[tuple[float, ...]]] = {}
        for (context, _), row in self.cells.items():
            rows.setdefault(context, []).append(row)
        return np.array([np.mean(r, axis=0) for r in rows.values()])


def to_csv(tables: Sequence[Certain]) -> str:
    """The long table of ``shares.csv``; every digit is kept."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for table in tables:
        for (context, prompt), row in table.cells.items():
            for outcome, lower in zip(table.outcomes, row[:-1], strict=True):
                writer.writerow([table.attribute, context, prompt, outcome, repr(lower), repr(row[-1])])
    return out.getvalue()


def from_csv(path: Path) -> list[Certain]:
    """Read ``shares.csv`` back; anything but probabilities of known outcomes is a ``UserError``."""
    _, rows = read_csv(path, required=HEADER)
    found: dict[str, dict[tuple[str, str], dict[str, tuple[float, float]]]] = {}
    for row in rows:
        cells, where = row.cells, f"{path}:{row.line}"
        try:
            value = (float(cells["lower"]), float(cells["undecided"]))
        except ValueError:
            raise UserError(
                "not a probability", where=where, found=f"{cells['lower']}, {cells['undecided']}"
            ) from None
        if not all(0 <= v <= 1 for v in value):
            raise UserError("not a probability", where=where, found=value, expected="numbers from 0 to 1")
        found.setdefault(cells["attribute"], {}).setdefault((cells["context"], cells["prompt"]), {})[
            cells["outcome"]
        ] = value
    tables = []
    for attribute, prompts in found.items():
        classes = tuple(o for o in next(iter(prompts.values())) if o not in INVALID)
        outcomes = (*classes, *INVALID)
        for key, cell in prompts.items():
            if set(cell) != set(outcomes):
                raise UserError(
                    f"the outcomes of {attribute}, {key[0]}, {key[1]} differ from the first row's",
                    where=str(path),
                    found=", ".join(cell),
                    expected=", ".join(outcomes),
                )
        tables.append(
            Certain(
                attribute,
                classes,
                {k: (*(c[o][0] for o in outcomes), c[outcomes[0]][1]) for k, c in prompts.items()},
            )
        )
    return tables
