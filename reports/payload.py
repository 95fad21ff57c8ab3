"""The data of the page: the board as compact JSON; each text is made safe to show and stored once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness import __version__
from harness.plaintext import show
from harness.terms import INVALID
from reports.board import engine, first_column, page_metrics
from reports.cost import numbers, ratios, utilities
from reports.distances import by_wording
from reports.page_columns import columns_of, context_names, shown_method
from reports.page_runs import Strings, key, runs_of, short
from reports.published import published
from reports.standing import seen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    *("each", "errors", "shift", "beside", "own", "wordings"),
]
"""Before the other metrics of a cell, each with its limits (``jsLo``, ``jsHi``)."""


def payload(board: Board, checked: Mapping[str, Checked]) -> dict[str, object]:
    """Everything that the page's scripts read."""
    strings = Strings()
    runs, index = runs_of(board, strings)
    draws = sum(c.entry.draws for c in {key(c): c for c in board.cells}.values())
    contexts = [column.entry.contexts for column in board.columns]
    return {
        "meta": {
            "models": f"{len(board.rows):,}",
            "runs": f"{len(runs):,}",
            "draws": f"{draws:,}",
            "version": __version__,
        },
        "invalid": list(INVALID),
        "first": first_column(board),
        "shared": list(board.shared),
        "columns": columns_of(board),
        "rows": _rows(board),
        "metrics": [{"key": m.key, "percent": m.percent, "hidden": m.place == "offered"} for m in _others()],
        "cellKeys": [*CELL_KEYS, *(m.key + end for m in _others() for end in ("", "Lo", "Hi"))],
        "cells": [_cell(c, index[key(c)], checked, contexts[c.col], strings) for c in board.cells],
        "runs": runs,
        "published": published(),
        "strings": list(strings.found),
    }


def _others() -> list[Metric]:
    """The metrics that stand beside the TV."""
    return [m for m in page_metrics() if m.key != "tv"]


def _rows(board: Board) -> list[dict[str, object]]:
    names = {w.base: w.model for w in reversed(board.rows) if w.untuned}
    engines: list[set[str]] = [set() for _ in board.rows]
    for cell in board.cells:
        engines[cell.row].add(show(engine(cell.entry), 40))
    costs, worth = [numbers(found) for found in utilities(board)], ratios(board)
    made: list[dict[str, object]] = []
    for row, person in enumerate(board.rows):
        value, low, high = board.overall.get(row, (math.nan,) * 3)
        rank = board.overall_rank.get(row, (None, None, None))
        made.append(
            {
                "id": person.id,
                "model": show(person.model),
                "method": shown_method(person),
                "untuned": person.untuned,
                "base": show(person.base, 64),
                "baseName": show(names.get(person.base, "")),
                "engine": ", ".join(sorted(engines[row])),
                "revision": show(person.revision, 12),
                "size": person.size,
                "training": show(person.training),
                "step": person.step,
                "utility": _utility(costs[row], worth.get(row, math.nan)),
                "overall": short(value),
                "overallLo": short(low),
                "overallHi": short(high),
                **dict(zip(("rankLo", "rankHi", "band"), rank, strict=True)),
            }
        )
    return made


def _utility(found: Mapping[str, float], ratio: float) -> dict[str, object]:
    """A headline with its ratio to the untuned model's, and every number."""
    headline = next(iter(found), "")
    return {
        "name": show(headline),
        "main": short(found[headline]) if headline else None,
        "ratio": short(ratio),
        "all": [[show(name), short(float(value))] for name, value in found.items()],
    }


def _cell(
    cell: Cell, run: int, checked: Mapping[str, Checked], contexts: Sequence[str], strings: Strings
) -> list[object]:
    entry = cell.entry
    rank = cell.rank or (None, None, None)
    tv, mean = cell.score("tv"), entry.aggregate
    scores = [tv.estimate, tv.low, tv.high, tv.plugin, tv.floor, max(tv.floor95 - tv.floor, 0.0)]
    scores += [mean.conditional["tv"].estimate, mean.best_tv, mean.worst_tv]
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
        *map(short, scores),
        *_each(cell.distances),
        {m.key: [short(found.people), short(found.floor)] for m, found in _beside_people(entry)},
        None if entry.contexts == contexts else _own(entry),
        [[strings.add(wording, 120), short(value)] for wording, value in by_wording(entry).items()],
        *map(short, others),
    ]


def _own(entry: Entry) -> dict[str, object]:
    """The contexts and targets of a result whose contexts are not its column's."""
    return {
        "contexts": context_names(entry.contexts),
        "shares": [short(float(x)) for x in entry.shares.ravel()],
    }


def _beside_people(entry: Entry) -> list[tuple[Metric, Measured]]:
    """The metrics of a result that people have a value of too."""
    known = [(m, entry.metrics[m.key]) for m in _others() if m.key in entry.metrics]
    return [(m, found) for m, found in known if not math.isnan(found.people)]


def _each(distances: Distances) -> list[list[float | None]]:
    """Distance and standard error of each context, and by how much a sampled target moves it."""
    value, variance, shift = distances
    return [_rounded(value), _rounded(np.sqrt(variance)), [] if shift is None else _rounded(shift.ravel())]


def _rounded(values: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(v) else v for v in np.round(values, 5).tolist()]
