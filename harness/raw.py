"""Reads regular files within limits: bytes, text, JSON, Parquet. Whatever is wrong with one is one message."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from harness import limits
from harness.errors import UserError, clip

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    import pyarrow.parquet as pq
    from pydantic import JsonValue


THREADED_ROWS = 50_000
"""Of fewer rows the columns are read one after the other: threads would take longer to start."""


def read_text(path: Path, most: int = limits.TEXT_BYTES) -> str:
    """The UTF-8 text of a file; a missing, unreadable or wrongly encoded file is a ``UserError``."""
    return decoded(read_bytes(path, most), path)


def read_bytes(path: Path, most: int = limits.TEXT_BYTES) -> bytes:
    """What a regular file holds, if that is not more than ``most``; a device or a FIFO may have no end."""
    regular(path)
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as err:
        raise UserError(f"cannot be read ({err.strerror})", where=str(path)) from None
    if len(data) > most:
        raise UserError("a file that is too large", where=str(path), expected=f"at most {most:,} bytes")
    return data


def read_parquet(path: Path, hint: str = "") -> pa.Table:
    """A Parquet file, if it is one and is not too large when it is unpacked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    regular(path)
    try:
        about = pq.read_schema(path)
        # A long text that stands once in a dictionary may be in millions of rows: its size is known before it is copied.
        texts = [field.name for field in about if pa.types.is_string(field.type)]
        nested = [field.name for field in about if pa.types.is_nested(field.type)]
        if nested:  # a row may hold any number of values
            raise UserError("lists in a table", where=str(path), found=", ".join(nested), hint=hint)
        if len(set(about.names)) < len(about.names):
            raise UserError("a column stands twice", where=str(path), found=", ".join(about.names), hint=hint)
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            _check_size(file.metadata, path)
            table = file.read(use_threads=file.metadata.num_rows > THREADED_ROWS)
            for i, name in enumerate(table.column_names):
                if pa.types.is_dictionary(table.schema.field(i).type):
                    table = table.set_column(i, name, _decoded(table.column(i), path))
            table.validate(full=True)  # or a text that is no UTF-8 is met where it is used
            return table
    # A name of a column that is no UTF-8 is met when the file is opened.
    except (pa.ArrowException, OSError, UnicodeDecodeError) as err:
        raise UserError("a damaged Parquet file", where=str(path), found=str(err), hint=hint) from None


def _check_size(about: pq.FileMetaData, path: Path) -> None:
    # What a file says of single columns is not asked for: where it is damaged, that ends the process.
    cells = about.num_rows * about.num_columns
    if cells > limits.PARQUET_CELLS:
        raise _too_large(path, f"{cells:,} cells")
    unpacked = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    if unpacked > limits.PARQUET_BYTES:
        raise _too_large(path, f"{unpacked:,} bytes when unpacked")


def _decoded(column: pa.ChunkedArray, path: Path) -> pa.ChunkedArray:
    """A column of texts that came as numbers of a dictionary."""
    import pyarrow as pa

    unpacked = sum(map(_unpacked, column.chunks))
    if unpacked > limits.PARQUET_BYTES:
        raise _too_large(path, f"{unpacked:,} bytes of text when unpacked")
    return pa.chunked_array([c.dictionary_decode() for c in column.chunks], column.type.value_type)


def parquet_records(path: Path) -> Iterator[dict[str, object]]:
    """The rows of a Parquet file of any size, some at a time, none of them too large when it is unpacked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    regular(path)
    try:
        about = pq.read_metadata(path)
        columns = [about.schema.column(i) for i in range(about.num_columns)]
        # A long text that stands once in a dictionary may be in each of many rows.
        texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            names = file.schema_arrow.names
            if len(set(names)) < len(names):
                raise UserError("a column stands twice", where=str(path), found=", ".join(names))
            for batch in file.iter_batches(limits.RECORD_BATCH):
                if sum(map(_unpacked, batch.columns)) > limits.BATCH_BYTES:
                    expected = f"at most {limits.BATCH_BYTES:,} bytes for {limits.RECORD_BATCH:,} of them"
                    raise UserError(
                        "records that are too large when unpacked", where=str(path), expected=expected
                    )
                batch.validate(full=True)
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as err:
        raise UserError("this file is no Parquet", where=str(path), found=str(err)) from None


def _unpacked(array: pa.Array) -> int:
    """Bytes of an array, each text counted as often as it stands in it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if pa.types.is_dictionary(kind):
        return int(pc.sum(pc.take(pc.binary_length(array.dictionary), array.indices)).as_py() or 0)
    if pa.types.is_struct(kind):
        return sum(map(_unpacked, array.flatten()))
    if pa.types.is_map(kind):
        return _unpacked(array.keys) + _unpacked(array.items)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _unpacked(array.flatten())
    return int(array.nbytes)


def _too_large(path: Path, found: str) -> UserError:
    return UserError(
        "a Parquet file that is too large",
        where=str(path),
        found=found,
        expected=f"at most {limits.PARQUET_CELLS:,} cells and {limits.PARQUET_BYTES:,} bytes",
    )


def regular(path: Path) -> None:
    """Refuse what is no file that can be read to an end."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise UserError("no such file", where=str(path), expected="a file that can be read") from None
    except (OSError, ValueError) as err:  # ValueError: a null byte or half a surrogate pair
        why = err.strerror if isinstance(err, OSError) else err
        raise UserError(f"cannot be read ({why})", where=str(path)) from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a device, a pipe or a socket"
        raise UserError("not a regular file", where=str(path), found=kind, expected="a file")


def decoded(data: bytes, path: Path) -> str:
    """The text of a file's bytes, line ends as \\n; a ``UserError`` where they are no UTF-8."""
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as err:
        raise UserError(
            "not UTF-8 text",
            where=str(path),
            found=f"byte {err.object[err.start]:#x} at offset {err.start}",
            expected="UTF-8",
            hint=f"iconv -f {_encoding(err.object)} -t utf-8 {path.name} > {path.stem}.utf8{path.suffix}",
        ) from None


def _encoding(data: bytes) -> str:
    """What bytes that are no UTF-8 were probably saved as."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        data.decode("gb2312")
    except UnicodeDecodeError:
        return "cp1252"
    return "gb18030"


_QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BEGINS = "[{,:"
"""What stands before each key and value of JSON."""


def countable(text: str, where: str) -> None:
    """Refuse JSON of so many values that they would fill the memory: ``[]`` is two bytes, and a list takes 56."""
    if sum(map(text.count, _BEGINS)) > limits.JSON_VALUES:
        bare = _QUOTED.sub("", text)
        found = sum(map(bare.count, _BEGINS))
        if found > limits.JSON_VALUES:
            expected = f"at most {limits.JSON_VALUES:,}"
            raise UserError("too many values", where=where, found=f"{found:,}", expected=expected)


def parse_json(text: str, where: str, expected: str = "a JSON object") -> JsonValue:
    """JSON from outside; a ``UserError`` where it is none, is nested too deeply or has half a surrogate pair."""
    countable(text, where)
    try:
        data: JsonValue = json.loads(text)
        if "\\u" in text:
            json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as err:
        raise UserError(f"not valid JSON: {clip(str(err))}", where=where, expected=expected) from None
    return data


def at_home(name: str | Path) -> Path:
    """A path as people write it, with ``~`` for a home.

    Raises:
        UserError: it is the home of nobody.
    """
    try:
        return Path(name).expanduser()
    except RuntimeError as err:
        raise UserError("the home of nobody", where=clip(name), found=str(err)) from None
