"""Reads the header of a GGUF file: its metadata and the places of its tensors, but no weights."""

from __future__ import annotations

import mmap
import re
import struct
from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, TypeAlias

from harness import limits
from harness.errors import UserError, missing_package

try:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType
except ImportError as error:
    raise missing_package("a GGUF file", error.name or "gguf", "gguf") from error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Value: TypeAlias = "int | float | bool | str | list[Value]"
MAGIC = b"GGUF"
VERSIONS = (2, 3)
FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Type of a metadata value -> how ``struct`` reads it. 8 is a text and 9 a list."""
TEXT, LIST = 8, 9
PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
VALUES = ("F32", "F16", "BF16", "F64")
"""Types that hold numbers as they are."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where one tensor lies."""

    name: str
    shape: tuple[int, ...]
    """Fastest dimension first, as the file has it."""
    kind: int
    start: int
    """From the beginning of the file."""
    size: int


@dataclass(frozen=True, slots=True)
class Header:
    """One file's metadata and table of tensors."""

    path: Path
    metadata: Mapping[str, Value]
    spans: Mapping[str, tuple[int, int]]
    """Where each entry of the metadata lies, its name included."""
    tensors: Sequence[Tensor]

    @property
    def architecture(self) -> str:
        """Such as ``llama`` or ``gemma3``."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def quantisation(self) -> str:
        """How the weights are stored, such as ``Q4_K_M``."""
        named = self.metadata.get("general.file_type")
        if isinstance(named, int) and named in LlamaFileType.__members__.values():
            return str(LlamaFileType(named).name).removeprefix("MOSTLY_").removeprefix("ALL_")
        held: Counter[str] = Counter()
        for tensor in self.tensors:
            held[GGMLQuantizationType(tensor.kind).name] += prod(tensor.shape)
        return held.most_common(1)[0][0]

    def number(self, key: str) -> int | None:
        """A whole number of the metadata."""
        found = self.metadata.get(key)
        return found if isinstance(found, int) else None

    def texts(self, key: str) -> list[str]:
        """A list of texts of the metadata; empty where it has none."""
        found = self.metadata.get(key)
        return [str(x) for x in found] if isinstance(found, list) else []

    def numbers(self, key: str) -> list[int]:
        """A list of whole numbers of the metadata; empty where it has none."""
        found = self.metadata.get(key)
        return [x for x in found if isinstance(x, int)] if isinstance(found, list) else []


def parts(path: Path) -> list[Path]:
    """The files that make up one model: the file itself, or all parts of a split one."""
    split = PART.search(path.name)
    if split is None:
        return [path]
    stem, count = path.name[: split.start()], int(split[2])
    found = [path.with_name(f"{stem}-{i:05d}-of-{count:05d}.gguf") for i in range(1, count + 1)]
    missing = [p.name for p in found if not p.is_file()]
    if missing:
        raise UserError(
            "a part of the split GGUF model is missing",
            where=str(path),
            found=f"not there: {', '.join(missing[:4])}",
            expected=f"all {count} parts in one folder",
        )
    return found


def read_header(path: Path) -> Header:
    """Read and check one file's header.

    Raises:
        UserError: the file is no GGUF file, of a version that is not known, or cut off.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        begins = file.read(8)
        if begins[:4] != MAGIC:
            raise UserError(
                "not a GGUF file", where=str(path), found=f"it begins with {begins[:4]!r}", expected="b'GGUF'"
            )
        version = int.from_bytes(begins[4:8], "little")
        if len(begins) == 8 and version not in VERSIONS:
            raise UserError(
                "a GGUF file of a version that is not known here",
                where=str(path),
                found=version,
                expected=" or ".join(map(str, VERSIONS)),
            )
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as blob:
                header = _Reader(blob).header(path)
        except (struct.error, LookupError, ValueError, ArithmeticError, RecursionError) as error:
            raise UserError(
                "the GGUF file's header cannot be read: it is damaged or cut off",
                where=str(path),
                found=f"{size:,} bytes; {error}",
                hint="get the file again",
            ) from error
    end = max((t.start + t.size for t in header.tensors), default=0)
    if end > size:
        raise UserError(
            "the GGUF file is cut off",
            where=str(path),
            found=f"{size:,} bytes",
            expected=f"{end:,} bytes",
            hint="get the file again",
        )
    return header


class _Reader:
    def __init__(self, blob: mmap.mmap) -> None:
        self.blob, self.at = blob, 8

    def header(self, path: Path) -> Header:
        tensors, entries = self.take("Q"), self.take("Q")
        metadata: dict[str, Value] = {}
        spans = {}
        for _ in range(entries):
            start = self.at
            name = self.text()
            metadata[name] = self.value(self.take("I"))
            spans[name] = (start, self.at)
        table = [self.row() for _ in range(tensors)]
        if not table:
            raise ValueError("no tensors")
        step = metadata.get("general.alignment", 32)
        data = -(-self.at // step) * step if isinstance(step, int) else self.at
        found = [Tensor(name, shape, kind, data + at, _size(shape, kind)) for name, shape, kind, at in table]
        return Header(path, metadata, spans, found)

    def take(self, kind: str) -> int:
        (found,) = struct.unpack_from("<" + kind, self.blob, self.at)
        self.at += struct.calcsize("<" + kind)
        return int(found)

    def text(self) -> str:
        size = self.take("Q")
        if self.at + size > len(self.blob):
            raise IndexError("a text runs past the end of the file")
        found = self.blob[self.at : self.at + size].decode("utf-8")
        self.at += size
        return found

    def value(self, kind: int) -> Value:
        if kind == TEXT:
            return self.text()
        if kind == LIST:
            inner, count = self.take("I"), self.take("Q")
            if count > limits.JSON_VALUES:
                raise ValueError(f"a list of {count:,} values")
            if inner in (TEXT, LIST):
                return [self.value(inner) for _ in range(count)]
            return self.several(FORMATS[inner], count)
        return self.several(FORMATS[kind], 1)[0]

    def several(self, kind: str, count: int) -> list[Value]:
        found = struct.unpack_from(f"<{count}{kind}", self.blob, self.at)
        self.at += struct.calcsize(f"<{count}{kind}")
        return list(found)

    def row(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self.text()
        shape = tuple(self.take("Q") for _ in range(self.take("I")))
        return name, shape, self.take("I"), self.take("Q")


def _size(shape: tuple[int, ...], kind: int) -> int:
    values, held = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    return prod(shape) // int(values) * int(held)
