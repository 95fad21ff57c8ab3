"""The part of the page's data that is about columns: the question, its target, and the verdict."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING

from harness.plaintext import show
from reports.cost import cost_sentence, ratios
from reports.page_runs import short
from reports.samples import find_task
from reports.standing import sampling
from reports.text import link
from reports.verdict import names_of, sentence, verdict
from reports.words import all_words, method_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.board import Board, Column
    from reports.standing import Who


def columns_of(board: Board) -> list[dict[str, object]]:
    """Every column of a board."""
    names = [(c.key[0], c.key[2], c.key[3]) for c in board.columns]
    shown = [bool(board.ranked(col)) for col in range(len(board.columns))]
    rivals = Counter(name for name, ranked in zip(names, shown, strict=True) if ranked)
    several = Counter(task for task, _ in {(task, attribute) for task, attribute, _ in names})
    told = {language: _said(board, words) for language, words in all_words().items()}
    made = []
    for col, column in enumerate(board.columns):
        identity = column.entry.run.identity
        kind = ", choices" if column.key[-1] == "choices" else ""
        told_apart = rivals[names[col]] > shown[col]
        mark = f"{identity.split}/{identity.paraphrases}{kind}" if told_apart else ""
        attribute = f" · {show(column.entry.attribute)}" if several[names[col][0]] > 1 else ""
        made.append(
            {
                "id": "/".join(show(p, 60) for p in (*names[col], *([mark] if mark else []))),
                "mark": mark,
                "about": show(identity.task) + attribute,
                "ranked": shown[col],
                **_column(column),
                **{
                    key: {language: said[col][key] for language, said in told.items() if col in said}
                    for key in ("says", "cost", "names")
                },
            }
        )
    return made


def _column(column: Column) -> dict[str, object]:
    entry = column.entry
    identity, provenance = entry.run.identity, entry.target.provenance
    task = find_task(entry.run)
    sizes = (
        [int(entry.sizes.min()), int(entry.sizes.max())]
        if math.isfinite(entry.sizes.max(initial=-math.inf))
        else None
    )
    return {
        "task": show(identity.task),
        "version": show(identity.task_version),
        "title": show(task.title) if task else "",
        "attribute": show(entry.attribute),
        "lang": show(identity.language, 10),
        "split": show(identity.split),
        "paraphrases": show(identity.paraphrases),
        "target": show(entry.target.name),
        "ttitle": show(entry.target.title),
        "kind": show(entry.target.kind),
        "smoothing": show(entry.target.smoothing, 600),
        "sample": sizes,
        "provenance": provenance
        and {k: show(v, 900) for k, v in provenance.model_dump().items()} | {"url": link(provenance.link)},
        "classes": [show(c) for c in entry.classes],
        "contexts": context_names(entry.contexts),
        "shares": [short(float(x)) for x in entry.shares.ravel()],
        "sampling": ", ".join(
            f"{k} {show(v, 60)}" for k, v in json.loads(sampling(entry)).items() if v != []
        ),
        "uniform": {k: short(v) for k, v in column.uniform.items()},
        "ideal": {k: short(v) for k, v in column.ideal.items()},
        "people": {k: short(v) for k, v in column.people.items()},
        "floor": short(column.floor),
        "perfect": short(column.perfect),
    }


def context_names(contexts: tuple[str, ...]) -> list[str]:
    """Contexts as they are shown."""
    return [show(c.replace("_", " ")) for c in contexts]


def target_name(column: Column) -> str:
    """A target in a few words: its title up to a colon, else its name."""
    target = column.entry.target
    return show(target.title.partition(":")[0].strip() or target.name, 90)


def shown_method(person: Who) -> str:
    """A row's method with its arm, fit to be shown; "untuned" for none."""
    return show("/".join(filter(None, (person.method, person.arm)))) or "untuned"


def _said(board: Board, words: Mapping[str, str]) -> dict[int, dict[str, str | list[str]]]:
    """Column -> the verdict, what the leaders cost their models, and names of the ranked ones, in one language."""
    found: dict[int, dict[str, str | list[str]]] = {}
    worth = ratios(board)
    bases = {who.base: who.model for who in reversed(board.rows) if who.untuned}
    for col, ranking in board.rankings.items():
        rows = [cell.row for cell in board.ranked(col)]
        names = _names([board.rows[row] for row in rows], bases, words)
        said = verdict(ranking)
        column = board.columns[col]
        target = words["says_even"] if column.entry.target.kind == "uniform" else target_name(column)
        costs = sorted(worth[rows[m]] for m in said.leaders if rows[m] in worth)
        found[col] = {
            "says": sentence(said, names, target, words),
            "cost": cost_sentence(costs, words),
            "names": names,
        }
    return found


def _names(people: Sequence[Who], bases: Mapping[str, str], words: Mapping[str, str]) -> list[str]:
    """Names for a sentence: the method where all have one base, else method and base, else the model's own name."""
    alone = len({who.base for who in people}) == 1 < len(people)
    candidates = []
    for who in people:
        model, method = show(who.model, 90), method_name(shown_method(who), words)
        base = show(bases.get(who.base, ""), 90)
        made = words["says_made"].format(method=method, base=base) if base and not who.untuned else ""
        candidates.append([*([method] if alone else []), made, model, f"{model} ({method})"])
    return names_of(candidates)
