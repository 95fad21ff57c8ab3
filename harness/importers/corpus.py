"""Corpora of human replies as records: JSON lines, packed or not, or a data set by name."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError, missing_package, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FIELDS: dict[str, tuple[str, ...]] = {
    "response": ("response", "human_answer", "output", "answer"),
    "prompt": ("prompt", "question", "instruction"),
    "language": ("language", "lang"),
    "track": ("track",),
    "family": ("family",),
    "style": ("style", "style_bucket"),
    "id": ("id",),
    "turn": ("turn",),
}
"""What each field may be called."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of a human."""

    source: str
    conversation: str
    """Replies of one conversation share it: they are held out, or split in halves, together."""
    language: str
    track: str
    family: str
    style: str
    prompt: str
    text: str


def read_replies(source: str, fields: Mapping[str, str]) -> Iterator[Reply]:
    """The replies in ``source``: a path to .jsonl or .jsonl.gz, or ``hf:NAME`` (``hf:NAME:CONFIG``).

    Args:
        source: Where the corpus is.
        fields: Field of ``FIELDS`` -> what this corpus calls it, where that is not one of the usual names.

    Raises:
        UserError: A line is no JSON object, or has no reply.
    """
    for name in fields:
        if name not in FIELDS:
            raise UserError(
                f"there is no field {name!r}", expected=", ".join(FIELDS), nearest=nearest(name, FIELDS)
            )
    name = source.removeprefix("hf:")
    label = Path(name).name.removesuffix(".gz").removesuffix(".jsonl")
    for where, record in _data_set(name) if source.startswith("hf:") else _lines(Path(source)):
        yield _reply(record, fields, where, label)


def _lines(path: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    if not path.is_file():
        raise UserError("there is no such file", where=str(path), hint="a data set by name is hf:NAME")
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise UserError("this file cannot be read", where=str(path), found=str(error)) from error
    # only \n ends a line: JSON may hold other line separators
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path.name}:{number}", _record(line, f"{path.name}:{number}")


def _record(line: str, where: str) -> Mapping[str, object]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError("this line is no JSON", where=where, found=line[:80]) from error
    if not isinstance(record, dict):
        raise UserError("this line is no JSON object", where=where, found=line[:80])
    return record


def _data_set(name: str) -> Iterator[tuple[str, Mapping[str, object]]]:
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
    for split, rows in splits.items():
        for number, record in enumerate(rows, start=1):
            yield f"{name}:{split}:{number}", record


def _reply(record: Mapping[str, object], fields: Mapping[str, str], where: str, source: str) -> Reply:
    values: dict[str, str] = {}
    for field, usual in FIELDS.items():
        names = (fields[field],) if field in fields else usual
        present = [name for name in names if record.get(name) is not None]
        if present:
            values[field] = str(record[present[0]])
        elif field == "response" or field in fields:
            raise UserError(
                f"a record has no {field}",
                where=where,
                found=", ".join(record),
                expected=" or ".join(names),
                hint=f"name the field: --field {field}=NAME",
            )
    identity = values.get("id", where)
    turn = values.get("turn", "")
    # ids of turns end in the turn: what is before names the conversation
    conversation = identity.removesuffix(f"-{turn}") if turn else identity
    return Reply(
        source=source,
        conversation=conversation or identity,
        language=values.get("language", ""),
        track=values.get("track", "single"),
        family=values.get("family", "assistant"),
        style=values.get("style", ""),
        prompt=values.get("prompt", ""),
        text=values["response"],
    )
