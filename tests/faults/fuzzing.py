"""Tries mutants of a file: each gives a result or one message, never another exception, soon and in little memory.

``DISTALIGN_MUTANTS=100000`` in the environment sets how many there are of each file.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import UserError
from harness.files import load_yaml
from harness.sampling.gguf.header import read_header
from harness.sampling.hf.limited import growing, within
from tests.faults.mutants import (
    bytes_like,
    cells_like,
    columns_like,
    gguf_like,
    json_like,
    packed_like,
    safetensors_like,
    text_like,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FEW, MANY = 10, int(os.environ.get("DISTALIGN_MUTANTS", "10000"))
SECONDS, BYTES = 10.0, 2**30
"""What one mutant may take."""


class Entry(NamedTuple):
    """Something that comes from outside, and what reads it."""

    file: Path
    read: Callable[[], object]
    fix: Callable[[dict[str, bytes]], object] = lambda _: None
    """Of an archive: makes its other members fit one that was changed."""


def mutants(entry: Entry) -> st.SearchStrategy[bytes]:
    """Files like that of an entry."""
    original, kind = entry.file.read_bytes(), entry.file.suffix
    changed = bytes_like(original)
    if kind == ".json":
        changed |= json_like(json.loads(original))
    elif kind == ".txt":
        changed = text_like(original.decode())
    elif kind == ".yaml":
        changed |= json_like(json.loads(json.dumps(load_yaml(entry.file).data)))
    elif kind == ".jsonl":
        changed |= json_like([json.loads(line) for line in original.splitlines()], lines=True)
    elif kind == ".csv":
        changed |= cells_like(original)
    elif kind in (".zip", ".xlsx"):
        changed |= packed_like(original, entry.fix)
    elif kind == ".parquet":
        changed |= columns_like(original)
    elif kind == ".safetensors":
        changed |= safetensors_like(original)
    elif kind == ".gguf":
        changed |= gguf_like(original, list(read_header(entry.file).spans.values()))
    return changed


def told(read: Callable[[], object]) -> BaseException | None:
    """What was behind the one message, if there was one."""
    try:
        with within(SECONDS), growing(BYTES):
            read()
    except UserError as error:
        return error.__cause__
    return None


def fuzz(entry: Entry, examples: int) -> None:
    """Read so many mutants."""
    original = entry.file.read_bytes()

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(mutants(entry))
    def one(data: bytes) -> None:
        entry.file.write_bytes(data)
        # The limits here are this test's: a message that one of them is behind is none that users would get.
        cause = told(entry.read)
        assert not isinstance(cause, MemoryError | TimeoutError), cause
        assert "can't allocate memory" not in str(cause)

    try:
        one()
    finally:
        entry.file.write_bytes(original)
