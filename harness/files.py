"""Reads and writes the YAML and CSV files that people edit; a mistake is reported with its file and line."""

from __future__ import annotations

import csv
import errno
import fcntl
import hashlib
import io
import json
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from harness import limits, nodes
from harness.errors import UserError, clip, nearest, plainly
from harness.raw import countable, parse_json, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


M = TypeVar("M", bound=BaseModel)
MISREAD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What is raised where data are not of the form that they are taken for."""


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file's data and the line of every key and item."""

    path: Path
    data: object
    lines: Mapping[tuple[str | int, ...], int]

    def where(self, *loc: str | int) -> str:
        """``file:line:key`` of the deepest part of ``loc`` that the file has."""
        for end in range(len(loc), -1, -1):
            if tuple(loc[:end]) in self.lines:
                key = ".".join(str(p) for p in loc)
                return f"{self.path}:{self.lines[tuple(loc[:end])]}" + (f":{key}" if key else "")
        return str(self.path)


def load_yaml(path: Path) -> Document:
    """Parse a YAML file, refusing duplicate keys and anything but plain data."""
    text = read_text(path, limits.YAML_BYTES)
    lines: dict[tuple[str | int, ...], int] = {(): 1}
    data: object = None
    try:
        node = nodes.composed(text)
        if node is not None:
            _walk(node, (), lines, path)
            data = nodes.data(node)
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(err, "problem", None) or str(err)
        raise UserError(
            f"not valid YAML: {problem}", where=where, expected=nodes.meant(str(problem))
        ) from None
    except MISREAD as err:
        # A tag such as !!int, !!bool or !!timestamp before a text that is none.
        raise UserError(f"not valid YAML: {clip(str(err))}", where=str(path)) from None
    return Document(path, data, lines)


def load_jsonl(path: Path) -> Document:
    """JSON lines as a document whose data is a list."""
    data: list[object] = []
    lines: dict[tuple[str | int, ...], int] = {(): 1}
    text = read_text(path)
    countable(text, str(path))
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            lines[(len(data),)] = number
            data.append(parse_json(line, f"{path}:{number}", "an object a line"))
    return Document(path, data, lines)


def _walk(
    node: yaml.Node, loc: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int], path: Path
) -> None:
    """Note the line of every key and item; an alias is walked as what it stands for, so that this has a limit."""
    if len(lines) > limits.YAML_NODES:
        raise nodes.too_many(node)
    if isinstance(node, yaml.ScalarNode):
        _mend(node)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.composer.ComposerError(None, None, "a key that is no text", key.start_mark)
            _mend(key)
            name = str(key.value)
            at = (*loc, name)
            if at in lines:
                raise UserError(
                    "duplicate key",
                    where=f"{path}:{key.start_mark.line + 1}",
                    found=name,
                    expected=f"each key once (first on line {lines[at]})",
                )
            lines[at] = key.start_mark.line + 1
            _walk(value, at, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            lines[(*loc, i)] = value.start_mark.line + 1
            _walk(value, (*loc, i), lines, path)


def _mend(node: yaml.ScalarNode) -> None:
    """Two escapes of a surrogate pair, as JSON writes an emoji, are one character; a number has an end."""
    problem = "a null byte" if "\0" in node.value else ""
    if node.tag.endswith((":int", ":float")) and len(node.value) > limits.DIGITS:
        problem = f"a number of {len(node.value):,} characters"
    elif not node.value.isascii():
        try:
            node.value = node.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            problem = "half of a surrogate pair"
    if problem:
        raise yaml.composer.ComposerError(None, None, problem, node.start_mark)


def validate(
    model: type[M],
    doc: Document,
    data: object = None,
    loc: tuple[str | int, ...] = (),
    unwritten: tuple[str, ...] = (),
) -> M:
    """``data`` (default: the whole document) as ``model``; the first mistake becomes a ``UserError``.

    Args:
        model: what the data have to be.
        doc: the file they come from.
        data: a part of it.
        loc: where the part stands in the file.
        unwritten: keys that lead to a part in ``data``, but not in the file.
    """
    value = doc.data if data is None else data
    if not isinstance(value, dict):
        raise UserError(
            "not a mapping", where=doc.where(*loc), found=value, expected="keys: " + ", ".join(keys_of(model))
        )
    try:
        return model.model_validate(value)
    except ValidationError as err:
        raise _first_mistake(model, doc, err, loc, unwritten) from None


def _first_mistake(
    model: type[BaseModel],
    doc: Document,
    err: ValidationError,
    loc: tuple[str | int, ...],
    unwritten: tuple[str, ...],
) -> UserError:
    errors = err.errors(include_url=False)
    deepest = max(len(e["loc"]) for e in errors)
    branches = {e["loc"][:1] for e in errors}
    first = errors[0] if len(branches) > 1 else next(e for e in errors if len(e["loc"]) == deepest)
    inner = _without_union_tags(doc, loc, first["loc"])
    led = bool(unwritten) and inner[: len(unwritten)] == unwritten
    at = (*loc, *inner[len(unwritten) if led else 0 :])
    if first["type"] == "extra_forbidden":
        known = keys_of(model_at(model, inner[:-1]))
        key = str(inner[-1])
        return UserError(
            f"unknown key {key!r}",
            where=doc.where(*at),
            expected="one of " + ", ".join(known),
            nearest=nearest(key, known),
        )
    if first["type"] == "missing":
        keys = ", ".join(keys_of(model_at(model, inner[:-1])))
        return UserError(f"missing key {str(inner[-1])!r}", where=doc.where(*at[:-1]), expected=keys)
    message, expected = plainly(first)
    told = first["type"] == "value_error" and isinstance(first["input"], dict | list)
    return UserError(message, where=doc.where(*at), found=None if told else first["input"], expected=expected)


def _without_union_tags(
    doc: Document, loc: tuple[str | int, ...], inner: tuple[str | int, ...]
) -> tuple[str | int, ...]:
    """Pydantic names the member of a union (``str``, ``list[Turn]``) in an error's place; the file has no such key."""
    kept: list[str | int] = []
    for i, part in enumerate(inner):
        last = i == len(inner) - 1
        tag = isinstance(part, str) and re.match(r"(str|int|float|bool|list\[|dict\[|function-)", part)
        if (
            tag
            and (*loc, *kept, part) not in doc.lines
            and (not last or part in ("str", "int", "float", "bool"))
        ):
            continue
        kept.append(part)
    return tuple(kept)


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that a model's file may have."""
    return [f.alias or name for name, f in model.model_fields.items()]


def model_at(model: type[BaseModel], loc: Sequence[str | int]) -> type[BaseModel]:
    """The model of the part that lies at ``loc``."""
    current = model
    for part in loc:
        field = current.model_fields.get(str(part))
        if field is None:
            continue
        inner = _inner_model(field.annotation)
        if inner is not None:
            current = inner
    return current


def _inner_model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for arg in getattr(annotation, "__args__", ()):
        found = _inner_model(arg)
        if found is not None:
            return found
    return None


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row of a CSV file and the line it ends on."""

    line: int
    cells: Mapping[str, str]


def read_csv(path: Path, required: Sequence[str] = ()) -> tuple[list[str], list[CsvRow]]:
    """Header and rows of a CSV file, as ``csv_lines`` reads them."""
    header, lines = csv_lines(path, required)
    return header, [CsvRow(line, dict(zip(header, cells, strict=True))) for line, cells in lines]


def csv_lines(path: Path, required: Sequence[str] = ()) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and rows of a CSV file; ragged rows, doubled or missing columns are ``UserError``s.

    Returns:
        the columns' names; for each row, the line it ends on and its cells in the columns' order.
    """
    reader = csv.reader(io.StringIO(_without_null(path), newline=""), strict=True)
    try:
        header = [h.strip() for h in next(reader, [])]
        if not header:
            raise UserError("an empty file", where=str(path), expected="a header line: " + ",".join(required))
        if len(header) > limits.COLUMNS:
            raise UserError(
                "too many columns",
                where=f"{path}:1",
                found=len(header),
                expected=f"at most {limits.COLUMNS:,}",
            )
        doubled = sorted({h for h in header if header.count(h) > 1})
        if doubled:
            raise UserError(
                "a column stands twice", where=f"{path}:1", found=doubled[0], expected="each column once"
            )
        for name in required:
            if name not in header:
                raise UserError(
                    f"no column {name!r}",
                    where=f"{path}:1",
                    found=",".join(header),
                    expected=f"{name}, in cells parted by commas" if len(header) == 1 else name,
                    nearest=nearest(name, header),
                )
        rows = []
        for raw in reader:
            cells = [c.strip() for c in raw]
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise UserError(
                    f"a row of {len(cells)} cells",
                    where=f"{path}:{reader.line_num}",
                    found=",".join(raw),
                    expected=f"{len(header)} cells: {','.join(header)}",
                )
            rows.append((reader.line_num, cells))
            if len(rows) * len(header) > limits.CELLS:
                raise UserError("too many cells", where=str(path), expected=f"at most {limits.CELLS:,}")
    except csv.Error as err:
        raise UserError(f"not valid CSV: {err}", where=f"{path}:{reader.line_num}") from None
    return header, rows


def _without_null(path: Path) -> str:
    text = read_text(path, limits.CSV_BYTES)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError("a null byte in a CSV file", where=f"{path}:{line}", expected="plain text")
    return text


def write_atomic(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as out:
        out.write(text.encode())


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of ``path`` once it is whole; until then, the old one stays.

    What is no regular file (a device, a FIFO) is written into, and a link is followed, never replaced.

    Raises:
        UserError: the system refuses: a full disk, no leave, no such folder, a folder of that name.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with path.open("wb") as device:
                yield device
            return
        whole = Path(os.path.realpath(path)) if path.is_symlink() else path
        for bad, number in ((whole.is_dir(), errno.EISDIR), (whole.is_symlink(), errno.ELOOP)):
            if bad:
                raise OSError(number, os.strerror(number))
        temporary = whole.with_name(f".{whole.name}.tmp")
        try:
            with _alone(temporary) as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
                temporary.replace(whole)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except BrokenPipeError:
        raise
    except OSError as err:
        raise _unwritten(path, err) from None


def _alone(path: Path) -> BinaryIO:
    """An empty file that no other process writes; who comes while one does waits until that one has moved it away."""
    while True:
        out = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        fcntl.flock(out, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(out.fileno())):
                out.truncate(0)  # what a process that was killed left
                return out
        out.close()


def make_folder(path: Path) -> Path:
    """Make a folder and those above it, if they are not there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise _unwritten(path, err) from None
    return path


def _unwritten(path: Path, err: OSError) -> UserError:
    full = err.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return UserError(
        "cannot be written; what was written before is kept",
        where=str(path),
        found=err.strerror or str(err),
        expected="room on the disk" if full else "a place that can be written to",
        hint="make room, then the same command again" if full else "another path, or leave to write there",
    )


def digest(value: object) -> str:
    """sha256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
