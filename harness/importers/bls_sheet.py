"""The worksheet of the US labour statistics: its rows, and a check that its figures agree with one another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.importers.grid import Grid, headers, match_columns, read_grids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RACES = ("white", "black", "asian")
PERCENTAGES = ("women", *RACES, "hispanic")
UNPUBLISHED = frozenset("-–—")
STEP = Decimal("0.1")
WHOLE = Decimal(100)

_PERCENT = r"(?:(?:percent of total employed|percent|pct|%) )?"
_COLUMNS = {
    "occupation": re.compile("occupation"),
    "total employed": re.compile(r"total employed(?: thousands| \(?(?:in )?thousands\)?)?"),
    "women": re.compile(_PERCENT + "women"),
    "white": re.compile(_PERCENT + "white"),
    "black": re.compile(_PERCENT + "black or african american"),
    "asian": re.compile(_PERCENT + "asian"),
    "hispanic": re.compile(_PERCENT + "hispanic or latino(?: ethnicity)?"),
}
_TOTAL = re.compile(r"total, 16 years (?:and|&) over", re.IGNORECASE)
_TITLE = re.compile(r"\b11\. employed persons by detailed occupation, sex, race, and hispanic", re.IGNORECASE)
_UNITS = re.compile(r"\[numbers in thousands\]", re.IGNORECASE)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_NOTE = re.compile(r"(?:note|source|dash indicates|footnote|\(?\d+\)? |[*†‡¹²³\[])", re.IGNORECASE)
_GROUP = re.compile(r"(?!other ).*\boccupations", re.IGNORECASE)

PLAUSIBLE = {
    "total employed": (100_000, 300_000),
    "women": (40, 55),
    "white": (55, 90),
    "black": (10, 20),
    "asian": (2, 12),
    "hispanic": (8, 40),
}
"""What the total row says in any year since 2000 and for long to come: a column under another's header, a
fraction in place of a percentage or another unit falls outside."""

SMALLEST_SUM = Decimal(70)
"""White, Black and Asian together are never less: the largest residual published is about 20 percent."""


@dataclass(frozen=True, slots=True)
class Occupation:
    """One row of the table."""

    line: int
    title: str
    level: str
    """``total``, ``group`` or ``detailed``."""
    employed: Decimal
    """Thousands."""
    percent: dict[str, Decimal]
    """Empty where the percentages are not published."""


def read_sheet(file: Path, year: int, decimal: str) -> tuple[Grid, list[Occupation], bool]:
    """The sheet with the table, its rows, and whether it states its year."""
    candidates = []
    for grid in read_grids(file, decimal):
        line = _total_line(grid)
        if line is not None:
            candidates.append((grid, line))
    if len(candidates) != 1:
        raise UserError(
            "the table is in more than one sheet" if candidates else "no sheet holds the table",
            where=file.name,
            found=", ".join(grid.sheet for grid, _ in candidates) or None,
            expected="one sheet with a row 'Total, 16 years and over' under the headers Occupation, Total employed, "
            "Women, White, Black or African American, Asian, Hispanic or Latino",
        )
    grid, line = candidates[0]
    top = _header_line(grid, line)
    dated = _check_title(grid, top, line, year)
    columns = match_columns(grid, top, headers(grid, top, line - 1), _COLUMNS)
    rows = _rows(grid, line, columns)
    _check_total(grid, rows[0], columns)
    return grid, rows, dated


def _total_line(grid: Grid) -> int | None:
    lines = [
        n
        for n, row in enumerate(grid.rows)
        if any(_TOTAL.fullmatch(grid.text(n, c)) for c in range(len(row)))
    ]
    if len(lines) > 1:
        raise UserError("the total row is there twice", where=grid.where(lines[1]))
    return lines[0] if lines else None


def _header_line(grid: Grid, line: int) -> int:
    for row in range(line):
        if any(
            _COLUMNS["occupation"].fullmatch(grid.text(row, c).lower()) for c in range(len(grid.rows[row]))
        ):
            return row
    raise UserError("no column says 'Occupation' above the total row", where=grid.where(line))


def _check_title(grid: Grid, top: int, line: int, year: int) -> bool:
    """Whether the sheet states its year; another year, or another table's title, is an error."""
    above = " ".join(grid.text(n, c) for n in range(top) for c in range(len(grid.rows[n])) if grid.text(n, c))
    if above and not (_TITLE.search(above) or _UNITS.fullmatch(above)):
        raise UserError(
            "this is another table",
            where=grid.name,
            found=above,
            expected="11. Employed persons by detailed occupation, sex, race, and Hispanic or Latino ethnicity",
        )
    head = " ".join(grid.text(n, c) for n in range(top, line) for c in range(len(grid.rows[n])))
    years = sorted(set(_YEAR.findall(f"{above} {head}")))
    if years not in ([], [str(year)]):
        raise UserError(
            "the table is for another year", where=grid.where(top), found=", ".join(years), expected=str(year)
        )
    return bool(years)


def _rows(grid: Grid, first: int, columns: dict[str, int]) -> list[Occupation]:
    rows: list[Occupation] = []
    pending: int | None = None
    for line in range(first, len(grid.rows)):
        title = grid.text(line, columns["occupation"])
        cells = {name: _value(grid, line, columns, name) for name in ("total employed", *PERCENTAGES)}
        employed = cells.pop("total employed")
        if employed is None:
            filled = [name for name, value in cells.items() if value is not None]
            if filled:
                raise UserError(
                    "percentages without a number of employed", where=grid.where(line), found=title
                )
            if title and not _NOTE.match(title):
                pending = line if pending is None else pending
            continue
        if pending is not None:
            raise UserError(
                "a row without figures stands between the occupations",
                where=grid.where(pending, columns["occupation"]),
                found=grid.text(pending, columns["occupation"]),
                expected="one row per occupation, footnotes below the last (or starting with NOTE or Source)",
            )
        rows.append(_occupation(grid, line, title, employed, cells))
    return rows


def _value(grid: Grid, line: int, columns: dict[str, int], name: str) -> Decimal | None:
    value = grid.number(line, columns[name], UNPUBLISHED, percent=name != "total employed")
    if value is None or name == "total employed":
        return value
    rounded = value.quantize(STEP)
    if not 0 <= value <= WHOLE or abs(value - rounded) > Decimal("1e-6"):
        raise UserError(
            f"{name}: no percentage with one decimal",
            where=grid.where(line, columns[name]),
            found=str(value),
            expected="a figure from 0.0 to 100.0",
        )
    return rounded


def _occupation(
    grid: Grid, line: int, title: str, employed: Decimal, cells: dict[str, Decimal | None]
) -> Occupation:
    percent = {name: value for name, value in cells.items() if value is not None}
    if not title or percent.keys() not in (set(), set(PERCENTAGES)):
        raise UserError(
            "a row is half empty",
            where=grid.where(line),
            found=f"{title}: {', '.join(percent) or 'figures'}",
            expected="an occupation with all its percentages, or with none",
        )
    races = sum((percent[race] for race in RACES), Decimal(0)) if percent else WHOLE
    if not SMALLEST_SUM <= races <= WHOLE + 3 * STEP / 2:
        raise UserError(
            f"White, Black and Asian add up to {races} percent",
            where=grid.where(line),
            found=f"{title}: {' + '.join(str(percent[race]) for race in RACES)}",
            expected=f"{SMALLEST_SUM} to 100.1: does each figure stand under its own header?",
        )
    level = "total" if _TOTAL.fullmatch(title) else "group" if _GROUP.fullmatch(title) else "detailed"
    return Occupation(line, title, level, employed, percent)


def _check_total(grid: Grid, total: Occupation, columns: dict[str, int]) -> None:
    for name, (low, high) in PLAUSIBLE.items():
        value = total.employed if name == "total employed" else total.percent.get(name)
        if value is None or not low <= value <= high:
            raise UserError(
                f"the total row's figure for {name!r} is not possible",
                where=grid.where(total.line, columns[name]),
                found=None if value is None else str(value),
                expected=f"{low} to {high} ({'thousands' if low > 100 else 'percent'}); columns, units or fractions?",
            )


def _members(grid: Grid, rows: Sequence[Occupation]) -> dict[int, list[int]]:
    """The direct members of the total and of each group, as indexes into ``rows``.

    The sheet does not say the nesting, but its numbers do: a group that is followed by occupations holds them up
    to the next group; one that is followed by a group holds groups until their numbers add up to its own.
    """
    members: dict[int, list[int]] = {}

    def close(start: int) -> int:
        own = members[start] = []
        nested = start + 1 < len(rows) and rows[start + 1].level == "group"
        held, at = Decimal(0), start + 1
        while at < len(rows):
            if nested and held > rows[start].employed - Decimal(len(own) + 1) / 2:
                break
            if not nested and rows[at].level != "detailed":
                break
            own.append(at)
            held += rows[at].employed
            at = close(at) if rows[at].level == "group" else at + 1
        if abs(held - rows[start].employed) > Decimal(len(own) + 1) / 2:
            raise UserError(
                "the members of a group do not add up to it",
                where=grid.where(rows[start].line),
                found=f"{rows[start].title}: {held} thousand in {len(own)} members",
                expected=f"{rows[start].employed} thousand; is a row missing, moved or there twice?",
            )
        return at

    end = close(0)
    if end != len(rows):
        raise UserError(
            "occupations stand outside the total", where=grid.where(rows[end].line), found=rows[end].title
        )
    return members


def check_groups(grid: Grid, rows: Sequence[Occupation]) -> None:
    """Each published percentage of a group must be the weighted mean of its members', within rounding.

    Members that are not published can be anything from 0 to 100, so the mean is checked against a range.
    """
    for index, own in _members(grid, rows).items():
        group = rows[index]
        for name in PERCENTAGES if group.percent else ():
            low = high = slack = Decimal(0)
            for member in (rows[i] for i in own):
                value = member.percent.get(name)
                low += member.employed * (value or 0)
                high += member.employed * (WHOLE if value is None else value)
                slack += member.employed * STEP / 2 + (WHOLE if value is None else value) / 2
            slack += group.employed * STEP / 2 + group.percent[name] / 2
            if not low - slack <= group.employed * group.percent[name] <= high + slack:
                mean = low / group.employed
                raise UserError(
                    f"{name}: a group's figure is not the mean of its members'",
                    where=grid.where(group.line),
                    found=f"{group.title}: {group.percent[name]} published, {mean:.1f} from {len(own)} members",
                    expected="the same within rounding: does each column stand under its own header?",
                )
