"""YAML read in C against the same read in Python."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from harness import limits, nodes

ROOT = Path(__file__).parents[1]
TEXTS = [
    p.read_text(encoding="utf-8") for f in ("tasks", "targets") for p in sorted((ROOT / f).glob("*/*.yaml"))
]
BITS = [
    *":-?[]{},#&*!|>'\"%@` \t\n\\",
    "\n  ",
    "\n- ",
    ": ",
    "--- ",
    "&a ",
    "*a",
    "!!str ",
    "|2\n",
    ">-\n",
    "\u2028",
    "\x85",
]
BITS += [
    "\ufeff",
    "\\ud83d\\ude00",
    "\\x41",
    "\x07",
    "0x1f",
    "1_000",
    "~",
    ".inf",
    "true",
    "yes",
    "2020-01-01",
    "<<: *a",
]


def plain(text: str) -> object:
    """What the loader that is written in Python makes of it."""
    node = nodes._Loader(text).get_single_node()
    return None if node is None else nodes.data(node)


def read(text: str) -> object:
    node = nodes.composed(text)
    return None if node is None else nodes.data(node)


@pytest.mark.parametrize("text", TEXTS[:6])
def test_what_is_shipped_is_read_in_c(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = plain(text)
    monkeypatch.setattr(nodes._Loader, "get_single_node", lambda _: pytest.fail("read in Python"))
    assert read(text) == expected


@given(
    st.sampled_from(TEXTS), st.integers(0, 2000), st.integers(5, 200),
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from(BITS)), max_size=6),
)  # fmt: skip
@example("! # weight", 0, 20, [])
@example("\u2028\ufeff# weight", 0, 20, [])
@example("\ufeffa: 1", 0, 20, [])
def test_a_changed_document_is_read_alike(
    text: str, begin: int, size: int, changes: list[tuple[int, str]]
) -> None:
    piece = text[begin : begin + size]
    for at, bit in changes:
        piece = piece[:at] + bit + piece[at:]
    try:
        expected = plain(piece)
    except (yaml.YAMLError, ValueError, AttributeError, LookupError, TypeError):
        assume(False)
    assert str(read(piece)) == str(expected)


def test_nesting_that_would_end_the_process_is_read_in_python() -> None:
    with pytest.raises(RecursionError):
        nodes.composed("[" * 200_000)


def test_a_document_of_too_many_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "YAML_NODES", 100)
    assert nodes.composed("[" + "1," * 99 + "]")
    with pytest.raises(yaml.YAMLError, match="more than 100 keys"):
        nodes.composed("[" + "1," * 100 + "]")
