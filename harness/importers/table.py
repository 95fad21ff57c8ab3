"""Imports any table with one row for each context and one column for each class."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from harness.errors import UserError, clip, nearest
from harness.importers.folder import Cells, ImportedTable, TargetFolder, write_target
from harness.importers.grid import Grid, read_grids, tidy
from harness.importers.shares import fill_zeros, plain
from harness.importers.slug import slug
from harness.tasks.figures import ALL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.tasks.target_file import Provenance

Unit = Literal["shares", "percent", "counts"]
WHOLE = {"shares": Decimal(1), "percent": Decimal(100)}
UNPUBLISHED = frozenset("-–—")
TITLES = 20
"""Rows of titles and notes that may stand above the headers."""
NAMED = 5
"""Rows that a note names."""
_THOUSANDS = re.compile(r"\d{1,3}(\.\d{3})+")


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What the columns of a table mean."""

    attribute: str
    classes: Mapping[str, str]
    """Class -> header of its column. One of them may be '': what the others leave of the whole."""
    provenance: Provenance
    context: str = "context"
    """Header of the column with the contexts: ids, or titles that ids are made from (see ``slug``); ``*`` is all others."""
    unit: Unit = "shares"
    precision: str = ""
    """The step of the published figures in their unit, such as 0.1. When given, a figure of zero is read as the
    middle of what rounds to zero; else it stays zero."""
    decimal: str = ""
    """The decimal mark, see ``read_grids``."""
    title: str = ""
    informative: tuple[str, ...] = ()
    """Headers of columns to keep beside the figures."""


def import_table(file: Path, out: Path, options: TableOptions) -> Path:
    """Writes the target in ``file`` (.csv, or the one sheet of an .xlsx).

    The headers are the row that has most of those asked for; titles may stand above it, and headers that reach over
    two rows. Rows without figures (not published) are left out and counted in the provenance.

    Raises:
        UserError: A column is missing, a cell holds no number, a row does not add up, a context stands twice.
    """
    _check_step(options.precision)
    grids = [grid for grid in read_grids(file, options.decimal) if grid.rows]
    if len(grids) > 1:
        grids = [grid for grid in grids if options.context in _headers(grid, _top(grid, options))]
    if len(grids) != 1:
        raise UserError(
            f"{len(grids) or 'no'} sheets have a row of headers with {options.context!r}",
            where=file.name,
            found=", ".join(grid.sheet for grid in grids) or None,
            expected=f"one sheet with all headers in one of its first {TITLES} rows",
        )
    rows, left_out, changed = _rows(grids[0], options)
    if not rows:
        raise UserError(
            "no row has figures",
            where=grids[0].name,
            found=f"without: {_some(left_out)}" if left_out else "no row below the headers",
        )
    source = options.provenance
    notes = [source.note] if source.note else []
    if left_out:
        notes.append(f"Left out, as they have no published figures: {_some(left_out)}.")
    smoothing = (
        f"A figure published as 0 at a precision of {options.precision} becomes a quarter of that step (the middle "
        f"of what rounds to 0), taken from the other cells of the row in proportion. Rows changed: {changed}."
    )
    target = TargetFolder(
        title=options.title or out.name,
        kind="table",
        tables={options.attribute: ImportedTable(tuple(options.classes), rows)},
        provenance=source.model_copy(update={"note": " ".join(notes)}),
        values="counts" if options.unit == "counts" else "shares",
        smoothing=smoothing if changed else "",
        informative=_kept(options),
    )
    return write_target(target, out)


def _some(titles: Sequence[str]) -> str:
    more = f" and {len(titles) - NAMED:,} more" if len(titles) > NAMED else ""
    return ", ".join(clip(title, 60) for title in titles[:NAMED]) + more


def _check_step(precision: str) -> None:
    try:
        step = Decimal(precision or "1")
    except ArithmeticError:
        step = Decimal("nan")
    if not (step.is_finite() and step > 0):
        raise UserError(
            "the precision is no step", where="--precision", found=precision, expected="a number such as 0.1"
        )


def _headers(grid: Grid, top: int) -> list[str]:
    """The texts of a row; where a cell is empty, the nearest text above it, as in cells that were merged."""
    return [
        next(filter(None, (grid.text(row, column) for row in range(top, -1, -1))), "")
        for column in range(len(grid.rows[top]))
    ]


def _top(grid: Grid, options: TableOptions) -> int:
    """The row that has most of the headers, the first of such rows."""
    asked = {options.context, *filter(None, options.classes.values()), *options.informative}
    rows = range(min(len(grid.rows), TITLES))
    return max(rows, key=lambda row: len(asked & set(_headers(grid, row))))


def _kept(options: TableOptions) -> tuple[str, ...]:
    titled = () if options.context == "context" or "title" in options.informative else ("title",)
    return (*titled, *options.informative)


def _rows(grid: Grid, options: TableOptions) -> tuple[list[Cells], list[str], int]:
    rests = [name for name, header in options.classes.items() if not header]
    if len(rests) > (0 if options.unit == "counts" else 1) or len(options.classes) < 2:
        raise UserError(
            "the classes do not make a table",
            found=", ".join(f"{name}={header}" for name, header in options.classes.items()),
            expected="two or more NAME=COLUMN; one of them may be NAME= (the rest) where figures are no counts",
        )
    top = _top(grid, options)
    columns = {header: _column(grid, header, top) for header in (options.context, *options.informative)}
    figures = {name: _column(grid, header, top) for name, header in options.classes.items() if header}
    rows: dict[str, Cells] = {}
    left_out: list[str] = []
    changed = 0
    for line in range(top + 1, len(grid.rows)):
        title = grid.text(line, columns[options.context])
        beyond = [tidy(cell) for cell in grid.rows[line][len(grid.rows[top]) :] if tidy(cell)]
        if beyond:
            raise UserError(
                "a row with more cells than headers",
                where=grid.where(line),
                found=", ".join(beyond),
                expected=f"{len(grid.rows[top])} cells; a number with a comma needs quotes",
            )
        if not any(grid.text(line, column) for column in range(len(grid.rows[line]))):
            continue
        context = title if options.context == "context" or title == ALL else slug(title)
        if not context or context in rows:
            problem = "a context stands twice" if context else "a row without a context"
            raise UserError(
                problem,
                where=grid.where(line, columns[options.context]),
                found=title,
                expected="one row for each context",
            )
        cells = _figures(grid, line, figures, options)
        if cells is None:
            left_out.append(title)
            continue
        filled = _fill(cells, options)
        changed += filled != cells
        scale = WHOLE["percent"] if options.unit == "percent" else Decimal(1)
        row = {"context": context, **{name: plain(filled[name] / scale) for name in options.classes}}
        row |= {header: grid.text(line, columns[header]) for header in options.informative}
        rows[context] = {"title": title, **row} if "title" in _kept(options) and "title" not in row else row
    return list(rows.values()), left_out, changed


def _column(grid: Grid, header: str, top: int) -> int:
    found = _headers(grid, top)
    if found.count(header) != 1:
        raise UserError(
            f"two columns are headed {header!r}" if header in found else f"no column is headed {header!r}",
            where=grid.where(top),
            found=", ".join(found),
            expected=f"{header} in one row with the other headers",
            nearest=nearest(header, found),
        )
    return found.index(header)


def _figures(
    grid: Grid, line: int, columns: Mapping[str, int], options: TableOptions
) -> dict[str, Decimal] | None:
    for column in columns.values() if options.unit == "counts" and not options.decimal else ():
        cell = grid.rows[line][column] if column < len(grid.rows[line]) else None
        if isinstance(cell, str) and _THOUSANDS.fullmatch(tidy(cell)):
            raise UserError(
                "a count that can be read in two ways",
                where=grid.where(line, column),
                found=cell,
                hint="the same with --decimal . or, where the point parts thousands, --decimal ,",
            )
    numbers = {
        name: grid.number(line, column, UNPUBLISHED, percent=options.unit == "percent")
        for name, column in columns.items()
    }
    cells = {name: value for name, value in numbers.items() if value is not None}
    if not cells:
        return None
    if len(cells) < len(numbers) or any(value < 0 for value in cells.values()):
        raise UserError(
            "a row is half empty" if len(cells) < len(numbers) else "a figure is negative",
            where=grid.where(line),
            found=", ".join(f"{name}={value}" for name, value in numbers.items()),
        )
    total = sum(cells.values())
    if options.unit == "counts":
        if total == 0:
            raise UserError("the counts of a row are all zero", where=grid.where(line))
        return cells
    whole = WHOLE[options.unit]
    slack = Decimal(options.precision or "0.000001") * len(options.classes) / 2
    for name, header in options.classes.items():
        if not header:
            cells[name] = max(whole - total, Decimal(0))
            total = max(whole, total)
    if abs(total - whole) > slack:
        raise UserError(
            f"the {options.unit} of a row do not add up",
            where=grid.where(line),
            found=", ".join(f"{name}={value}" for name, value in cells.items()) + f", together {total}",
            expected=f"{whole} within {plain(slack)} (rounding)",
            hint="--unit percent, if that is what the figures are"
            if options.unit == "shares" and 98 <= total <= 102
            else "is a --class missing? --unit percent or counts says what the figures are, where they are no shares",
        )
    return {name: cells[name] for name in options.classes}


def _fill(cells: dict[str, Decimal], options: TableOptions) -> dict[str, Decimal]:
    whole = sum(cells.values()) if options.unit == "counts" else WHOLE[options.unit]
    if options.unit != "counts" and sum(cells.values()) != whole:
        total = sum(cells.values())
        cells = {name: value * whole / total for name, value in cells.items()}
    return fill_zeros(cells, Decimal(options.precision), Decimal(whole)) if options.precision else cells
