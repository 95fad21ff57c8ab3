"""The figures of a target: shares by context, from a CSV file or from rows in YAML, checked on reading."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import UserError
from harness.files import Document, read_csv
from harness.tasks.target_file import TOLERANCE, TargetFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


ALL = "*"
"""The context of a row that holds wherever no other row does."""
NEAR = 0.02
"""A row whose sum is so near to 100 is in percent, rounded perhaps."""


class Sample(NamedTuple):
    """How many replies of people a row was counted from, and as how many independent ones they count."""

    replies: float
    independent: float


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one attribute."""

    classes: tuple[str, ...]
    rows: Mapping[str, Mapping[str, float]]
    lines: Mapping[str, int]
    where: str
    samples: Mapping[str, Sample]
    """Of a reference: the size of each row; none where the shares are taken as exact."""

    def key(self, context: str) -> str | None:
        """The row that holds in a context: its own, else the one of all; None where there is neither."""
        return next((name for name in (context, ALL) if name in self.rows), None)


def from_csv(file: TargetFile, path: Path) -> Figures:
    """The rows of a CSV file."""
    sized = file.sample.columns if file.sample else ()
    header, found = read_csv(path, required=["context", *file.informative, *sized])
    classes = tuple(h for h in header if h not in ("context", *file.informative, *sized))
    rows: dict[str, dict[str, float]] = {}
    lines: dict[str, int] = {}
    samples: dict[str, Sample] = {}
    for row in found:
        where = f"{path}:{row.line}"
        context = row.cells["context"]
        if context in rows:
            raise UserError(
                "a context stands twice",
                where=where,
                found=context,
                expected=f"one row each (first on line {lines[context]})",
            )
        cells = {c: number(row.cells[c], f"{where}:{c}") for c in classes}
        rows[context] = _shares(file.values, cells, where)
        lines[context] = row.line
        if file.kind == "reference":
            sizes = [number(row.cells[c], f"{where}:{c}") for c in sized]
            samples |= _sample(file, context, cells, sizes, where)
    return _table(classes, rows, lines, str(path), samples)


def from_rows(
    file: TargetFile, given: Mapping[str, Mapping[str, float]], doc: Document, loc: tuple[str | int, ...]
) -> Figures:
    """Rows that stand in a YAML file, at ``loc``."""
    classes = tuple(dict.fromkeys(c for row in given.values() for c in row))
    rows, lines = {}, {}
    samples: dict[str, Sample] = {}
    if file.sample:
        raise UserError(
            "a reference written into YAML cannot name columns",
            where=doc.where(*loc),
            found=", ".join(file.sample.columns),
            expected="values: counts, or file: NAME.csv",
        )
    for context, cells in given.items():
        where = doc.where(*loc, context)
        missing = [c for c in classes if c not in cells]
        if missing:
            raise UserError(
                "a row that misses a class", where=where, found=", ".join(cells), expected=", ".join(classes)
            )
        rows[context] = _shares(file.values, dict(cells), where)
        lines[context] = doc.lines.get((*loc, context), 1)
        if file.kind == "reference":
            samples |= _sample(file, context, cells, (), where)
    return _table(classes, rows, lines, str(doc.path), samples)


def _sample(
    file: TargetFile, context: str, cells: Mapping[str, float], sizes: Sequence[float], where: str
) -> dict[str, Sample]:
    """The size of a reference's row: from its columns, or the sum of its counts; none where neither is stated."""
    if not sizes and file.values == "counts":
        sizes = [math.fsum(cells.values())]
    if not sizes:
        return {}
    sample = Sample(sizes[0], sizes[-1])
    if not 1 <= sample.independent <= sample.replies < math.inf:
        raise UserError(
            "not the size of a sample",
            where=where,
            found=", ".join(f"{s:g}" for s in sizes),
            expected="a number of replies of 1 or more, of which no more are independent",
        )
    return {context: sample}


def _table(
    classes: tuple[str, ...],
    rows: dict[str, dict[str, float]],
    lines: dict[str, int],
    where: str,
    samples: dict[str, Sample],
) -> Figures:
    if len(classes) < 2:
        raise UserError(
            "fewer than two classes", where=where, found=", ".join(classes), expected="context,CLASS,CLASS,…"
        )
    if not rows:
        raise UserError("no rows", where=where, expected="one row per context")
    if ALL in samples:
        raise UserError(
            f"a sample of people in a row {ALL!r}",
            where=f"{where}:{lines[ALL]}",
            expected="a row for each context: people's replies are counted in a context of their own",
        )
    return Figures(classes, rows, lines, where, samples)


def number(text: str, where: str) -> float:
    """A cell that holds a number."""
    try:
        return float(text)
    except ValueError:
        raise UserError("not a number", where=where, found=text, expected="a number such as 0.25") from None


def _shares(values: str, cells: dict[str, float], where: str) -> dict[str, float]:
    for name, value in cells.items():
        if not math.isfinite(value) or value < 0:
            raise UserError(
                "a negative or infinite value",
                where=f"{where}:{name}",
                found=value,
                expected="a number of 0 or more",
            )
    total = math.fsum(cells.values())
    if values == "counts":
        if total <= 0:
            raise UserError("a row of zeros", where=where, expected="at least one positive count")
    elif abs(total - 1) > TOLERANCE:
        percent = abs(total / 100 - 1) <= NEAR
        raise UserError(
            "shares that do not sum to 1",
            where=where,
            found=f"{total:.6g}",
            expected="shares, so 0.25 where 25 percent are meant" if percent else "1 (or values: counts)",
        )
    return {name: value / total for name, value in cells.items()}
