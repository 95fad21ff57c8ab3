"""Imports the prompt file of a paper, so that exactly the paper's prompts can be asked."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import yaml

from harness.errors import UserError, nearest
from harness.files import make_folder, write_atomic
from harness.raw import parse_json, read_text
from harness.tasks.catalog import beside, find
from harness.tasks.scaffold import check_name
from harness.terms import FITTED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.tasks.task import Context, Task

_Keys = dict[str, Any]
"""What a YAML file holds, as it was checked when the task was loaded."""
NAMES = ("title", "occupation", "workers", "profession", "name", "id")
"""Columns of a context whose text may stand in a prompt, the most telling first."""


def import_prompts(file: Path, task: Task, name: str, out: Path) -> Path:
    """Write a task that asks the prompts of ``file`` and is in all else like ``task``; returns its ``task.yaml``.

    Args:
        file: a JSON list or JSON lines of records with ``messages`` (role and content; a last assistant turn is the
            answer and is left out) or ``prompt``, and perhaps ``context``, the id of a context. Without it the
            context is the one whose title or name the last message holds, or the task's only one.
        task: where classes, contexts, reader and targets come from.
        name: name of the new task.
        out: folder to write ``name/task.yaml`` in.
    """
    check_name(name)
    folder = out / name
    if (folder / "task.yaml").exists():
        raise UserError("the file exists already", where=str(folder / "task.yaml"), hint="another --name")
    found: dict[tuple[str, str], dict[str, object]] = {}
    for place, record in records(file):
        messages = _messages(record, place)
        context = _context(record, messages[-1]["content"], task, place)
        key = (context, json.dumps(messages, ensure_ascii=False))
        number = sum(c == context for c, _ in found) + 1
        turns = [{"role": m["role"], "content": literal(m["content"])} for m in messages]
        found.setdefault(key, {"id": f"p{len(found) + 1}_{number}", "contexts": [context], "messages": turns})
    if not found:
        raise UserError("no prompt in the file", where=str(file), expected='{"messages": […]} records')
    data: _Keys = deepcopy(task.source.data) if isinstance(task.source.data, dict) else {}
    data.update(name=name, title=f"{task.title}, prompts of {file.name}", prompts="prompts.yaml", version=1)
    asked = {context for context, _ in found}
    data["contexts"] = [dict(c.fields) for c in task.contexts if c.id in asked]
    make_folder(folder)
    for spec in [data, *(data.get("attributes") or {}).values()]:
        for holder, named in _named(spec):
            holder[named] = _copied(beside(task.source, holder[named]), folder)
        for alias, target in (spec.get("targets") or {}).items():
            if isinstance(target, str):
                spec["targets"][alias] = _target(target, task, folder)
    write_atomic(folder / "prompts.yaml", _yaml(list(found.values())))
    write_atomic(folder / "task.yaml", _yaml(data))
    return folder / "task.yaml"


def _named(spec: _Keys) -> Iterator[tuple[_Keys, str]]:
    """Where an attribute names a file beside the task: its texts, a fitted reader, the figures of a target."""
    yield from ((spec, key) for key in ("examples", "blind") if isinstance(spec.get(key), str))
    reader = spec.get("reader")
    if isinstance(reader, dict) and str(reader.get("path", "")).endswith(FITTED):
        yield reader, "path"
    targets = (spec.get("targets") or {}).values()
    yield from ((target, "file") for target in targets if isinstance(target, dict) and "file" in target)


def _copied(source: Path, folder: Path) -> str:
    write_atomic(folder / source.name, read_text(source))
    return source.name


def _target(name: str, task: Task, folder: Path) -> str:
    """A target as the new task names it: one that is found only beside the old task is copied."""
    path = find("targets", name, task.folder)
    with suppress(UserError):
        if find("targets", name, folder).samefile(path):
            return name
    if path.name != "target.yaml":
        raise UserError(
            "a target that the new task would not find",
            where=f"{task.source.path}:targets",
            found=name,
            expected="a name of 'distalign list targets', or a folder with target.yaml",
        )
    shutil.copytree(path.parent, folder / path.parent.name, dirs_exist_ok=True)
    return f"./{path.parent.name}"


def _yaml(data: object) -> str:
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110))


def records(file: Path) -> list[tuple[str, dict[str, object]]]:
    """The records of a JSON list or of JSON lines, each with its place."""
    text = read_text(file).strip()
    if text.startswith("["):
        listed = parse_json(text, str(file), "a list, or an object a line")
        rows = enumerate(listed if isinstance(listed, list) else [], 1)
        found = [(f"{file}: record {i}", row) for i, row in rows]
    else:
        lines = [(f"{file}:{i}", line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
        found = [(place, parse_json(line, place, "a list, or an object a line")) for place, line in lines]
    records: list[tuple[str, dict[str, object]]] = [
        (place, dict(row)) for place, row in found if isinstance(row, dict)
    ]
    for place, row in found:
        if not isinstance(row, dict):
            raise UserError("not a record", where=place, found=row, expected='{"messages": […]}')
    return records


def _messages(record: dict[str, object], place: str) -> list[dict[str, str]]:
    given = record.get("messages")
    if given is None and isinstance(record.get("prompt"), str):
        given = [{"role": "user", "content": record["prompt"]}]
    if not isinstance(given, list) or not given:
        raise UserError(
            "no messages", where=place, found=sorted(record), expected="messages: [{role, content}, …]"
        )
    messages = []
    for turn in given:
        role, content = (turn.get(k) if isinstance(turn, dict) else None for k in ("role", "content"))
        if role not in ("system", "user", "assistant") or not isinstance(content, str) or "\0" in content:
            raise UserError(
                "not a message",
                where=place,
                found=turn,
                expected="role system, user or assistant, and content",
            )
        messages.append({"role": str(role), "content": content})
    while messages and messages[-1]["role"] == "assistant":
        messages.pop()
    if not messages or not all(m["content"].strip() for m in messages):
        raise UserError("no question", where=place, found=given, expected="a user message, and none empty")
    return messages


def _context(record: dict[str, object], text: str, task: Task, place: str) -> str:
    ids = {c.id for c in task.contexts}
    stated = record.get("context")
    if stated is not None:
        if stated not in ids:
            raise UserError(
                f"not a context of task {task.name!r}",
                where=place,
                found=stated,
                expected="a context id",
                nearest=nearest(str(stated), ids),
            )
        return str(stated)
    if len(ids) == 1:
        return ids.pop()
    folded = text.casefold()
    held = {context.id: spans for context in task.contexts if (spans := _spans(context, folded))}
    if not held:
        titles = [c.fields.get("title", c.id) for c in task.contexts]
        raise UserError(
            "the prompt names no context of the task",
            where=place,
            found=text,
            expected="one of its titles, or a key context",
            nearest=nearest(text, titles),
        )
    best = max(held, key=lambda context: max(end - start for start, end in held[context]))
    within = max(held[best], key=lambda span: span[1] - span[0])
    others = [
        context
        for context, spans in held.items()
        if context != best
        and any(not (within[0] <= s and e <= within[1]) or (s, e) == within for s, e in spans)
    ]
    if others:
        raise UserError(
            "the prompt names several contexts of the task",
            where=place,
            found=", ".join([best, *others]),
            expected="one of them, as a key context of the record",
        )
    return best


def _spans(context: Context, text: str) -> list[tuple[int, int]]:
    """Where a context's names stand in ``text``, as whole words (letters of other scripts need no space)."""
    names = {v.casefold() for k in NAMES if (v := context.fields.get(k, ""))}
    return [
        m.span() for name in names for m in re.finditer(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", text)
    ]


def literal(text: str) -> str:
    """``text`` as a template that renders to itself: outside a literal, Jinja makes every line end a plain one."""
    return "{{ " + json.dumps(text, ensure_ascii=False) + " }}" if "{" in text or "\r" in text else text
