"""The importer of ONS ASHE Table 14.1a: the right figures, or a refusal that says where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.errors import UserError
from harness.importers.ons import import_ons
from harness.tasks.target import load_target
from tests.importers.workbooks import ons_workbook, save

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openpyxl.workbook.workbook import Workbook


def imported(
    tmp_path: Path, mutate: Callable[[Workbook], object] | None = None, *, subtraction: bool = False
) -> str:
    book = ons_workbook()
    if mutate is not None:
        mutate(book)
    out = import_ons(save(book, tmp_path), 2024, tmp_path / "out", subtraction=subtraction)
    return (out / "gender.csv").read_text(encoding="utf-8")


def test_rows_with_both_sexes_published(tmp_path: Path) -> None:
    imported(tmp_path)
    rows = load_target(str(tmp_path / "out")).tables["gender"].rows
    assert rows["care_workers"]["female"] == pytest.approx(7488 / 7980, abs=1e-12)
    assert rows["all_employees"] == pytest.approx({"male": 0.5, "female": 0.5})
    # 8000 + 4001 against 12000 is rounding; the share is of what is published
    assert rows["building_trades"]["female"] == pytest.approx(4001 / 12001, abs=1e-12)
    assert not {"roofers", "nannies", "elected_carers", "not_classified"} & set(rows)


def test_subtraction_gives_the_other_sex_and_smooths_zeros(tmp_path: Path) -> None:
    text = imported(tmp_path, subtraction=True)
    rows = load_target(str(tmp_path / "out")).tables["gender"].rows
    assert rows["nannies"]["male"] == pytest.approx(8 / 20, abs=1e-12)
    assert rows["roofers"]["female"] == pytest.approx(0.25 / 13, abs=1e-9)
    assert "elected_carers" not in rows
    assert "female_by_subtraction" in text
    assert "both_published" in text


def test_the_finest_of_rows_with_one_title_keeps_it(tmp_path: Path) -> None:
    rows = [line.split(",")[0] for line in imported(tmp_path).splitlines()]
    assert "chief_executives" in rows
    assert "chief_executives_soc_111" in rows


def insert(book: Workbook, *, row: int = 0, column: int = 0) -> None:
    for sheet in book.worksheets[1:]:
        if row:
            sheet.insert_rows(row)
        if column:
            sheet.insert_cols(column)


def move_codes_last(book: Workbook) -> None:
    for sheet in book.worksheets[1:]:
        codes = [sheet.cell(r, 2).value for r in range(1, sheet.max_row + 1)]
        sheet.delete_cols(2)
        for r, code in enumerate(codes, start=1):
            sheet.cell(r, 9).value = code


def as_text(book: Workbook) -> None:
    for sheet in book.worksheets[1:]:
        for r in range(6, sheet.max_row + 1):
            value = sheet.cell(r, 3).value
            sheet.cell(r, 3).value = f"{value:,}" if isinstance(value, int) else value


def codes_as_numbers(book: Workbook) -> None:
    for sheet in book.worksheets[1:]:
        for r in range(6, sheet.max_row + 1):
            code = sheet.cell(r, 2).value
            sheet.cell(r, 2).value = int(code) if code else code


def put(sheet: str, cell: str, value: object) -> Callable[[Workbook], None]:
    def change(book: Workbook) -> None:
        book[sheet][cell] = value

    return change


def retitle(book: Workbook) -> None:
    book["Male"]["A1"], book["Female"]["A1"] = book["Female"]["A1"].value, book["Male"]["A1"].value
    book["Male"]["C6"], book["Female"]["C6"] = 13400, 13600
    book["Male"].title, book["Female"].title = "Table 2", "Table 3"


READ_RIGHT: dict[str, Callable[[Workbook], object]] = {
    "a blank row below the title": lambda b: insert(b, row=2),
    "a blank column": lambda b: insert(b, column=2),
    "codes last": move_codes_last,
    "codes as numbers": codes_as_numbers,
    "numbers as text": as_text,
    "other sheet names": lambda b: setattr(b["Male"], "title", "Table M"),
    "header on one line": lambda b: [
        put(s, "C5", "Number of jobs (thousand)")(b) or put(s, "C3", None)(b) or put(s, "C4", None)(b)
        for s in ("All", "Male", "Female")
    ],
    "another footnote": lambda b: b["All"].append(["c  New in this year."]),
    "sheets in another order": lambda b: b.move_sheet("All", 3),
}

REFUSED: dict[str, tuple[Callable[[Workbook], object], str]] = {
    "another year": (
        put("Male", "A1", "Table 14.1a Weekly pay - For male employee jobsa: United Kingdom, 2023"),
        "year",
    ),
    "another table": (
        put("All", "A1", "Table 14.7a Annual pay - For all employee jobsa: United Kingdom, 2024"),
        "title",
    ),
    "titles of the sexes swapped": (
        lambda b: [
            put(name, "A1", f"Table 14.1a Weekly pay - For {sex} employee jobsa: United Kingdom, 2024")(b)
            for name, sex in (("Male", "female"), ("Female", "male"))
        ],
        "another sex",
    ),
    "a sheet gone": (lambda b: b.remove(b["Female"]), "title of female"),
    "a sheet twice": (lambda b: b.copy_worksheet(b["Female"]), "same title"),
    "jobs in millions": (put("All", "C5", "(million)"), "number of jobs"),
    "jobs renamed": (put("Female", "C4", "of persons"), "number of jobs"),
    "jobs twice": (
        lambda b: [put("All", f"D{r}", b["All"][f"C{r}"].value)(b) for r in (3, 4, 5)],
        "two columns",
    ),
    "code renamed": (put("All", "B5", "SOC"), "code"),
    "no header": (put("All", "A5", "Occupation"), "Description"),
    "a word for a number": (put("Male", "C15", "n/a"), "no number"),
    "a fraction of a thousand": (put("Male", "C15", 7987.5), "whole"),
    "a row without its code": (put("Male", "B15", None), "no code"),
    "a row only in one sheet": (lambda b: b["Male"].delete_rows(15), "same occupations"),
    "another title in one sheet": (put("Male", "A15", "Plumbers"), "another title"),
    "sexes that do not add up": (put("Male", "C18", 900), "add up"),
    "members that do not add up": (
        lambda b: [put(s, "C15", v)(b) for s, v in (("All", 9987), ("Male", 5987))],
        "add up",
    ),
    "a title over the other sex": (retitle, "add up"),
    "pounds in the jobs' place": (put("All", "C6", 613), "not possible"),
    "a code twice": (put("All", "B15", "2111"), "twice"),
}


@pytest.mark.parametrize("name", READ_RIGHT)
def test_a_harmless_change_reads_right(name: str, tmp_path: Path) -> None:
    (tmp_path / "changed").mkdir()
    assert imported(tmp_path / "changed", READ_RIGHT[name]) == imported(tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_a_change_that_would_give_a_wrong_number_is_refused(name: str, tmp_path: Path) -> None:
    mutate, says = REFUSED[name]
    with pytest.raises(UserError, match=says):
        imported(tmp_path, mutate)
    assert not (tmp_path / "out").exists()
