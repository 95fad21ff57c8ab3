"""The importer of BLS Table 11: the right figures, or a refusal that says where."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from harness.errors import UserError
from harness.importers.bls import import_bls
from harness.tasks.target import load_target
from tests.importers.workbooks import bls_rows, bls_workbook, save

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openpyxl.worksheet.worksheet import Worksheet


def tables(out: Path) -> dict[str, str]:
    return {name: (out / name).read_text(encoding="utf-8") for name in ("gender.csv", "race.csv")}


def imported(tmp_path: Path, mutate: Callable[[Worksheet], object] | None = None) -> dict[str, str]:
    book = bls_workbook()
    if mutate is not None:
        mutate(book.active)
    return tables(import_bls(save(book, tmp_path), 2022, tmp_path / "out"))


def row_of(sheet: Worksheet, title: str) -> int:
    return next(r for r in range(1, sheet.max_row + 1) if sheet.cell(r, 1).value == title)


def test_figures_are_the_published_ones(tmp_path: Path) -> None:
    imported(tmp_path)
    target = load_target(str(tmp_path / "out"))
    gender, race = (target.tables[name].rows for name in ("gender", "race"))
    assert gender["chief_executives"] == pytest.approx({"male": 0.7, "female": 0.3}, abs=1e-12)
    assert gender["managers_all_other"]["female"] == pytest.approx(0.455, abs=1e-12)
    assert race["lawyers"] == pytest.approx({"white": 0.86, "black": 0.06, "asian": 0.05, "other": 0.03})
    assert "judicial_law_clerks" not in gender
    assert "total_16_years_and_over" in gender
    assert target.provenance is not None
    assert target.provenance.year == 2022


def test_zeros_become_the_middle_of_what_rounds_to_zero(tmp_path: Path) -> None:
    imported(tmp_path)
    target = load_target(str(tmp_path / "out"))
    gender, race = (target.tables[name].rows for name in ("gender", "race"))
    assert gender["skincare_specialists"]["male"] == pytest.approx(0.00025, abs=1e-12)
    bricks = race["brickmasons_blockmasons_and_stonemasons"]
    assert bricks["asian"] == pytest.approx(0.00025, abs=1e-12)
    assert bricks["white"] / bricks["black"] == pytest.approx(73.6 / 19.9, rel=1e-6)
    assert sum(bricks.values()) == pytest.approx(1, abs=1e-9)
    # 70.1 + 20.0 + 10.0 = 100.1: the residual is a zero, and the row still adds up
    assert race["cooks"]["other"] == pytest.approx(0.00025, abs=1e-12)
    assert sum(race["cooks"].values()) == pytest.approx(1, abs=1e-9)


def test_a_text_table_gives_the_same_figures(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(
            [
                "indent_level",
                "occupation",
                "total_employed_thousands",
                "pct_women",
                "pct_white",
                "pct_black_or_african_american",
                "pct_asian",
                "pct_hispanic_or_latino",
            ]
        )
        for row in bls_rows():
            title, thousands, *percent = row
            writer.writerow([0, title, f"{thousands:,}", *(str(p).replace("–", "-") for p in percent)])
    out = import_bls(path, 2022, tmp_path / "text")
    assert tables(out) == imported(tmp_path)
    assert "states no year" in (out / "target.yaml").read_text(encoding="utf-8")


def unmerge(sheet: Worksheet) -> None:
    # inserting and deleting leaves merged ranges where they were, which a spreadsheet program does not
    for merged in list(sheet.merged_cells.ranges):
        sheet.unmerge_cells(str(merged))


def insert_rows(sheet: Worksheet, row: int, amount: int = 1) -> None:
    unmerge(sheet)
    sheet.insert_rows(row, amount)


def move_column(sheet: Worksheet, start: int, end: int) -> None:
    unmerge(sheet)
    values = [sheet.cell(r, start).value for r in range(1, sheet.max_row + 1)]
    sheet.delete_cols(start)
    sheet.insert_cols(end)
    for r, value in enumerate(values, start=1):
        sheet.cell(r, end).value = value


def insert_columns(sheet: Worksheet) -> None:
    unmerge(sheet)
    sheet.insert_cols(4)
    sheet.insert_cols(1)


def split_headers(sheet: Worksheet) -> None:
    unmerge(sheet)
    sheet.cell(5, 2).value, sheet.cell(6, 2).value = "Total", "employed"
    sheet.cell(5, 5).value, sheet.cell(6, 5).value = "Black or", "African American"


def repeat_header(sheet: Worksheet) -> None:
    for column in range(3, 8):
        sheet.cell(5, column).value = "Percent of total employed"


def numbers_as_text(sheet: Worksheet) -> None:
    for r in range(8, 8 + len(bls_rows())):
        thousands = sheet.cell(r, 2).value
        sheet.cell(r, 2).value = f"{thousands:,}"
        for c in range(3, 8):
            sheet.cell(r, c).value = str(sheet.cell(r, c).value)


def add_column(sheet: Worksheet) -> None:
    sheet.cell(6, 8).value = "Native Hawaiian and Other Pacific Islander"
    for r in range(8, 8 + len(bls_rows())):
        sheet.cell(r, 8).value = 0.4


def set_cell(row: int, column: int, value: object) -> Callable[[Worksheet], None]:
    def change(sheet: Worksheet) -> None:
        sheet.cell(row, column).value = value

    return change


def set_figure(title: str, column: int, value: object) -> Callable[[Worksheet], None]:
    def change(sheet: Worksheet) -> None:
        sheet.cell(row_of(sheet, title), column).value = value

    return change


def insert_text(row: int, text: str) -> Callable[[Worksheet], None]:
    def change(sheet: Worksheet) -> None:
        insert_rows(sheet, row)
        sheet.cell(row, 1).value = text

    return change


READ_RIGHT: dict[str, Callable[[Worksheet], object]] = {
    "women moved to the end": lambda s: move_column(s, 3, 7),
    "asian before white": lambda s: move_column(s, 6, 4),
    "occupation last": lambda s: move_column(s, 1, 7),
    "blank columns": insert_columns,
    "a column more": add_column,
    "blank rows above the header": lambda s: insert_rows(s, 3, 2),
    "a blank row between groups": lambda s: insert_rows(s, 12),
    "another sheet name": lambda s: setattr(s, "title", "Table 11 (final)"),
    "a footnote below": lambda s: s.append(["1 Includes other categories, not shown separately."]),
    "a footnote between": insert_text(12, "NOTE: see the end."),
    "headers split over rows": split_headers,
    "a merged header repeated": repeat_header,
    "footnote marks": lambda s: (set_cell(6, 3, "Women(1)")(s), set_cell(6, 6, "Asian¹")(s)),
    "other capitals": set_cell(6, 7, "HISPANIC OR LATINO ETHNICITY"),
    "numbers as text": numbers_as_text,
    "title dropped": set_cell(1, 1, None),
    "a second sheet": lambda s: s.parent.create_sheet("Notes").append(["Women", 3]),
}

REFUSED: dict[str, tuple[Callable[[Worksheet], object], str]] = {
    "women renamed": (set_cell(6, 3, "Female"), "women"),
    "white renamed": (set_cell(6, 4, "White, not Hispanic"), "white"),
    "a count under women": (set_cell(6, 3, "Women (thousands)"), "women"),
    "total renamed": (set_cell(5, 2, "Civilian labor force"), "total employed"),
    "women twice": (set_cell(6, 8, "Women"), "two columns"),
    "headers of women and hispanic swapped": (
        lambda s: (set_cell(6, 3, "Hispanic\nor Latino")(s), set_cell(6, 7, "Women")(s)),
        "not possible",
    ),
    "headers of women and white swapped": (
        lambda s: (set_cell(6, 3, "White")(s), set_cell(6, 4, "Women")(s)),
        "add up to",
    ),
    "headers of black and asian swapped": (
        lambda s: (set_cell(6, 5, "Asian")(s), set_cell(6, 6, "Black or African American")(s)),
        "not possible",
    ),
    "another year": (set_cell(4, 2, 2019), "another year"),
    "another table": (
        set_cell(1, 1, "10. Employed persons by occupation, race, Hispanic or Latino ethnicity, and sex"),
        "another table",
    ),
    "a wrapped title": (
        insert_text(13, "Agents and business managers of"),
        "without figures",
    ),
    "persons, not thousands": (set_cell(8, 2, 159_018_000), "not possible"),
    "a word for a number": (set_figure("Lawyers", 3, "n/a"), "no number"),
    "a decimal comma": (set_figure("Lawyers", 3, "40,2"), "no number"),
    "one fraction": (set_figure("Lawyers", 3, 0.402), "one decimal"),
    "above a hundred": (set_figure("Lawyers", 3, 140.2), "one decimal"),
    "half a row": (set_figure("Lawyers", 4, "–"), "half empty"),
    "no total of a row": (set_figure("Lawyers", 2, None), "without a number"),
    "a row gone": (lambda s: s.delete_rows(row_of(s, "Lawyers")), "add up"),
    "a row twice": (
        lambda s: [
            set_cell(row_of(s, "Roofers") + 1, c, s.cell(row_of(s, "Roofers"), c).value)(s)
            for c in range(1, 8)
        ],
        "add up|twice",
    ),
    "a figure of another row": (set_figure("Cooks", 3, 26.0), "mean"),
    "percentages of a row moved by one": (
        lambda s: [set_figure("Lawyers", c, v)(s) for c, v in enumerate((86.0, 6.0, 5.0, 6.0, 40.2), 3)],
        "add up to",
    ),
    "no total row": (set_figure("Total, 16 years and over", 1, "Everyone"), "no sheet"),
    "the table twice": (lambda s: s.parent.copy_worksheet(s), "more than one"),
}


@pytest.mark.parametrize("name", READ_RIGHT)
def test_a_harmless_change_reads_right(name: str, tmp_path: Path) -> None:
    (tmp_path / "changed").mkdir()
    assert imported(tmp_path / "changed", READ_RIGHT[name]) == imported(tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_a_change_that_would_give_a_wrong_number_is_refused(name: str, tmp_path: Path) -> None:
    mutate, says = REFUSED[name]
    with pytest.raises(UserError, match=says) as caught:
        imported(tmp_path, mutate)
    assert "table.xlsx" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_percentages_as_fractions_are_refused(tmp_path: Path) -> None:
    def fractions(sheet: Worksheet) -> None:
        for r in range(8, 8 + len(bls_rows())):
            for c in range(3, 8):
                value = sheet.cell(r, c).value
                if not isinstance(value, str):
                    sheet.cell(r, c).value = round(value / 100, 3)

    with pytest.raises(UserError):
        imported(tmp_path, fractions)


@pytest.mark.parametrize("column", range(3, 8))
def test_a_column_shifted_by_a_row_is_refused(column: int, tmp_path: Path) -> None:
    def shift(sheet: Worksheet) -> None:
        last = 8 + len(bls_rows()) - 1
        values = [sheet.cell(r, column).value for r in range(8, last + 1)]
        for r, value in zip(range(8, last + 1), [values[-1], *values[:-1]], strict=True):
            sheet.cell(r, column).value = value

    with pytest.raises(UserError):
        imported(tmp_path, shift)


@pytest.mark.parametrize(("delimiter", "decimal"), [(";", ","), (";", "."), ("\t", ".")])
def test_text_tables_of_other_countries(delimiter: str, decimal: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle, delimiter=delimiter)
        for row in bls_workbook().active.iter_rows(values_only=True):
            writer.writerow(
                "" if v is None else f"{v}%".replace(".", decimal) if isinstance(v, float) else v for v in row
            )
    out = import_bls(path, 2022, tmp_path / "text", "," if decimal == "," else "")
    assert tables(out) == imported(tmp_path)
    if decimal == ",":
        with pytest.raises(UserError, match="no number"):
            import_bls(path, 2022, tmp_path / "unstated")


def test_a_file_that_is_no_workbook(tmp_path: Path) -> None:
    path = tmp_path / "table.xlsx"
    path.write_bytes(b"<html>Access denied</html>")
    with pytest.raises(UserError, match="no workbook"):
        import_bls(path, 2022, tmp_path / "out")
    old = tmp_path / "table.xls"
    old.write_bytes(b"")
    with pytest.raises(UserError, match="kind of file"):
        import_bls(old, 2022, tmp_path / "out")


def test_a_folder_that_is_no_target_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="no target folder"):
        imported(tmp_path)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.txt"]
