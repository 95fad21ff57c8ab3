"""Tables as publishers lay them out: the cells of each worksheet, and columns found by their headers."""

from __future__ import annotations

import csv
import io
import math
import re
import struct
import warnings
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from harness import limits
from harness.errors import UserError, clip, missing_package, nearest
from harness.raw import read_bytes, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

Cell = str | Decimal | None

_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}([,' ’]\d{3})(\2\d{3})*)(\.\d+)?")
_NARROW = {0xFF01 + i: 0x21 + i for i in range(94)}
"""Full-width letters, digits and signs, as Chinese tables may hold them -> the plain ones."""
_COMMAS = str.maketrans(".,", ",.")
_DELIMITERS = ",;\t"
LARGEST = Decimal(10) ** 15
"""No figure of people or shares is larger; what is computed from it has 28 digits."""
_FOOTNOTE_MARK = re.compile(r"\s*(\(\d+\)|\[\d+\]|[¹²³⁴⁵⁶⁷⁸⁹*†‡])+$")


@dataclass(frozen=True, slots=True)
class Grid:
    """One sheet."""

    file: str
    sheet: str
    rows: Sequence[Sequence[Cell]]
    decimal: str = "."
    """The decimal mark of numbers written as text; '' where a comma could be one, so that it is refused."""

    def where(self, row: int, column: int | None = None) -> str:
        """``file:sheet:B5``, or ``file:sheet:row 5``; counted from 0 here, from 1 in what is said."""
        place = f"row {row + 1}" if column is None else f"{_letters(column)}{row + 1}"
        return ":".join(part for part in (self.file, self.sheet, place) if part)

    @property
    def name(self) -> str:
        """``file:sheet``."""
        return ":".join(part for part in (self.file, self.sheet) if part)

    def text(self, row: int, column: int) -> str:
        """A cell as text on one line."""
        cells = self.rows[row]
        return tidy(cells[column]) if column < len(cells) else ""

    def number(
        self, row: int, column: int, blank: frozenset[str], *, percent: bool = False
    ) -> Decimal | None:
        """A cell as a number, None where it is empty or says one of ``blank``.

        Numbers stored as text are read; anything else in the cell is an error, never a guess.

        Args:
            row: counted from 0.
            column: counted from 0.
            blank: what stands for a figure that is not published.
            percent: a percent sign may follow.
        """
        cells = self.rows[row]
        cell = cells[column] if column < len(cells) else None
        if isinstance(cell, Decimal):
            return self._sized(cell, row, column)
        text = tidy(cell).translate(_NARROW)
        if not text or text in blank:
            return None
        plain = text.removesuffix("%").rstrip() if percent else text
        if self.decimal == ",":
            plain = plain.translate(_COMMAS)
        if not _NUMBER.fullmatch(plain) or (not self.decimal and "," in plain):
            marks = " ".join(sorted(blank))
            raise UserError(
                "this cell holds no number",
                where=self.where(row, column),
                found=text,
                expected=f"a number, or for a figure that is not published: {marks}",
                hint="the same with --decimal , if the comma is a decimal mark"
                if "," in text and self.decimal != ","
                else "",
            )
        return self._sized(Decimal(re.sub("[,' ’]", "", plain)), row, column)

    def _sized(self, number: Decimal, row: int, column: int) -> Decimal:
        if abs(number) > LARGEST:
            found = clip(format(number, "f"))
            raise UserError("a number that is too large", where=self.where(row, column), found=found)
        return number


def tidy(cell: Cell) -> str:
    """A cell's text with white space collapsed; '' for an empty one."""
    return "" if cell is None else " ".join(str(cell).replace("\N{NO-BREAK SPACE}", " ").split())


def read_grids(file: Path, decimal: str = "") -> list[Grid]:
    """Every sheet of a workbook, or the one table of a text file whose cells are parted by commas, ; or tabs.

    Args:
        file: .xlsx, .csv or .tsv.
        decimal: "." or ",", the mark in numbers that are written as text; '' is the point, and refuses commas where
            they do not part the cells: such files often come from where the comma is the decimal mark.
    """
    if not file.is_file():
        raise UserError("there is no such file", where=str(file), found="a folder" if file.is_dir() else None)
    if file.suffix.lower() in (".csv", ".tsv"):
        text = read_text(file)
        if not text.strip():
            raise UserError("an empty file", where=file.name, expected="a table with a row of headers")
        parted = _delimiter(text)
        mark = decimal or ("." if parted == "," else "")
        lines = csv.reader(io.StringIO(text), strict=True, delimiter=parted)
        try:
            rows = _bounded(([cell or None for cell in row] for row in lines), file.name)
            return [Grid(file.name, "", rows, mark)]
        except csv.Error as error:
            raise UserError(f"not valid CSV: {error}", where=f"{file.name}:{lines.line_num}") from None
    if file.suffix.lower() == ".xlsx":
        return _workbook(file, decimal or ".")
    raise UserError(
        "this kind of file cannot be read",
        where=str(file),
        expected="a workbook (.xlsx) or text (.csv, .tsv)",
        hint="open it in a spreadsheet program and save it as .xlsx",
    )


def _bounded(rows: Iterable[Sequence[Cell]], where: str) -> list[list[Cell]]:
    """The rows of a table, if they are not too many, nor too long."""
    made: list[list[Cell]] = []
    width = 1
    for number, row in enumerate(rows, 1):
        width = max(width, len(row))
        if width > limits.COLUMNS:
            raise UserError(
                "too many columns",
                where=f"{where}:row {number}",
                found=width,
                expected=f"at most {limits.COLUMNS:,}",
            )
        if number * width > limits.CELLS:
            raise UserError("too many cells", where=where, expected=f"at most {limits.CELLS:,}")
        made.append(list(row))
    return made


def _delimiter(text: str) -> str:
    """What parts the cells: the mark that gives the most rows of one and the same length."""

    def agreeing(mark: str) -> int:
        try:
            lengths = Counter(map(len, csv.reader(io.StringIO(text), delimiter=mark)))
        except csv.Error:  # where another mark parts the cells, what lies between two of these may be long
            return 0
        return max((rows for length, rows in lengths.items() if 1 < length <= limits.COLUMNS), default=0)

    return max(_DELIMITERS, key=agreeing)


_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, ArithmeticError, AssertionError, AttributeError, EOFError, LookupError),
    *(OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error),
)
"""What openpyxl and its parsers of XML raise where a workbook is none, or is damaged."""


def _workbook(file: Path, decimal: str) -> list[Grid]:
    try:
        import openpyxl
    except ImportError as error:
        raise missing_package("reading a workbook", "openpyxl", "xlsx") from error
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(file))) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
        if unpacked > limits.TEXT_BYTES:
            raise UserError(
                "a workbook that is too large when it is unpacked",
                where=str(file),
                found=f"{unpacked:,} bytes",
                expected=f"at most {limits.TEXT_BYTES:,}",
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they would print names out of the file
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            grids = [Grid(file.name, sheet.title, _sheet(sheet, file), decimal) for sheet in book.worksheets]
        book.close()
    except _DAMAGED as error:
        raise UserError(
            "this is no workbook",
            where=str(file),
            found=str(error) or type(error).__name__,
            hint="open it in a spreadsheet program and save it as .xlsx",
        ) from None
    return grids


def _sheet(sheet: ReadOnlyWorksheet, file: Path) -> list[list[Cell]]:
    """The rows of a sheet, all as long as the longest. What it says of its own size is not believed."""
    sheet.reset_dimensions()
    rows = ([_cell(value) for value in row] for row in sheet.iter_rows(values_only=True))
    found = _bounded(rows, f"{file.name}:{sheet.title}")
    width = max(map(len, found), default=0)
    return [row + [None] * (width - len(row)) for row in found]


def _cell(value: object) -> Cell:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        # repr gives the shortest text that reads back the same: 46.8 stays 46.8
        return Decimal(repr(value))
    return str(value)


def headers(grid: Grid, first: int, last: int) -> list[str]:
    """What stands over each column between two rows, top to bottom, in lower case on one line.

    Headers are split over rows and merged over columns at will, so the whole block is read. Numbers (a year)
    and footnote marks are left out.
    """
    width = max((len(row) for row in grid.rows[first : last + 1]), default=0)
    found = []
    for column in range(width):
        parts = [grid.text(row, column) for row in range(first, last + 1)]
        text = " ".join(part for part in parts if part and not _NUMBER.fullmatch(part))
        found.append(_FOOTNOTE_MARK.sub("", text.replace("_", " ")).lower().strip())
    return found


def match_columns(
    grid: Grid, row: int, found: Sequence[str], wanted: Mapping[str, re.Pattern[str]]
) -> dict[str, int]:
    """The column of each wanted header: exactly one each, or an error that names what was found."""
    columns: dict[str, int] = {}
    for name, pattern in wanted.items():
        hits = [index for index, text in enumerate(found) if pattern.fullmatch(text)]
        if len(hits) != 1:
            spelled = "; ".join(clip(text, 40) for text in found if text)
            several = " and ".join(_letters(index) for index in hits)
            raise UserError(
                f"two columns say {name!r}: {several}" if hits else f"no column says {name!r}",
                where=grid.where(row),
                found=spelled,
                expected=f"one column headed {name!r}; the layout may have changed",
                nearest=nearest(name, [text for text in found if text]),
            )
        columns[name] = hits[0]
    return columns


def _letters(column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
