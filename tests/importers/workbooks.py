"""Small workbooks laid out as the publishers lay theirs out, with invented figures that agree with one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openpyxl

if TYPE_CHECKING:
    from pathlib import Path

    from openpyxl.workbook.workbook import Workbook

Figures = tuple[float, float, float, float, float]

BLS_TITLE = (
    "HOUSEHOLD DATA\nANNUAL AVERAGES\n11. Employed persons by detailed occupation, sex, race, and Hispanic or "
    "Latino ethnicity"
)
BLS_NOTE = "NOTE: Invented figures do not sum to totals. Dash indicates no data."
DETAILED: dict[str, list[tuple[str, int, Figures | None]]] = {
    "Management occupations": [
        ("Chief executives", 20000, (30.0, 85.0, 6.0, 7.0, 8.0)),
        ("Managers, all other", 30000, (45.5, 80.0, 9.0, 8.0, 12.0)),
    ],
    "Legal occupations": [
        ("Lawyers", 10000, (40.2, 86.0, 6.0, 5.0, 6.0)),
        ("Judicial law clerks", 18, None),
        ("Other healthcare practitioners and technical occupations", 5000, (70.0, 70.0, 15.0, 10.0, 14.0)),
    ],
    "Service occupations": [
        ("Skincare specialists", 15000, (100.0, 70.0, 10.0, 20.0, 30.0)),
        ("Cooks", 40000, (62.0, 70.1, 20.0, 10.0, 35.0)),
    ],
    "Construction and extraction occupations": [
        ("Brickmasons, blockmasons, and stonemasons", 30000, (0.0, 73.6, 19.9, 0.0, 40.0)),
        ("Roofers", 9000, (60.0, 88.0, 7.0, 1.0, 50.0)),
    ],
}
"""Group -> its occupations: thousands, then women, white, black, asian, hispanic in percent."""

BLS_TREE: list[tuple[str, list[str]]] = [
    ("Total, 16 years and over", list(DETAILED)),
    ("Management, professional, and related occupations", ["Management occupations", "Legal occupations"]),
    ("Management occupations", ["Management occupations"]),
    ("Legal occupations", ["Legal occupations"]),
    ("Service occupations", ["Service occupations"]),
    ("Construction and extraction occupations", ["Construction and extraction occupations"]),
]


def _aggregate(groups: list[str]) -> tuple[int, Figures]:
    rows = [row for group in groups for row in DETAILED[group]]
    total = sum(thousands for _, thousands, _ in rows)
    # what is not published still counts in a group: here as half of everything
    sums = [sum(n * (50.0 if f is None else f[i]) for _, n, f in rows) for i in range(5)]
    women, white, black, asian, hispanic = (round(s / total, 1) for s in sums)
    return total, (women, white, black, asian, hispanic)


def bls_rows() -> list[list[str | float]]:
    """The rows below the header: title, thousands, five percentages ('–' where not published)."""
    rows: list[list[str | float]] = []
    for title, groups in BLS_TREE:
        thousands, figures = _aggregate(groups)
        rows.append([title, thousands, *figures])
        if title in DETAILED:
            rows += [[name, n, *("–" * 5 if f is None else f)] for name, n, f in DETAILED[title]]
    return rows


def bls_workbook(year: int = 2022) -> Workbook:
    """The layout of cpsaat11.xlsx."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "cpsaat11"
    sheet.append([BLS_TITLE])
    sheet.append(["[Numbers in thousands]"])
    sheet.append([])
    sheet.append(["Occupation", year])
    sheet.append([None, "Total\nemployed", "Percent of total employed"])
    sheet.append(
        [None, None, "Women", "White", "Black or\nAfrican\nAmerican", "Asian", "Hispanic\nor Latino"]
    )
    sheet.append([])
    for row in bls_rows():
        sheet.append(row)
    sheet.append([])
    sheet.append([BLS_NOTE])
    sheet.merge_cells("A1:G1")
    sheet.merge_cells("A4:A6")
    sheet.merge_cells("B5:B6")
    return book


ONS_JOBS: list[tuple[str, str, object, object, object]] = [
    ("All employees", "", 27000, 13500, 13500),
    ("Managers and directors", "1", 7000, 5000, 2000),
    (" Corporate managers", "11", 7000, 5000, 2000),
    ("  Chief Executives", "111", 7000, 5000, 2000),
    ("   Chief executives", "1111", 7000, 5000, 2000),
    ("Trades and care", "2", 20000, 8500, 11500),
    (" Trades", "21", 12000, 8000, 4001),
    ("  Building trades", "211", 12000, 8000, 4001),
    ("   Roofers", "2111", 13, 13, ".."),
    ("   Bakers", "2112", 11987, 7987, 4000),
    (" Care", "22", 8000, 500, 7500),
    ("  Care work", "221", 8000, 500, 7500),
    ("   Care workers", "2211", 7980, 492, 7488),
    ("   Nannies", "2212", 20, "x", 12),
    ("   Elected carers", "2213", ":", "x", "x"),
    ("Not Classified", "", ":", ":", ":"),
]


def ons_workbook(year: int = 2024) -> Workbook:
    """The layout of ASHE Table 14.1a: a sheet of notes, then one per sex (and more that do not matter)."""
    book = openpyxl.Workbook()
    notes = book.active
    assert notes is not None
    notes.title = "Notes"
    notes.append(["Guide to results from the Annual Survey of Hours and Earnings (ASHE)"])
    for name, kind, column in (
        ("All", "all", 2),
        ("Male", "male", 3),
        ("Female", "female", 4),
        ("Female Part-Time", "female part-time", 4),
    ):
        sheet = book.create_sheet(name)
        title = f"Table 14.1a   Weekly pay - Gross (£) - For {kind} employee jobsa: United Kingdom, {year}"
        sheet.append([title])
        sheet.append([])
        sheet.append([None, None, "Number", None, "Annual"])
        sheet.append([None, None, "of jobsb", None, "percentage"])
        sheet.append(["Description", "Code", "(thousand)", "Median", "change", 10])
        for row in ONS_JOBS:
            sheet.append([row[0], row[1], row[column], 613.3, 6.7, 214.1])
        sheet.append(["a  Employees on adult rates."])
        sheet.append(["Source: Annual Survey of Hours and Earnings, Office for National Statistics."])
    return book


def save(book: Workbook, folder: Path, name: str = "table.xlsx") -> Path:
    """The workbook as a file."""
    path = folder / name
    book.save(path)
    return path
