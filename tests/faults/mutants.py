"""Changes files as a careless tool, a bad disk or a stranger would."""

from __future__ import annotations

import copy
import csv
import io
import json
import re
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic import JsonValue

ODD: tuple[JsonValue, ...] = (
    None,
    True,
    -1,
    0,
    10**30,
    1e308,
    "",
    "nan",
    "../../etc/passwd",
    "=1+1",
    "\x00",
    "\x1b[2J",
    "x" * 5_000,
    "9" * 5_000,
    "²",
    "1e999",
    "\ud800",
    "{{ x }}",
    "{x}",
    float("nan"),
    2**63,
    10**400,
    -1e-320,
    [],
    [[]],
    [None],
    {},
    {"a": {"b": []}},
)
PIECES = (
    *(
        "\u0130",
        "\u00df",
        "\u00b2",
        "\uff11\uff12",
        "\u2460",
        "\u00bd",
        "\u0663",
        "e\u0301",
        "\u202e",
        "\u200b",
        "\U0001f600",
        "\ufb01",
    ),
    *(
        "</think>",
        "<think>",
        "```",
        "[[",
        "**",
        "%",
        "$",
        "^",
        "\\",
        "{",
        "\x85",
        "\u2028",
        "\r",
        "\x0b",
        "\t" * 400,
        " " * 400,
        "\n" * 400,
    ),
    *(
        "he " * 200,
        "9" * 400,
        "a" * 2_000,
        "\u5979" * 300,
        "\u5341\u767e\u5343\u4e07",
        "-" * 300,
        ". " * 300,
        "(" * 300,
        "1/" * 200,
    ),
)
"""What readers of texts may stumble over."""
COLUMNS: tuple[list[object], ...] = (
    [None],
    ["", "x" * 5_000],
    ["nan", "²", "=1+1", "\x1b[2J", "\x00"],
    [b"\xff\xfe"],
    [0, -1],
    [2**62],
    [0.5, float("nan")],
    [float("inf")],
    [True],
    [["a"], []],
    [{"role": "user"}],
    [datetime(2020, 1, 1, tzinfo=UTC)],
    [Decimal("1.5")],
)
"""Values of a column that are not what belongs there."""


def gguf_text(text: bytes) -> bytes:
    """A text as a value of a GGUF file's metadata."""
    return (8).to_bytes(4, "little") + len(text).to_bytes(8, "little") + text


def gguf_number(kind: int, size: int, value: int) -> bytes:
    """A number likewise."""
    return kind.to_bytes(4, "little") + value.to_bytes(size, "little", signed=value < 0)


def gguf_list(kind: int, count: int, items: bytes) -> bytes:
    """A list likewise, which says that it holds so many items."""
    return (9).to_bytes(4, "little") + kind.to_bytes(4, "little") + count.to_bytes(8, "little") + items


VALUES = (
    *(gguf_text(t) for t in (b"", b"x", b"llama", b"gpt2", b"llama3", b"\xff", b"{{ 1/0 }}", b"{% for")),
    *(gguf_number(4, 4, n) for n in (0, 1, 3, 2**31, 2**32 - 1)),
    *(gguf_number(5, 4, -1), gguf_number(10, 8, 2**64 - 1), gguf_number(11, 8, -(2**63))),
    *(gguf_number(6, 4, 0x7FC00000), gguf_number(12, 8, 0x7FF0000000000000), gguf_number(7, 1, 1)),
    *(
        gguf_list(8, 0, b""),
        gguf_list(8, 1, gguf_text(b"a")[4:]),
        gguf_list(8, 2**40, b""),
        gguf_list(4, 2**40, b""),
    ),
    *(gguf_list(5, 2, bytes(8)), gguf_list(9, 2**20, b""), gguf_number(99, 4, 0)),
)
"""Values of a GGUF file's metadata that are not what belongs there."""
FILLED = 8 + len(b"filler") + 4 + 8
"""Bytes of an entry of that name without its text."""


def places(value: JsonValue, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of every key and item."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*at, key)
        yield from places(item, (*at, key))


def held(holder: JsonValue, key: str | int) -> JsonValue:
    """What is at a place that is there."""
    if isinstance(holder, dict):
        return holder[str(key)]
    assert isinstance(holder, list)
    assert isinstance(key, int)
    return holder[key]


def put(holder: JsonValue, key: str | int, value: JsonValue) -> None:
    """Another value at that place."""
    if isinstance(holder, dict):
        holder[str(key)] = value
    elif isinstance(holder, list) and isinstance(key, int):
        holder[key] = value


def take(holder: JsonValue, key: str | int) -> JsonValue:
    """What was at that place, where nothing is now."""
    if isinstance(holder, dict):
        return holder.pop(str(key))
    assert isinstance(holder, list)
    assert isinstance(key, int)
    return holder.pop(key)


@st.composite
def json_like(draw: st.DrawFn, original: JsonValue, *, lines: bool = False) -> bytes:
    """A JSON file, or JSON lines, with up to three places replaced, removed or renamed."""
    data = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(data))
        if not found:
            break
        *above, last = draw(st.sampled_from(found))
        holder = data
        for key in above:
            holder = held(holder, key)
        how = draw(st.sampled_from(["replace", "remove", "rename"]))
        if how == "replace":
            put(holder, last, copy.deepcopy(draw(st.sampled_from(ODD))))
            continue
        value = take(holder, last)
        if how == "rename":
            put(holder, f"{last}x", value)
    records = data if lines and isinstance(data, list) else [data]
    return "\n".join(map(json.dumps, records)).encode()


@st.composite
def text_like(draw: st.DrawFn, original: str) -> bytes:
    """A text with up to five pieces put in, moved or repeated."""
    text = original
    for _ in range(draw(st.integers(1, 5))):
        at, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)))
        match draw(st.sampled_from(["insert", "replace", "repeat", "move"])):
            case "insert":
                text = text[:at] + piece + text[at:]
            case "replace":
                text = text[:at] + piece + text[end:]
            case "repeat":
                text = text[:end] + text[at:end] * draw(st.sampled_from([1, 3, 50])) + text[end:]
            case _:
                text = text[at:end] + text[:at] + text[end:]
    return text.encode("utf-8", "surrogatepass")


@st.composite
def bytes_like(draw: st.DrawFn, original: bytes) -> bytes:
    """A file cut, or with bytes replaced, inserted or repeated."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["cut", "change", "insert", "repeat"])):
            case "cut":
                del data[at : at + draw(st.integers(1, 40))]
            case "change" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case "insert":
                data[at:at] = draw(
                    st.sampled_from(
                        [
                            b"\0",
                            b"\xff",
                            b"[",
                            b'"',
                            b": ",
                            b"\n",
                            b"&a ",
                            b"*a",
                            b"!!int ",
                            b",,",
                            b"-",
                            b"{{",
                        ]
                    )
                )
            case _:
                data[at:at] = data[max(0, at - 30) : at]
    return bytes(data)


@st.composite
def cells_like(draw: st.DrawFn, original: bytes) -> bytes:
    """A CSV file with up to three cells replaced, or a row or a column taken away or repeated."""
    rows = list(csv.reader(io.StringIO(original.decode("utf-8-sig"))))
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.integers(0, len(rows) - 1))
        column = draw(st.integers(0, max(map(len, rows))))
        match draw(st.sampled_from(["cell", "cell", "row", "column", "repeat"])):
            case "cell" if column < len(rows[row]):
                odd = draw(st.sampled_from(ODD))
                rows[row][column] = odd if isinstance(odd, str) else json.dumps(odd)
            case "row" if len(rows) > 1:
                del rows[row]
            case "column":
                for cells in rows:
                    del cells[column : column + 1]
            case _:
                rows.insert(row, [*rows[row]])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


@st.composite
def packed_like(draw: st.DrawFn, original: bytes, fix: Callable[[dict[str, bytes]], object]) -> bytes:
    """A zip archive with one member changed, and the others made to fit."""
    with zipfile.ZipFile(io.BytesIO(original)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw(st.sampled_from(sorted(members)))
    data = members[name]
    changed = bytes_like(data)
    if name.endswith(".json"):
        changed |= json_like(json.loads(data))
    elif name.endswith(".csv"):
        changed |= cells_like(data)
    elif name.endswith(".parquet"):
        changed |= columns_like(data)
    elif name.endswith(".xml"):
        changed |= xml_like(data)
    members[name] = draw(changed)
    fix(members)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for each, held_ in members.items():
            archive.writestr(each, held_)
    return made.getvalue()


@st.composite
def safetensors_like(draw: st.DrawFn, original: bytes) -> bytes:
    """A file of weights whose header has up to three places replaced, removed or renamed."""
    end = 8 + int.from_bytes(original[:8], "little")
    header = draw(json_like(json.loads(original[8:end])))
    return len(header).to_bytes(8, "little") + header + original[end:]


@st.composite
def gguf_like(draw: st.DrawFn, original: bytes, spans: Sequence[tuple[int, int]]) -> bytes:
    """A GGUF file with an entry of its metadata that has another name, or another value of any kind.

    Args:
        draw: given by hypothesis.
        original: the file.
        spans: where the entries lie; all that follows the last one stays as far from a multiple of 32 as it was.
    """
    begin, end = draw(st.sampled_from(spans))
    size = int.from_bytes(original[begin : begin + 8], "little")
    name, value = original[begin + 8 : begin + 8 + size], original[begin + 8 + size : end]
    if draw(st.integers(0, 3)):
        value = draw(st.sampled_from(VALUES))
    else:
        name = draw(
            st.sampled_from((b"general.architecture", b"general.alignment", b"x", name + b"x", b"\xff"))
        )
    entry = len(name).to_bytes(8, "little") + name + value
    filler = b" " * ((end - begin - len(entry) - FILLED) % 32)
    more = len(b"filler").to_bytes(8, "little") + b"filler" + gguf_text(filler)
    count = int.from_bytes(original[16:24], "little") + 1
    head = original[:16] + count.to_bytes(8, "little") + original[24:begin]
    return head + entry + more + original[end:]


@st.composite
def xml_like(draw: st.DrawFn, original: bytes) -> bytes:
    """An XML file with up to three texts or attributes replaced."""
    text = original.decode()
    for _ in range(draw(st.integers(1, 3))):
        found = [m for pattern in (r'="[^"]*"', r">[^<]+<") for m in re.finditer(pattern, text)]
        if not found:
            break
        at = draw(st.sampled_from(found))
        odd = draw(st.sampled_from((*ODD, "XFD1048576", "A1:XFD1048576", "&a;", "n", "d", "e", "1048576")))
        told = escape(odd if isinstance(odd, str) else json.dumps(odd), {'"': "&quot;"})
        begin, end = (2, 1) if at[0].startswith("=") else (1, 1)
        text = text[: at.start() + begin] + told + text[at.end() - end :]
    return text.encode("utf-8", "replace")


@st.composite
def columns_like(draw: st.DrawFn, original: bytes) -> bytes:
    """A Parquet file with a column of other values or of another type, taken away, or there twice."""
    table = pq.read_table(io.BytesIO(original))
    at = draw(st.integers(0, table.num_columns - 1))
    name, rows = table.column_names[at], table.num_rows
    match draw(st.sampled_from(["odd", "odd", "remove", "rename", "twice", "rows", "empty"])):
        case "odd":
            values = draw(st.sampled_from(COLUMNS))
            table = table.set_column(at, name, pa.array([values[i % len(values)] for i in range(rows)]))
        case "remove":
            table = table.remove_column(at)
        case "rename":
            table = table.rename_columns(
                [*table.column_names[:at], f"{name}x", *table.column_names[at + 1 :]]
            )
        case "twice":
            table = table.append_column(name, table.column(at))
        case "rows":
            table = pa.concat_tables([table, table])
        case _:
            table = table.slice(0, 0)
    made = io.BytesIO()
    pq.write_table(table, made)
    return made.getvalue()
