"""The data of the page: the board as compact JSON; each text is made safe to show and stored once."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from harness import __version__
from harness.metrics.base import OfModel
from harness.metrics.catalog import of
from harness.plaintext import show
from harness.terms import INVALID
from reports.board import board_distances, engine, page_metrics
from reports.page_runs import Strings, key, runs_of, short
from reports.published import published
from reports.samples import find_task
from reports.standing import sampling, seen
from reports.text import link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.metrics.base import Metric
    from harness.scoring.compare import Distances
    from harness.scoring.measured import Measured
    from reports.board import Board, Cell
    from reports.check import Checked
    from reports.load import Entry

CELL_KEYS = [
    *("row", "col", "run", "apart", "seen", "rankLo", "rankHi", "band", "checked"),
    *("tv", "lo", "hi", "plugin", "floor", "perfect", "conditional", "best", "worst"),
    *("each", "errors", "shift", "beside"),
]
"""Before the other metrics of a cell, each with its limits (``jsLo``, ``jsHi``)."""


def payload(board: Board, checked: Mapping[str, Checked]) -> dict[str, object]:
    """Everything that the page's scripts read."""
    strings = Strings()
    runs, index = runs_of(board, strings)
    draws = sum(c.entry.draws for c in _one_per_run(board))
    return {
        "meta": {
            "models": f"{len(board.rows):,}",
            "runs": f"{len(runs):,}",
            "draws": f"{draws:,}",
            "version": __version__,
        },
        "invalid": list(INVALID),
        "columns": _columns(board),
        "rows": _rows(board),
        "metrics": [{"key": m.key, "percent": m.percent, "hidden": m.place == "offered"} for m in _others()],
        "cellKeys": [*CELL_KEYS, *(m.key + end for m in _others() for end in ("", "Lo", "Hi"))],
        "cells": [
            _cell(c, index[key(c)], checked, apart)
            for c, apart in zip(board.cells, board_distances(board), strict=True)
        ],
        "runs": runs,
        "published": published(),
        "strings": list(strings.found),
    }


def _others() -> list[Metric]:
    """The metrics that stand beside the TV."""
    return [m for m in page_metrics() if m.key != "tv"]


def _one_per_run(board: Board) -> list[Cell]:
    return list({key(c): c for c in board.cells}.values())


def _columns(board: Board) -> list[dict[str, object]]:
    names = [(c.key[0], c.key[2], c.key[3]) for c in board.columns]
    shown = [bool(board.ranked(col)) for col in range(len(board.columns))]
    rivals = Counter(name for name, ranked in zip(names, shown, strict=True) if ranked)
    several = Counter(task for task, _ in {(task, attribute) for task, attribute, _ in names})
    made = []
    for col, column in enumerate(board.columns):
        entry, run = column.entry, column.entry.run
        task = find_task(run)
        mark = f"{run.identity.split}/{run.identity.paraphrases}" if rivals[names[col]] > shown[col] else ""
        provenance = entry.target.provenance
        made.append(
            {
                "id": "/".join(show(p, 60) for p in (*names[col], *([mark] if mark else []))),
                "task": show(run.identity.task),
                "version": show(run.identity.task_version),
                "title": show(task.title) if task else "",
                "attribute": show(entry.attribute),
                "about": show(run.identity.task)
                + (f" · {show(entry.attribute)}" if several[names[col][0]] > 1 else ""),
                "lang": show(run.identity.language, 10),
                "mark": mark,
                "ranked": shown[col],
                "split": show(run.identity.split),
                "paraphrases": show(run.identity.paraphrases),
                "target": show(entry.target.name),
                "ttitle": show(entry.target.title),
                "kind": show(entry.target.kind),
                "smoothing": show(entry.target.smoothing, 600),
                "sample": [int(entry.sizes.min()), int(entry.sizes.max())]
                if math.isfinite(entry.sizes.max(initial=-math.inf))
                else None,
                "provenance": provenance
                and {k: show(v, 900) for k, v in provenance.model_dump().items()}
                | {"url": link(provenance.link)},
                "classes": [show(c) for c in entry.classes],
                "contexts": [show(c.replace("_", " ")) for c in entry.contexts],
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
        )
    return made


def _rows(board: Board) -> list[dict[str, object]]:
    names = {w.base: w.model for w in reversed(board.rows) if w.untuned}
    of: list[list[Cell]] = [[] for _ in board.rows]
    for cell in board.cells:
        of[cell.row].append(cell)
    made: list[dict[str, object]] = []
    for row, person in enumerate(board.rows):
        mine = of[row]
        value, low, high = board.overall.get(row, (math.nan,) * 3)
        skill, skill_low, skill_high = board.overall_skill.get(row, (math.nan,) * 3)
        rank = board.overall_rank.get(row, (None, None, None))
        made.append(
            {
                "id": person.id,
                "model": show(person.model),
                "method": show("/".join(filter(None, (person.method, person.arm)))) or "untuned",
                "untuned": person.untuned,
                "base": show(person.base, 64),
                "baseName": show(names.get(person.base, "")),
                "engine": ", ".join(sorted({show(engine(c.entry), 40) for c in mine})),
                "revision": show(person.revision, 12),
                "size": person.size,
                "training": show(person.training),
                "step": person.step,
                "utility": _utility(mine),
                "overall": short(value),
                "overallLo": short(low),
                "overallHi": short(high),
                "skill": short(skill),
                "skillLo": short(skill_low),
                "skillHi": short(skill_high),
                **dict(zip(("rankLo", "rankHi", "band"), rank, strict=True)),
            }
        )
    return made


def _utility(cells: list[Cell]) -> dict[str, object]:
    """What ``distalign utility`` left beside the runs of a row: a headline, and every number."""
    numbers: dict[str, float] = {}
    for found in {id(c.entry.run): c.entry.utility for c in cells}.values():
        if found is None:
            continue
        predicted = found.perplexity.model_dump() if found.perplexity else {}
        numbers |= {key: predicted[key] for key in of(OfModel) if key in predicted}
        for task, metrics in found.lm_eval.tasks.items() if found.lm_eval else ():
            numbers |= {f"{task} {name}": value for name, value in metrics.items()}
    headline = next(iter(numbers), "")
    return {
        "name": show(headline),
        "main": short(numbers[headline]) if headline else None,
        "all": [[show(name), short(float(value))] for name, value in numbers.items()],
    }


def _cell(cell: Cell, run: int, checked: Mapping[str, Checked], distances: Distances | None) -> list[object]:
    entry = cell.entry
    rank = cell.rank or (None, None, None)
    tv, mean = cell.score("tv"), entry.aggregate
    numbers = [tv.estimate, tv.low, tv.high, tv.plugin, tv.floor, max(tv.floor95 - tv.floor, 0.0)]
    numbers += [mean.conditional["tv"].estimate, mean.best_tv, mean.worst_tv]
    others = [number for metric in _others() for number in cell.shown(metric)]
    apart = [[kind, show(detail)] for kind, detail in cell.apart]
    how = checked.get(entry.run.manifest.run, "claimed")
    return [
        cell.row,
        cell.col,
        run,
        apart,
        sorted(seen(entry)),
        *rank,
        how,
        *map(short, numbers),
        *_each(distances),
        {m.key: [short(found.people), short(found.floor)] for m, found in _beside_people(entry)},
        *map(short, others),
    ]


def _beside_people(entry: Entry) -> list[tuple[Metric, Measured]]:
    """The metrics of a result that people have a value of too."""
    known = [(m, entry.metrics[m.key]) for m in _others() if m.key in entry.metrics]
    return [(m, found) for m, found in known if not math.isnan(found.people)]


def _each(distances: Distances | None) -> list[list[float | None]]:
    """Distance and standard error of each context, and by how much a sampled target moves it; empty where unranked."""
    if distances is None:
        return [[], [], []]
    value, variance, shift = distances
    return [_rounded(value), _rounded(np.sqrt(variance)), [] if shift is None else _rounded(shift.ravel())]


def _rounded(values: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(v) else v for v in np.round(values, 5).tolist()]
