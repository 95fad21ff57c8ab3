"""The records of a corpus, one by one: JSON lines, packed or not, Parquet, or a data set by name."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness import limits
from harness.errors import UserError, missing_package
from harness.raw import decoded, parquet_records, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class CorpusRecord(NamedTuple):
    """A record as it stands in a corpus."""

    where: str
    """File and line, for messages."""
    number: int
    """The same in every format."""
    values: Mapping[str, object]
    split: str
    """Of a data set that is published in several splits; else ''."""


def records(source: str) -> Iterator[CorpusRecord]:
    """The records of a .jsonl, .jsonl.gz or .parquet file, or of ``hf:NAME`` (``hf:NAME:CONFIG``).

    Raises:
        UserError: The source cannot be read, or a line is no JSON object.
    """
    if source.startswith("hf:"):
        return _data_set(source.removeprefix("hf:"))
    path = Path(source)
    if not path.is_file():
        raise UserError(
            "there is no such file",
            where=source,
            found="a folder" if path.is_dir() else None,
            hint="a data set, by name or as a folder, is hf:NAME",
        )
    return _parquet(path) if path.suffix == ".parquet" else _lines(path)


def label(source: str) -> str:
    """What a corpus is called: its file's name without the ending."""
    return (
        Path(source.removeprefix("hf:"))
        .name.removesuffix(".gz")
        .removesuffix(".jsonl")
        .removesuffix(".parquet")
    )


def _lines(path: Path) -> Iterator[CorpusRecord]:
    number = 0
    try:
        # of bytes only \n ends a line: JSON may hold other line separators
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for at, line in enumerate(iter(lambda: file.readline(limits.LINE_BYTES + 1), b""), start=1):
                where = f"{path.name}:{at}"
                _count(at, path)
                if len(line) > limits.LINE_BYTES:
                    expected = f"at most {limits.LINE_BYTES:,} bytes"
                    raise UserError("a line that is too long", where=where, expected=expected)
                if line.strip():
                    number += 1
                    yield CorpusRecord(where, number, _record(decoded(line, path).rstrip("\n"), where), "")
    except (OSError, EOFError, zlib.error) as error:
        raise UserError("this file cannot be read", where=str(path), found=str(error)) from error


def _record(line: str, where: str) -> Mapping[str, object]:
    record = parse_json(line, where, "JSON lines: an object a line")
    if not isinstance(record, dict):
        listed = isinstance(record, list)
        raise UserError(
            "this line is no JSON object",
            where=where,
            found=line[:80],
            expected="JSON lines: an object a line",
            hint="jq -c '.[]' FILE.json > FILE.jsonl" if listed else "",
        )
    return record


def _parquet(path: Path) -> Iterator[CorpusRecord]:
    for number, values in enumerate(parquet_records(path), start=1):
        _count(number, path)
        yield CorpusRecord(f"{path.name}: row {number}", number, values, "")


def _count(number: int, path: Path) -> None:
    """Refuse a corpus that has no end."""
    if number > limits.RECORDS:
        raise UserError("too many records", where=str(path), expected=f"at most {limits.RECORDS:,}")


def _data_set(name: str) -> Iterator[CorpusRecord]:
    try:
        import datasets
    except ImportError as error:
        raise missing_package("reading a data set by name", "datasets", "train") from error
    path, _, config = name.partition(":")
    try:
        splits = datasets.load_dataset(path, config or None)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise UserError(
            "the data set cannot be loaded",
            where=f"hf:{name}",
            found=str(error),
            expected="a data set on the hub, in the local cache, or a folder of data files",
        ) from error
    number = 0
    for split, rows in splits.items():
        for at, values in enumerate(rows, start=1):
            number += 1
            yield CorpusRecord(f"{name}:{split}:{at}", number, values, split if len(splits) > 1 else "")
