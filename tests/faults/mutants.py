"""Changes files as a careless tool, a bad disk or a stranger would."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    [],
    [[]],
    [None],
    {},
    {"a": {"b": []}},
)


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
def json_like(draw: st.DrawFn, original: JsonValue) -> bytes:
    """A JSON file with up to three places replaced, removed or renamed."""
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
    return json.dumps(data).encode()


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
