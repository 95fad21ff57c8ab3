"""Damaged and hostile tables, surveys and corpora that an import once stumbled over: one message each."""

from __future__ import annotations

import io
import json
import re
import warnings
import zipfile
from typing import TYPE_CHECKING

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import limits
from harness.cli.main import run
from harness.errors import UserError
from harness.importers import sources
from harness.importers.bls import import_bls
from harness.importers.grid import read_grids
from harness.importers.prompts import import_prompts
from harness.importers.survey import SurveyOptions, import_survey
from harness.raw import read_parquet
from harness.tasks.target import resolve
from harness.tasks.target_file import Provenance
from harness.tasks.task import load_task
from tests import helpers
from tests.importers.workbooks import bls_workbook, save

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = Provenance(publisher="P", table="T", year=2022, license="CC0-1.0", link="https://example.org")


def rezipped(file: Path, name: str, pattern: str, by: str) -> Path:
    """A workbook with something else in one of its members."""
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
        members = {each: archive.read(each).decode() for each in archive.namelist()}
    members[name], count = re.subn(pattern, by, members[name], count=1)
    assert count
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, text in members.items():
            archive.writestr(each, text)
    return file


@pytest.mark.parametrize(
    ("name", "pattern", "by"),
    [
        ("xl/workbook.xml", "<sheets>", "<sheets"),
        ("xl/workbook.xml", 'sheetId="1"', 'sheetId="{x}"'),
        ("xl/styles.xml", "</fills>", ""),
        ("docProps/core.xml", "http://", "{x}"),
        ("xl/worksheets/sheet1.xml", "</row>", ""),
    ],
)
def test_a_damaged_workbook_is_one_message(tmp_path: Path, name: str, pattern: str, by: str) -> None:
    with pytest.raises(UserError, match="this is no workbook"):
        read_grids(rezipped(save(bls_workbook(), tmp_path), name, pattern, by))


def test_what_a_workbook_says_of_its_size_is_not_believed(tmp_path: Path) -> None:
    file = save(bls_workbook(), tmp_path)
    usual = read_grids(file)
    assert read_grids(rezipped(file, "xl/worksheets/sheet1.xml", 'ref="A1:G', 'ref="A1:XFD10485')) == usual


def test_a_workbook_that_unpacks_to_more_than_the_limit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.xlsx"
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x", "w") as out,
    ):
        for _ in range(257):
            out.write(bytes(2**20))
    with pytest.raises(UserError, match="too large when it is unpacked"):
        read_grids(file)


def test_a_cell_far_to_the_right_is_refused(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.cell(1, 2_000, "x")
    with pytest.raises(UserError, match="too many columns"):
        read_grids(save(book, tmp_path))


def test_what_openpyxl_warns_of_is_not_printed(tmp_path: Path) -> None:
    file = rezipped(
        save(bls_workbook(), tmp_path),
        "xl/workbook.xml",
        "<sheets>",
        '<definedNames><definedName name="\x9b2J" localSheetId="9">x</definedName></definedNames><sheets>',
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_grids(file)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("wide.csv", "a," * 1_001, "too many columns"),
        ("long.csv", "a;b\n" + "x" * 200_000, "not valid CSV"),
    ],
)
def test_a_text_that_is_too_wide_or_too_long(tmp_path: Path, name: str, text: str, problem: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=problem):
        read_grids(tmp_path / name)


def test_a_percentage_of_many_digits(tmp_path: Path) -> None:
    book = bls_workbook()
    assert book.active is not None
    book.active["C8"] = 1e30
    with pytest.raises(UserError, match="a number that is too large"):
        import_bls(save(book, tmp_path), 2022, tmp_path / "out")


def test_a_null_byte_does_not_get_into_a_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("context,a,b\nx\0,0.5,0.5\n", encoding="utf-8")
    words = [
        "target",
        "import",
        "table",
        str(tmp_path / "t.csv"),
        "--attribute",
        "x",
        "--class",
        "a",
        "--class",
        "b",
    ]
    words += [
        "--publisher",
        "P",
        "--table",
        "T",
        "--year",
        "2020",
        "--license",
        "CC0",
        "--link",
        "https://x.example",
    ]
    assert run([*words, "-o", str(tmp_path / "out")]) == 2
    assert "a null byte" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (None, "no question in the file"),
        ({"options": ["Yes\x01", "No"], "selections": {"A": [0.5, 0.5]}}, "control characters"),
        ({"options": ["Yes", "No"], "selections": {"A": [10**400, 1]}}, "not a share for each option"),
        ({"options": ["Yes", "No"], "selections": {"A\0": [0.5, 0.5]}}, "control characters"),
    ],
)
def test_a_survey_without_questions_or_with_control_characters(
    tmp_path: Path, row: dict[str, object] | None, problem: str
) -> None:
    file = tmp_path / "s.jsonl"
    file.write_text(json.dumps({"question": "Q?", **row}) if row else "", encoding="utf-8")
    with pytest.raises(UserError, match=problem):
        import_survey(file, tmp_path / "out", SurveyOptions("s", SOURCE))


def test_an_imported_task_has_the_targets_that_lay_beside_the_other(tmp_path: Path) -> None:
    own = load_task(helpers.write_task(tmp_path / "tea"))
    (tmp_path / "p.jsonl").write_text('{"prompt": "Leeds?", "context": "leeds"}\n', encoding="utf-8")
    made = load_task(import_prompts(tmp_path / "p.jsonl", own, "asked", tmp_path / "far" / "away"))
    drink = made.attributes["drink"]
    found, usual = (resolve(t, t.attributes["drink"], "survey").tables for t in (made, own))
    assert drink.targets["survey"] == "./survey"
    assert found["drink"].rows == usual["drink"].rows


def test_a_parquet_file_with_a_column_twice(tmp_path: Path) -> None:
    column = pa.array(["x"])
    pq.write_table(pa.table([column, column], names=["a", "a"]), tmp_path / "t.parquet")
    with pytest.raises(UserError, match="a column stands twice"):
        read_parquet(tmp_path / "t.parquet")


def test_a_corpus_of_parquet_has_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long text that stands once in the file may stand in each of its rows, and deep in them."""
    said = [[{"role": "user", "content": "a" * 1000}] for _ in range(50)]
    rows = pa.table({"id": list(range(50)), "text": ["b" * 1000] * 50, "messages": said})
    file = tmp_path / "c.parquet"
    pq.write_table(rows, file)
    assert [record.values for record in sources.records(str(file))] == rows.to_pylist()
    for name, most in (("RECORDS", 49), ("BATCH_BYTES", 99_000)):
        with monkeypatch.context() as patch:
            patch.setattr(limits, name, most)
            with pytest.raises(UserError, match=r"too many|too large"):
                list(sources.records(str(file)))
    monkeypatch.setattr(limits, "BATCH_BYTES", 101_000)
    assert len(list(sources.records(str(file)))) == 50
    (tmp_path / "c.jsonl").write_text("\n" * 51, encoding="utf-8")
    monkeypatch.setattr(limits, "RECORDS", 50)
    with pytest.raises(UserError, match="too many records"):
        list(sources.records(str(tmp_path / "c.jsonl")))
