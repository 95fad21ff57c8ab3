"""Corpora of human replies, read as records: JSON lines (also compressed), or a data set by its name."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError, missing_package, nearest
from harness.files import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FIELDS: dict[str, tuple[str, ...]] = {
    "response": ("response", "human_answer", "output", "answer"),
    "prompt": ("prompt", "question", "instruction"),
    "language": ("language", "lang"),
    "track": ("track",),
    "family": ("family",),
    "style": ("style", "style_bucket"),
    "conversation": ("conversation", "conversation_id", "dialogue_id", "dialog_id"),
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
    for where, record in _data_set(name) if source.startswith("hf:") else _lines(Path(source)):
        yield _reply(record, fields, where, label(source))


def label(source: str) -> str:
    """What a corpus is called: its file's name without the ending."""
    return Path(source.removeprefix("hf:")).name.removesuffix(".gz").removesuffix(".jsonl")


def _lines(path: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    if not path.is_file():
        raise UserError(
            "there is no such file",
            where=str(path),
            found="a folder" if path.is_dir() else None,
            hint="a data set, by name or as a folder, is hf:NAME",
        )
    try:
        data = path.read_bytes()
        text = decoded(gzip.decompress(data) if path.suffix == ".gz" else data, path)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError("this file cannot be read", where=str(path), found=str(error)) from error
    # only \n ends a line: JSON may hold other line separators
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path.name}:{number}", _record(line, f"{path.name}:{number}")


def _record(line: str, where: str) -> Mapping[str, object]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(
            "this line is no JSON", where=where, found=line[:80], expected="JSON lines: an object a line"
        ) from error
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
        present = [name for name in names if name in record]
        # of several names the first that says something; a reply of null is an empty one
        named = next((name for name in present if record[name] is not None), None)
        if named is not None:
            values[field] = _text(record[named], f"{where}:{named}", field)
        elif field == "response" and present:
            values[field] = ""
        elif not present and (field == "response" or field in fields):
            raise UserError(
                f"a record has no {field}",
                where=where,
                found=", ".join(record),
                expected=" or ".join(names),
                hint=f"name the field: --field {field}=NAME",
            )
    identity = values.get("id") or where
    turn = values.get("turn", "")
    # ids of turns end in the turn: what is before names the conversation
    conversation = identity.removesuffix(f"-{turn}") if turn else identity
    return Reply(
        source=source,
        conversation=values.get("conversation") or conversation or identity,
        language=_language(values.get("language", "")),
        track=values.get("track") or "single",
        family=values.get("family") or "assistant",
        style=values.get("style", ""),
        prompt=values.get("prompt", ""),
        text=values["response"],
    )


def _text(value: object, where: str, field: str) -> str:
    """A field's text; numbers may name things, but only text is a reply."""
    if isinstance(value, str):
        return value
    if field not in ("response", "prompt") and isinstance(value, int | float):
        return str(value)
    raise UserError(
        f"the {field} is no text",
        where=where,
        found=json.dumps(value, ensure_ascii=False, default=str),
        expected="a string",
        hint=f"name another field: --field {field}=NAME",
    )


def _language(tag: str) -> str:
    """``en`` of en-US, EN and English; ``zh`` of zh_CN, cmn and Chinese."""
    first = tag.strip().lower().replace("_", "-").split("-")[0]
    return {"english": "en", "eng": "en", "chinese": "zh", "zho": "zh", "cmn": "zh", "中文": "zh"}.get(
        first, first
    )
