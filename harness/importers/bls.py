"""Imports the US labour statistics: Current Population Survey, Table 11, annual averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.importers.bls_sheet import RACES, STEP, WHOLE, check_groups, read_sheet
from harness.importers.folder import Cells, ImportedTable, TargetFolder, write_target
from harness.importers.shares import fill_zeros, plain
from harness.importers.slug import slug
from harness.tasks.target_file import Provenance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from pathlib import Path

    from harness.importers.bls_sheet import Occupation
    from harness.importers.grid import Grid

SMOOTHING = (
    "A figure published as 0.0 stands for a value in [0, 0.05) percent: it becomes 0.025 percent, taken from the "
    "other cells of the row in proportion (100.0 is a 0.0 of the other class). The race residual is read as 0.0 "
    "where the rounded shares add up to more than 100."
)


def import_bls(file: Path, year: int, out: Path, decimal: str = "") -> Path:
    """Writes the target of Table 11 of ``year``: gender and race per occupation, groups and total included.

    Args:
        file: BLS's workbook (cpsaat11.xlsx) or the same table as CSV.
        year: The year that the figures are for; checked against the sheet where it states one.
        out: The target folder to write.
        decimal: The decimal mark, see ``read_grids``.

    Raises:
        UserError: The layout is not the one known, or the figures contradict one another.
    """
    grid, rows, dated = read_sheet(file, year, decimal)
    check_groups(grid, rows)
    published = [
        (row, context) for row, context in zip(rows, _contexts(grid, rows), strict=True) if row.percent
    ]
    gender = [_gender(row, context) for row, context in published]
    race = [_race(row, context) for row, context in published]
    smoothed = [sum(changed for _, changed in table) for table in (gender, race)]
    target = TargetFolder(
        title=f"US labour force {year}: women and race by occupation",
        kind="table",
        tables={
            "gender": ImportedTable(("male", "female"), [row for row, _ in gender]),
            "race": ImportedTable((*RACES, "other"), [row for row, _ in race]),
        },
        provenance=Provenance(
            publisher="US Bureau of Labor Statistics",
            table="Current Population Survey, Table 11: employed persons by detailed occupation, sex, race, and "
            "Hispanic or Latino ethnicity; annual averages",
            year=year,
            license="public domain",
            link="https://www.bls.gov/cps/cpsaat11.htm",
            note=_note(year, len(rows) - len(published), dated=dated),
        ),
        smoothing=f"{SMOOTHING} Rows changed: gender {smoothed[0]}, race {smoothed[1]}.",
        informative=("title", "level", "employed_thousands"),
    )
    return write_target(target, out)


def _note(year: int, left_out: int, *, dated: bool) -> str:
    note = (
        "Races are of any ethnicity; other = 100 - white - black - asian (American Indian and Alaska Native, Native "
        "Hawaiian and Pacific Islander, two or more races). Percentages are not published where the base is under "
        f"50,000: {left_out} rows are left out."
    )
    if year == 2025:
        note += " BLS: 2025 leaves out October and is not strictly comparable with other years."
    if not dated:
        note += " The imported file itself states no year."
    return note


def _contexts(grid: Grid, rows: Sequence[Occupation]) -> list[str]:
    """Ids of the rows. Where a group and its only occupation share a title, the group's id ends in ``_group``."""
    detailed = {slug(row.title) for row in rows if row.level == "detailed"}
    ids: list[str] = []
    for row in rows:
        context = slug(row.title)
        if row.level != "detailed" and context in detailed:
            context += "_group"
        if context in ids:
            raise UserError("an occupation is there twice", where=grid.where(row.line), found=row.title)
        ids.append(context)
    return ids


def _line(row: Occupation, context: str, percent: dict[str, Decimal]) -> tuple[Cells, bool]:
    shares = fill_zeros(percent, STEP, WHOLE)
    cells = {name: plain(value / WHOLE) for name, value in shares.items()}
    line = {"context": context, **cells, "title": row.title, "level": row.level}
    return {**line, "employed_thousands": plain(row.employed)}, shares != percent


def _gender(row: Occupation, context: str) -> tuple[Cells, bool]:
    return _line(row, context, {"male": WHOLE - row.percent["women"], "female": row.percent["women"]})


def _race(row: Occupation, context: str) -> tuple[Cells, bool]:
    shares = {race: row.percent[race] for race in RACES}
    return _line(row, context, {**shares, "other": WHOLE - sum(shares.values())})
