"""The importer of plain tables: units are checked, rests and zeros are what the options say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import openpyxl
import pytest

from harness.errors import UserError
from harness.importers.folder import ImportedTable, TargetFolder, write_target
from harness.importers.slug import slug
from harness.importers.table import TableOptions, import_table
from harness.tasks.target import load_target
from harness.tasks.target_file import Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SOURCE = Provenance(
    publisher="A publisher", table="Table 1", year=2020, license="CC0", link="https://example.org/table"
)
OPTIONS = TableOptions("colour", {"red": "red", "blue": "blue"}, SOURCE)


def imported(tmp_path: Path, text: str, options: TableOptions) -> Mapping[str, Mapping[str, float]]:
    path = tmp_path / "in.csv"
    path.write_text(text, encoding="utf-8")
    import_table(path, tmp_path / "out", options)
    return load_target(str(tmp_path / "out")).tables[options.attribute].rows


def test_shares_and_informative_columns(tmp_path: Path) -> None:
    options = replace(OPTIONS, informative=("year",))
    rows = imported(tmp_path, "year,context,red,blue\n1999,a,0.25,0.75\n2000,b,1,0\n", options)
    assert rows == {"a": {"red": 0.25, "blue": 0.75}, "b": {"red": 1, "blue": 0}}
    assert (tmp_path / "out" / "colour.csv").read_text(encoding="utf-8").startswith("context,red,blue,year\n")


@pytest.mark.parametrize(
    ("attribute", "file"),
    [
        ("惯用手", "惯用手.csv"),
        ("../a b", "a_b.csv"),
        ("%", "attribute.csv"),
        ("手" * 200, "手" * 60 + ".csv"),
    ],
)
def test_an_attribute_of_any_name_gets_a_file(tmp_path: Path, attribute: str, file: str) -> None:
    rows = imported(tmp_path, "context,red,blue\na,0.25,0.75\n", replace(OPTIONS, attribute=attribute))
    assert rows == {"a": {"red": 0.25, "blue": 0.75}}
    assert {p.name for p in (tmp_path / "out").iterdir()} == {file, "target.yaml"}


def test_attributes_that_differ_by_a_sign_have_two_files(tmp_path: Path) -> None:
    tables = {
        a: ImportedTable(("x", "y"), [{"context": "c", "x": x, "y": "0.5"}])
        for a, x in (("a-b", "0.5"), ("a b", "0.50"))
    }
    write_target(TargetFolder("Two", "table", tables, SOURCE), tmp_path / "out")
    found = load_target(str(tmp_path / "out")).tables
    assert set(found) == {"a-b", "a b"}
    assert (tmp_path / "out" / "a_b_.csv").is_file()


def test_titles_become_ids_and_are_kept(tmp_path: Path) -> None:
    options = replace(OPTIONS, context="job", unit="counts")
    rows = imported(
        tmp_path, 'job,red,blue\n"Cooks, all other","1,200",400\nCafé staff,1,3\nNobody,-,-\n', options
    )
    assert rows == {"cooks_all_other": {"red": 0.75, "blue": 0.25}, "cafe_staff": {"red": 0.25, "blue": 0.75}}
    assert "no published figures: Nobody." in (tmp_path / "out" / "target.yaml").read_text(encoding="utf-8")


def test_numbers_of_full_width_are_read(tmp_path: Path) -> None:
    options = replace(OPTIONS, unit="percent")
    rows = imported(tmp_path, "context,red,blue\na,４１．７％,５８.3\nb,－,－\n", options)
    assert rows == {"a": {"red": 0.417, "blue": 0.583}}


def test_percent_that_are_given_as_shares_are_known(tmp_path: Path) -> None:
    for text, hint in (("41.7,58.3", "--unit percent, if"), ("0.4,0.5", "is a --class missing")):
        with pytest.raises(UserError, match="do not add up") as err:
            imported(tmp_path, f"context,red,blue\na,{text}\n", OPTIONS)
        assert err.value.hint.startswith(hint)


def test_the_rest_and_the_zeros_of_percentages(tmp_path: Path) -> None:
    options = replace(OPTIONS, classes={"red": "r", "blue": ""}, unit="percent", precision="0.1")
    rows = imported(tmp_path, "context,r\na,41.7\nb,0.0\nc,100.0\n", options)
    assert rows["a"] == pytest.approx({"red": 0.417, "blue": 0.583}, abs=1e-12)
    assert rows["b"] == pytest.approx({"red": 0.00025, "blue": 0.99975}, abs=1e-12)
    assert rows["c"] == pytest.approx({"red": 0.99975, "blue": 0.00025}, abs=1e-12)


def test_rounded_percentages_are_scaled_to_the_whole(tmp_path: Path) -> None:
    options = replace(OPTIONS, unit="percent", precision="0.1")
    rows = imported(tmp_path, "context,red,blue\na,50.1,50.0\n", options)
    assert sum(rows["a"].values()) == pytest.approx(1, abs=1e-9)
    assert rows["a"]["red"] == pytest.approx(50.1 / 100.1, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "unit", "says"),
    [
        ("context,red,blue\na,41.7,58.3\n", "shares", "add up"),
        ("context,red,blue\na,0.417,0.583\n", "percent", "add up"),
        ("context,red,blue\na,0,0\n", "counts", "all zero"),
        ("context,red,blue\na,-1,2\n", "counts", "negative"),
        ("context,red,blue\na,1,\n", "counts", "half empty"),
        ("context,red,blue\na,1,2\na,1,2\n", "counts", "twice"),
        ("context,red,blue\n,1,2\n", "counts", "without a context"),
        ("context,red,blue\na,one,2\n", "counts", "no number"),
        ("context,red,green\na,1,2\n", "counts", "'blue'"),
        ("context,red,blue,red\na,1,2,3\n", "counts", "two columns"),
        ("context,red,blue\na,-,-\n", "counts", "no row"),
        ("", "counts", "an empty file"),
        ("context,red,blue\na,1,2,3\n", "counts", "more cells than headers"),
        ("context,red,blue\na,1.200,3\n", "counts", "in two ways"),
        ("context;red;blue\na;0,4;0,6\n", "shares", "no number"),
        ("context,red,blue\na,41.7%,58.3%\n", "counts", "no number"),
    ],
)
def test_a_table_that_is_not_what_the_options_say(tmp_path: Path, text: str, unit: str, says: str) -> None:
    units = {name: replace(OPTIONS, unit=name) for name in ("shares", "percent", "counts")}
    with pytest.raises(UserError, match=says):
        imported(tmp_path, text, units[unit])


@pytest.mark.parametrize("classes", [{"red": "red"}, {"red": "", "blue": ""}])
def test_classes_that_make_no_table(tmp_path: Path, classes: dict[str, str]) -> None:
    with pytest.raises(UserError, match="do not make a table"):
        imported(tmp_path, "context,red\na,1\n", replace(OPTIONS, classes=classes))


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Registered nurses", "registered_nurses"),
        ("Managers, all other", "managers_all_other"),
        ("Engineering professionals n.e.c.", "engineering_professionals_n_e_c"),
        ("  Electrical power-line installers & repairers ", "electrical_power_line_installers_repairers"),
    ],
)
def test_slug(title: str, expected: str) -> None:
    assert slug(title) == expected


@pytest.mark.parametrize(
    ("text", "unit", "decimal"),
    [
        ("context;red;blue\na;0.4;0.6\n", "shares", ""),
        ("context\tred\tblue\na\t0.4\t0.6\n", "shares", ""),
        ("context;red;blue\na;0,4;0,6\n", "shares", ","),
        ("context,red,blue\na,40%,60 %\n", "percent", ""),
        ("context;red;blue\na;1.200;1.800\n", "counts", ","),
        ("context,red,blue\na,1.200,1.800\n", "counts", "."),
        ('context,red,blue\na,"1,200","1,800"\n', "counts", ""),
        ("context,red,blue\na,1 200,1\N{NO-BREAK SPACE}800\n", "counts", ""),
        ("\ufeffcontext,red,blue\r\na,2,3\r\n", "counts", ""),
    ],
)
def test_numbers_and_cells_as_other_countries_write_them(
    tmp_path: Path, text: str, unit: str, decimal: str
) -> None:
    units = {name: replace(OPTIONS, unit=name, decimal=decimal) for name in ("shares", "percent", "counts")}
    assert imported(tmp_path, text, units[unit])["a"] == pytest.approx({"red": 0.4, "blue": 0.6})


def test_titles_in_other_scripts_and_with_marks_that_part_cells(tmp_path: Path) -> None:
    options = replace(OPTIONS, context="job", decimal=",")
    rows = imported(tmp_path, "job;red;blue\n护士;0,4;0,6\nCooks, bakers, and others;0,5;0,5\n", options)
    assert set(rows) == {"护士", "cooks_bakers_and_others"}


@pytest.mark.parametrize("precision", ["x", "-1", "0", "nan"])
def test_a_precision_that_is_none(tmp_path: Path, precision: str) -> None:
    with pytest.raises(UserError, match="no step"):
        imported(tmp_path, "context,red,blue\na,0,1\n", replace(OPTIONS, precision=precision))


def test_of_several_sheets_the_one_with_the_headers_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["context", "red", "blue"], ["a", 0.4, 0.6]):
        sheet.append(row)
    book.create_sheet("notes").append(["see above"])
    book.save(tmp_path / "in.xlsx")
    import_table(tmp_path / "in.xlsx", tmp_path / "out", OPTIONS)
    assert load_target(str(tmp_path / "out")).tables["colour"].rows["a"]["red"] == pytest.approx(0.4)


def test_what_would_be_no_target_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="stand twice"):
        imported(tmp_path, "context,red,blue\na,0,1\n", replace(OPTIONS, informative=("red",)))
    assert not (tmp_path / "out").exists()


def test_titles_may_stand_above_the_headers(tmp_path: Path) -> None:
    text = "Table 7: colours of houses\n\nSource: us,,\ncontext,red,blue\na,0.25,0.75\n"
    assert imported(tmp_path, text, OPTIONS) == {"a": {"red": 0.25, "blue": 0.75}}
    with pytest.raises(UserError, match="no column is headed 'blue'"):
        imported(tmp_path, text.replace("blue", "green"), OPTIONS)
    with pytest.raises(UserError, match="do not add up") as caught:
        imported(tmp_path, text.replace("0.25", "0.35"), OPTIONS)
    assert "row 5" in str(caught.value.where)
    assert caught.value.found == "red=0.35, blue=0.75, together 1.10"
    with pytest.raises(UserError, match="no row has figures") as empty:
        imported(tmp_path, text.rpartition("a,")[0], OPTIONS)
    assert empty.value.found == "no row below the headers"


def test_a_workbook_with_titles_merged_headers_and_a_row_for_all_others(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["Table 7: colours of houses"],
        [],
        ["Town", "Share of houses", None],
        [None, "red", "blue"],
        ["Leeds", 0.25, 0.75],
        ["*", 0.5, 0.5],
        [],
        ["Source: us"],
    ):
        sheet.append(row)
    for cells in ("A1:C1", "A3:A4", "B3:C3"):
        sheet.merge_cells(cells)
    book.save(tmp_path / "in.xlsx")
    import_table(tmp_path / "in.xlsx", tmp_path / "out", replace(OPTIONS, context="Town"))
    figures = load_target(str(tmp_path / "out")).tables["colour"]
    assert figures.rows == {"leeds": {"red": 0.25, "blue": 0.75}, "*": {"red": 0.5, "blue": 0.5}}
