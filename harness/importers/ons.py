"""Imports the UK labour statistics: Annual Survey of Hours and Earnings, Table 14.1a, employee jobs by sex."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from harness.errors import UserError
from harness.importers.folder import Cells, ImportedTable, TargetFolder, write_target
from harness.importers.grid import Grid, headers, match_columns, read_grids
from harness.importers.shares import fill_zeros, plain
from harness.importers.slug import slug
from harness.tasks.target_file import Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Sex = Literal["all", "male", "female"]
SEXES: tuple[Sex, ...] = ("all", "male", "female")
LEVELS = {0: "total", 1: "major", 2: "sub-major", 3: "minor", 4: "unit"}
UNPUBLISHED = frozenset({"x", "..", ":", "-", "–", "—"})
STEP = Decimal(1)
"""Jobs are published in whole thousands."""
PLAUSIBLE = (10_000, 60_000)

_TITLE = re.compile(
    r"table 14\.1a\b.*\bfor (all|male|female) employee jobs[a-z]?: united kingdom, (\d{4})", re.IGNORECASE
)
_COLUMNS = {
    "description": re.compile("description"),
    "code": re.compile("code"),
    "number of jobs (thousand)": re.compile(r"number of jobs ?[a-z]? \(thousands?\)"),
}
_ALL = "all employees"
_LEFT_OVER = "not classified"

SMOOTHING = "A number of jobs of 0 thousand stands for a value in [0, 0.5): it becomes 0.25, taken from the other sex."


@dataclass(frozen=True, slots=True)
class Jobs:
    """One row of a sheet."""

    line: int
    title: str
    thousands: Decimal | None
    """None: not published."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Jobs of all employees, of men or of women by SOC code ('' = all employees)."""

    grid: Grid
    jobs: Mapping[str, Jobs]


def import_ons(file: Path, year: int, out: Path, *, subtraction: bool = False) -> Path:
    """Writes the target of Table 14.1a of ``year``: male and female jobs per SOC 2020 group and occupation.

    Args:
        file: ONS's workbook "Table 14.1a Weekly pay - Gross" (.xlsx).
        year: The year that the sheets must be for.
        out: The target folder to write.
        subtraction: Also the rows where one sex is not published and all - other sex gives it (to a thousand).

    Raises:
        UserError: The layout is not the one known, or the figures contradict one another.
    """
    sheets = _read(file, year)
    rows, published, changed = _rows(sheets, subtraction)
    basis = "both sexes published, or one found by subtraction" if subtraction else "both sexes published"
    edition = next((word for word in ("provisional", "revised") if word in file.name.lower()), "")
    note = (
        "Source: Office for National Statistics. Employee jobs in thousands (employees only); ONS calls job counts "
        f"indicative. Rows: {basis}; {published - len(rows)} of {published} coded rows are left out."
    )
    target = TargetFolder(
        title=f"UK employee jobs {year}: men and women by occupation" + (" (with subtraction)" * subtraction),
        kind="table",
        tables={"gender": ImportedTable(("male", "female"), rows)},
        provenance=Provenance(
            publisher="UK Office for National Statistics",
            table="Annual Survey of Hours and Earnings, Table 14.1a: number of jobs by occupation (SOC 2020)"
            + f", {year} {edition}".rstrip(),
            year=year,
            license="Open Government Licence v3.0",
            link="https://www.ons.gov.uk/employmentandlabourmarket/peopleinwork/earningsandworkinghours/"
            "datasets/occupation4digitsoc2010ashetable14",
            note=note,
        ),
        values="counts",
        smoothing=f"{SMOOTHING} Rows changed: {changed}." if subtraction else "",
        informative=("title", "level", "soc2020", "jobs_thousands", "basis"),
    )
    return write_target(target, out)


def _read(file: Path, year: int) -> dict[Sex, Sheet]:
    found: dict[Sex, Sheet] = {}
    for grid in read_grids(file):
        for line in range(min(12, len(grid.rows))):
            title = _TITLE.match(grid.text(line, 0))
            if title is None:
                continue
            sex: Sex = next(s for s in SEXES if s == title[1].lower())
            if int(title[2]) != year:
                raise UserError(
                    "the table is for another year",
                    where=grid.where(line),
                    found=title[2],
                    expected=str(year),
                )
            if grid.sheet.lower() in SEXES and grid.sheet.lower() != sex:
                raise UserError(
                    "a sheet's title is of another sex than its name",
                    where=grid.where(line),
                    found=title[0],
                    expected=f"{grid.sheet.lower()} employee jobs",
                )
            if sex in found:
                raise UserError("two sheets have the same title", where=grid.where(line), found=title[0])
            found[sex] = _sheet(grid, line)
    missing = [sex for sex in SEXES if sex not in found]
    if missing:
        raise UserError(
            f"no sheet has the title of {' and '.join(missing)} employee jobs",
            where=file.name,
            found=", ".join(sheet.grid.sheet for sheet in found.values()) or None,
            expected=f"Table 14.1a Weekly pay - Gross (£) - For {missing[0]} employee jobs: United Kingdom, {year}",
        )
    _check(found)
    return found


def _sheet(grid: Grid, title: int) -> Sheet:
    top = next(
        (n for n in range(title + 1, len(grid.rows)) if "description" in _folded(grid, n)),
        None,
    )
    if top is None:
        raise UserError("no column says 'Description'", where=grid.name)
    columns = match_columns(grid, top, headers(grid, title + 1, top), _COLUMNS)
    jobs: dict[str, Jobs] = {}
    for line in range(top + 1, len(grid.rows)):
        name, code = (grid.text(line, columns[key]) for key in ("description", "code"))
        if not code and name.lower() != _ALL:
            _check_note(grid, line, name, columns["number of jobs (thousand)"])
            continue
        if not re.fullmatch(r"\d{0,4}", code) or not name or code in jobs:
            raise UserError(
                "this row is no occupation" if code not in jobs else "an occupation is there twice",
                where=grid.where(line),
                found=f"{name!r}, code {code!r}",
                expected="a description and a SOC 2020 code of one to four digits, each once",
            )
        thousands = grid.number(line, columns["number of jobs (thousand)"], UNPUBLISHED)
        if thousands is not None and (thousands < 0 or thousands != thousands.to_integral_value()):
            raise UserError(
                "jobs are no whole thousands",
                where=grid.where(line, columns["number of jobs (thousand)"]),
                found=str(thousands),
            )
        jobs[code] = Jobs(line, name, thousands)
    return Sheet(grid, jobs)


def _folded(grid: Grid, line: int) -> list[str]:
    return [grid.text(line, column).lower() for column in range(len(grid.rows[line]))]


def _check_note(grid: Grid, line: int, name: str, column: int) -> None:
    # a row without a code is a footnote, unless it counts jobs: then the code column is not what it was
    if name.lower() != _LEFT_OVER and grid.text(line, column):
        raise UserError("a row with jobs has no code", where=grid.where(line), found=name)


def _check(sheets: Mapping[Sex, Sheet]) -> None:
    every = sheets["all"]
    total = every.jobs.get("")
    if total is None or total.thousands is None or not PLAUSIBLE[0] <= total.thousands <= PLAUSIBLE[1]:
        raise UserError(
            "the number of all employees' jobs is missing or not possible",
            where=every.grid.name,
            found=str(total.thousands) if total else None,
            expected=f"{PLAUSIBLE[0]} to {PLAUSIBLE[1]} thousand",
        )
    for sex in ("male", "female"):
        sheet = sheets[sex]
        for code in every.jobs.keys() ^ sheet.jobs.keys():
            raise UserError(
                "the sheets do not have the same occupations",
                where=sheet.grid.name,
                found=f"code {code} only in {'this' if code in sheet.jobs else 'the other'} sheet",
            )
        for code, jobs in sheet.jobs.items():
            if slug(jobs.title) != slug(every.jobs[code].title):
                raise UserError(
                    f"code {code} has another title in another sheet",
                    where=sheet.grid.where(jobs.line),
                    found=f"{jobs.title} / {every.jobs[code].title}",
                )
    for code, jobs in every.jobs.items():
        figures = [sheets[sex].jobs[code].thousands for sex in SEXES]
        parts = [value for value in figures[1:] if value is not None]
        whole = figures[0]
        if whole is not None and not _fits(whole, parts, complete=len(parts) == 2):
            raise UserError(
                "male and female jobs do not add up to all jobs",
                where=every.grid.where(jobs.line),
                found=f"{jobs.title}: {' + '.join(map(str, parts))} for {whole} thousand",
                expected="the same within rounding; are the sheets what their titles say?",
            )
    for sheet in sheets.values():
        _check_sums(sheet)


def _check_sums(sheet: Sheet) -> None:
    for code, jobs in sheet.jobs.items():
        own = [
            other
            for name, other in sheet.jobs.items()
            if name != code and len(name) == len(code) + 1 and name.startswith(code)
        ]
        parts = [other.thousands for other in own if other.thousands is not None]
        if (
            own
            and jobs.thousands is not None
            and not _fits(jobs.thousands, parts, complete=len(parts) == len(own))
        ):
            raise UserError(
                "the occupations of a group do not add up to it",
                where=sheet.grid.where(jobs.line),
                found=f"{jobs.title}: {sum(parts)} thousand in {len(parts)} rows",
                expected=f"{jobs.thousands} thousand; is a row missing or moved?",
            )


def _fits(whole: Decimal, parts: list[Decimal], *, complete: bool) -> bool:
    slack = Decimal(len(parts) + 1) / 2
    return sum(parts) <= whole + slack and (not complete or sum(parts) >= whole - slack)


def _rows(sheets: Mapping[Sex, Sheet], subtraction: bool) -> tuple[list[Cells], int, int]:
    rows: list[Cells] = []
    changed = 0
    contexts = _contexts(sheets["all"])
    for code, jobs in sheets["all"].jobs.items():
        whole, male, female = (sheets[sex].jobs[code].thousands for sex in SEXES)
        basis = "both_published"
        if subtraction and whole is not None and (male is None) != (female is None):
            basis = "male_by_subtraction" if male is None else "female_by_subtraction"
            male = whole - female if male is None and female is not None else male
            female = whole - male if female is None and male is not None else female
        if male is None or female is None or male + female <= 0:
            continue
        cells = {"male": max(male, Decimal(0)), "female": max(female, Decimal(0))}
        filled = fill_zeros(cells, STEP, sum(cells.values(), Decimal(0)))
        changed += filled != cells
        row = {"context": contexts[code], **{sex: plain(value) for sex, value in filled.items()}}
        row |= {"title": jobs.title, "level": LEVELS[len(code)], "soc2020": code, "basis": basis}
        rows.append({**row, "jobs_thousands": "" if whole is None else plain(whole)})
    return rows, len(sheets["all"].jobs), changed


def _contexts(sheet: Sheet) -> dict[str, str]:
    """Ids by code. Of rows with one title the finest keeps it; the id of a coarser one ends in its code."""
    finest: dict[str, str] = {}
    for code, jobs in sheet.jobs.items():
        title = slug(jobs.title)
        if len(code) > len(finest.get(title, "")):
            finest[title] = code
        elif len(code) == len(finest.get(title, "")) and code != finest.get(title, code):
            raise UserError(
                "two occupations have one title", where=sheet.grid.where(jobs.line), found=jobs.title
            )
    return {
        code: slug(jobs.title)
        if finest.get(slug(jobs.title), "") == code
        else f"{slug(jobs.title)}_soc_{code}"
        for code, jobs in sheet.jobs.items()
    }
