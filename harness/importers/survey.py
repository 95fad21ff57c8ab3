"""Makes tasks of a survey: each question is a context, the groups of people are targets.

Two published forms are read, from CSV, a JSON list or JSON lines. A column ``question``, a column ``options`` (or
``references``: a list), perhaps ``key`` and ``ordinal``; and beside them

- ``selections``, a mapping from group to a list of shares (GlobalOpinionQA), or
- ``group`` and ``responses`` (or ``distribution``: a list), a row for each group (SubPOP), or
- a column of lists for each group (tables made of OpinionQA).

Questions with the same options are one task, since a task has one list of classes.
"""

from __future__ import annotations

import ast
import json
import math
import re
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from harness.errors import UserError, clip, nearest
from harness.files import csv_lines, make_folder, write_atomic
from harness.importers.prompts import literal, records
from harness.importers.slug import slug
from harness.raw import read_text
from harness.tasks.scaffold import check_name
from harness.tasks.task_file import RESERVED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.tasks.target_file import Provenance

OPTIONS, SHARES, KEYS = ("options", "references"), ("responses", "distribution"), ("key", "qkey", "id")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
LONGEST = 200_000
"""Characters of a cell that holds a list or a mapping."""
MOST = 30
"""Options of one question."""
ROUNDED = 0.03
"""How far from 1 published shares may sum, since each is rounded."""
WORDINGS = {
    "letter": ("train", "A survey asks:\n\n{question}\n\n{options}\n\nHow does one person, picked by chance, answer? {ask}"),
    "street": ("train", "{question}\n\n{options}\n\nSomebody stops you in the street with this question. {ask}"),
    "poll": ("validation", "Question of a poll: {question}\n\n{options}\n\n{ask}"),
    "plain": ("test", "{question}\n\n{options}\n\n{ask}"),
    "form": ("test", "Please fill in this line of a questionnaire.\n\n{question}\n{options}\n\n{ask}"),
    "call": ("test", "An interviewer calls and reads this to you: {question}\n\nThe choices are:\n{options}\n\n{ask}"),
}  # fmt: skip
"""Ways to ask; each has its set."""


@dataclass(frozen=True, slots=True)
class SurveyOptions:
    """What of a survey becomes tasks."""

    name: str
    """What the names of the tasks begin with."""
    provenance: Provenance
    title: str = ""
    """What they are called on a page; the table's name when empty."""
    groups: tuple[str, ...] = ()
    """Groups of people; all when empty."""
    without: tuple[str, ...] = ("Refused",)
    """Options that are no answer: they are left out, and the shares of the others sum to 1."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written."""

    tasks: tuple[Path, ...]
    questions: int
    left_out: int
    """Questions without shares of every group."""


@dataclass(slots=True)
class _Question:
    id: str
    text: str
    options: tuple[str, ...]
    ordered: tuple[str, ...]
    """The options from the lowest to the highest; empty where no order is stated."""
    groups: dict[str, tuple[float, ...]]


def import_survey(file: Path, out: Path, options: SurveyOptions) -> Imported:
    """Write ``out/NAME_1/task.yaml``, ``out/NAME_2/task.yaml``, … for the questions of ``file``.

    Raises:
        UserError: a list cannot be read, shares do not sum to 1, a group does not exist.
    """
    check_name(options.name)
    found = _questions(_rows(file), options.without)
    if not found:
        raise UserError("no question in the file", where=str(file))
    groups = _groups(found, options.groups, file)
    asked = [q for q in found if all(g in q.groups for g in groups)]
    if not asked:
        raise UserError("no question has shares of every group", where=str(file), found=", ".join(groups))
    sets: dict[tuple[tuple[str, ...], tuple[str, ...]], list[_Question]] = {}
    for question in asked:
        sets.setdefault((question.options, question.ordered), []).append(question)
    texts = {}
    for number, questions in enumerate(sets.values(), 1):
        name = f"{options.name}_{number}"
        texts[out / name / "task.yaml"] = _text(name, questions, groups, options)
    for path, text in texts.items():  # what this very command wrote before it was stopped is no other task
        if path.exists() and read_text(path) != text:
            raise UserError("the file exists already", where=str(path), hint="another --name")
    for path, text in texts.items():
        make_folder(path.parent)
        write_atomic(path, text)
    return Imported(tuple(texts), len(asked), len(found) - len(asked))


def _rows(file: Path) -> list[tuple[str, dict[str, object]]]:
    """Each record with its place."""
    if file.suffix.lower() == ".csv":
        header, lines = csv_lines(file, required=["question"])
        return [(f"{file}:{line}", dict(zip(header, cells, strict=True))) for line, cells in lines]
    return records(file)


def _questions(rows: Sequence[tuple[str, dict[str, object]]], without: Sequence[str]) -> list[_Question]:
    found: dict[tuple[str, str], _Question] = {}
    for where, row in rows:
        text = str(row.get("question") or "").strip()
        if not text:
            raise UserError("a row without a question", where=where, expected="a text in the column question")
        column = next((c for c in OPTIONS if row.get(c)), None)
        if column is None:
            raise UserError("a row without a list of options", where=where, expected=" or ".join(OPTIONS))
        listed = [str(o).strip() for o in _listed(row[column], f"{where}:{column}")]
        kept = [i for i, option in enumerate(listed) if option not in without]
        names = tuple(listed[i] for i in kept)
        _check_options(names, f"{where}:{column}")
        given = _shares(row, len(listed), where)
        if strange := next((t for t in (text, *names, *given) if _CONTROL.search(t)), None):
            raise UserError("a text with control characters", where=where, found=strange)
        shares = {g: _kept(values, kept, f"{where}:{g}") for g, values in given.items()}
        stated = str(next((row[c] for c in KEYS if row.get(c)), ""))
        # A row of all groups is a question of its own, though another wave may have asked the same.
        key = (stated or text, where if row.get("selections") and not stated else "")
        one = found.setdefault(key, _Question("", text, names, _ordered(row, kept, names, where), {}))
        if (one.text, one.options) != (text, names) or one.groups.keys() & shares.keys():
            raise UserError(
                "two rows of one question that do not fit together",
                where=where,
                found=key[0],
                expected="the same question and options, and each group once",
            )
        one.groups.update(shares)
    _identify(found)
    return list(found.values())


def _identify(found: Mapping[tuple[str, str], _Question]) -> None:
    """Ids of the contexts: the keys, as far as they are usable."""
    taken: Counter[str] = Counter()
    for (key, _), question in found.items():
        stem = slug(key)[:60].strip("_") or "question"
        taken[stem] += 1
        question.id = stem if taken[stem] == 1 else f"{stem}_{taken[stem]}"


def _check_options(names: Sequence[str], where: str) -> None:
    folded = [name.casefold() for name in names]
    if not 2 <= len(names) <= MOST or len(set(folded)) < len(folded) or not all(names):
        raise UserError(
            "not a list of options",
            where=where,
            found=", ".join(names),
            expected=f"2 to {MOST} texts that differ; leave out no-answers with --without TEXT",
        )


def _shares(row: Mapping[str, object], count: int, where: str) -> dict[str, tuple[float, ...]]:
    """Group -> the shares of all options, in whichever of the forms the table has."""
    if row.get("selections"):
        found = _value(row["selections"], f"{where}:selections")
        if not isinstance(found, dict) or not found:
            raise UserError(
                "not shares by group",
                where=f"{where}:selections",
                found=found,
                expected="{GROUP: [SHARE, …]}",
            )
        return {str(g): _numbers(v, count, f"{where}:selections.{clip(g, 40)}") for g, v in found.items()}
    single = next((c for c in SHARES if row.get(c)), None)
    if single is not None:
        name = (
            " ".join(filter(None, (str(row.get(c) or "").strip() for c in ("attribute", "group")))) or "all"
        )
        return {name: _numbers(_value(row[single], f"{where}:{single}"), count, f"{where}:{single}")}
    known = ("question", *OPTIONS, *KEYS, "ordinal", "option_ordinal", "option_mapping", "refusal_rate")
    wide = {g: _value_or_none(v) for g, v in row.items() if g not in known}
    found_groups = {
        g: _numbers(v, count, f"{where}:{g}")
        for g, v in wide.items()
        if isinstance(v, list | tuple) and len(v) and all(isinstance(x, int | float) for x in v)
    }
    if not found_groups:
        raise UserError(
            "a row without shares",
            where=where,
            found=", ".join(row),
            expected=f"selections, {' or '.join(SHARES)}, or a column of lists for each group",
        )
    return found_groups


def _kept(values: tuple[float, ...], kept: Sequence[int], where: str) -> tuple[float, ...]:
    """The shares of the options that are kept, which sum to 1."""
    chosen = [values[i] for i in kept]
    total = math.fsum(chosen)
    if total <= 0:
        raise UserError("nobody chose an option that is kept", where=where, found=values)
    return tuple(v / total for v in chosen)


def _numbers(given: object, count: int, where: str) -> tuple[float, ...]:
    numbers = _figures(given) if isinstance(given, list | tuple) else []
    values = tuple(map(float, numbers))
    if not isinstance(given, list | tuple) or not len(values) == len(given) == count:
        raise UserError("not a share for each option", where=where, found=given, expected=f"{count} numbers")
    if not all(math.isfinite(v) and v >= 0 for v in values) or abs(math.fsum(values) - 1) > ROUNDED:
        raise UserError(
            "shares that do not sum to 1",
            where=where,
            found=given,
            expected=f"0 or more, 1 in all within {ROUNDED}",
        )
    return values


def _figures(values: Sequence[object]) -> list[int | float]:
    """Those that are numbers, and no longer than a float can hold."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return [v for v in numbers if abs(v) < sys.float_info.max]


def _ordered(
    row: Mapping[str, object], kept: Sequence[int], names: Sequence[str], where: str
) -> tuple[str, ...]:
    """The options by their ordinals, where the table states these and they differ."""
    column = next((c for c in ("ordinal", "option_ordinal") if row.get(c)), None)
    if column is None:
        return ()
    given = _listed(row[column], f"{where}:{column}")
    # OpinionQA gives none to what is no answer, which stands last.
    of_kept = [given[i] for i in kept if i < len(given)]
    numbers = [float(v) for v in _figures(of_kept)]
    if len(numbers) < len(kept) or len(set(numbers)) < len(numbers):
        return ()
    return tuple(name for _, name in sorted(zip(numbers, names, strict=True)))


def _groups(found: Sequence[_Question], wanted: Sequence[str], file: Path) -> tuple[str, ...]:
    held = Counter(g for q in found for g in q.groups)
    for group in wanted:
        if group not in held:
            raise UserError(
                "no such group",
                where=str(file),
                found=group,
                expected=", ".join(sorted(held)[:20]),
                nearest=nearest(group, held),
            )
    groups = tuple(wanted) or tuple(held)
    if not wanted and min(held.values()) < len(found):
        told = ", ".join(f"{g} ({n})" for g, n in held.most_common(20))
        raise UserError(
            "not every group was asked every question",
            where=str(file),
            found=f"of {len(found)} questions: {told}",
            expected="--group for each group that is wanted; questions without them are left out",
        )
    return groups


def _listed(cell: object, where: str) -> list[object]:
    value = _value(cell, where)
    if not isinstance(value, list | tuple):
        raise UserError("not a list", where=where, found=cell, expected="['…', '…']")
    return list(value)


def _value(cell: object, where: str) -> object:
    """What a cell holds: as it is in JSON, or as JSON or Python wrote it into a text. Nothing in it is run."""
    if not isinstance(cell, str):
        return cell
    try:
        return _parsed(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise UserError(
            "neither JSON nor a Python list or mapping",
            where=where,
            found=cell,
            expected=f"at most {LONGEST:,} characters",
        ) from None


def _value_or_none(cell: object) -> object:
    try:
        return _parsed(cell) if isinstance(cell, str) else cell
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def _parsed(text: str) -> object:
    text = text.strip()
    if len(text) > LONGEST:
        raise ValueError
    if written := re.fullmatch(r"defaultdict\(<class '\w+'>, (\{.*\})\)", text, re.DOTALL):
        text = written[1]
    try:
        return json.loads(text)
    except ValueError:
        return ast.literal_eval(text)


def _text(name: str, questions: Sequence[_Question], groups: Sequence[str], about: SurveyOptions) -> str:
    """A task file."""
    first, source = questions[0], about.provenance
    title = about.title or source.table
    names = _class_names(first.options)
    # Options that hold numbers of their own are not numbered: an answer of "2" could be either.
    numbered = not any(re.match(r"\W*\d", option) for option in first.options)
    lines = [f"{i}. {o}" if numbered else f"- {o}" for i, o in enumerate(first.options, 1)]
    ask = (
        "Answer with the number of one option."
        if numbered
        else "Answer with one of these options, word for word."
    )
    shown = literal("\n".join(lines))
    data: dict[str, object] = {
        "name": name,
        "version": 1,
        "title": f"{title}: {', '.join(first.options)}"[:200],
        "attribute": "answer",
        "classes": {
            name: [*([str(i)] if numbered else []), *([option] if option != name else [])]
            for i, (name, option) in enumerate(zip(names, first.options, strict=True), 1)
        },
    }
    if first.ordered:
        data["ordered"] = [names[first.options.index(option)] for option in first.ordered]
    data |= {
        "contexts": [{"id": q.id, "question": q.text} for q in questions],
        "prompts": [
            {
                "id": key,
                "split": split,
                "text": text.format(question="{{ context.question }}", options=shown, ask=ask),
            }
            for key, (split, text) in WORDINGS.items()
        ],
        "sampling": {"max_tokens": 32},
        "targets": {
            alias: {
                "title": f"{title}: {group}"[:200],
                "provenance": source.model_dump(),
                "rows": {q.id: dict(zip(names, q.groups[group], strict=True)) for q in questions},
            }
            for alias, group in _aliases(groups).items()
        }
        | {"uniform": "uniform"},
        "license": source.license,
        "citation": f"{source.publisher}, {source.table}, {source.year}: {source.link}",
    }
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110))


def _class_names(options: Sequence[str]) -> list[str]:
    """Options as names of classes, which hold no comma and no line break."""
    names: list[str] = []
    for option in options:
        name = " ".join(option.replace(",", ";").split())[:190]
        while name in RESERVED or name.casefold() in {n.casefold() for n in names}:
            name += " *"
        names.append(name)
    return names


def _aliases(groups: Sequence[str]) -> dict[str, str]:
    """Names that can be typed after ``--target``."""
    found: dict[str, str] = {}
    for number, group in enumerate(groups, 1):
        plain = slug(group)[:60]
        alias = plain if plain.isascii() and plain and plain not in ("all", "uniform") else f"group_{number}"
        found[alias if alias not in found else f"{alias}_{number}"] = group
    return found
