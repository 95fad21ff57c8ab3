"""The board's numbers as files: ``leaderboard.csv``, ``leaderboard.json`` and ``counts.csv``."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING, cast

from harness import __version__
from harness.metrics import catalog
from harness.metrics.base import Divergence, OfCounts
from harness.scoring.outcomes import KEYS, Certain, Counts
from reports.board import engine
from reports.standing import sampling
from reports.text import cell as safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.metrics.base import Metric
    from reports.board import Board, Cell
    from reports.check import Checked

SCHEMA = 1
PLACE = ("run", "model", "task", *KEYS)
"""The first columns of ``counts.csv`` and ``shares.csv``."""


def records(board: Board, checked: Mapping[str, Checked]) -> list[dict[str, object]]:
    """One flat record per result, ranked ones first, in the board's order."""
    ordered = sorted(board.cells, key=lambda c: (bool(c.apart), c.col, c.rank or (0, 0, 0), c.row))
    return [_record(board, c, checked.get(c.entry.run.manifest.run, "claimed")) for c in ordered]


def _record(board: Board, cell: Cell, checked: str) -> dict[str, object]:
    entry, person = cell.entry, board.rows[cell.row]
    run, rank = entry.run, cell.rank or (None, None, None)
    record: dict[str, object] = {
        "model": person.model,
        "method": "/".join(filter(None, (person.method, person.arm))),
        "revision": person.revision,
        "weights": person.weights,
        "task": run.identity.task,
        "task_version": str(run.identity.task_version),
        "attribute": entry.attribute,
        "language": run.identity.language,
        "target": str(entry.target["name"]),
        "contexts": len(entry.contexts),
        "split": run.identity.split,
        "paraphrases": run.identity.paraphrases,
        "ranked": not cell.apart,
        "apart": "; ".join(f"{kind}: {detail}" if detail else kind for kind, detail in cell.apart),
        "rank_low": rank[0],
        "rank_high": rank[1],
        "band": rank[2],
    }
    for metric in catalog.METRICS:
        record |= _numbers(cell, metric)
    record |= {
        "tv_of_valid": _plain(cell.score("tv", "estimate", "conditional")),
        "tv_best": _plain(float(cast("float", entry.aggregate["best_tv"]))),
        "tv_worst": _plain(float(cast("float", entry.aggregate["worst_tv"]))),
        "n": entry.n,
        "draws": entry.draws,
        "measure": run.identity.measure,
        "engine": engine(entry),
        "sampling": sampling(entry),
        "seed": run.identity.seed,
        "tokens": run.manifest.tokens,
        "seconds": run.manifest.seconds,
        "run": run.manifest.run,
        "checked": checked,
    }
    return record


def _numbers(cell: Cell, metric: Metric) -> dict[str, object]:
    """The columns of one metric."""
    key = metric.key
    if isinstance(metric, Divergence):
        values = ("estimate", "low", "high", "plugin", "floor", "floor95", "p")
        return {key if v == "estimate" else f"{key}_{v}": _plain(cell.score(key, v)) for v in values}
    shown = cell.shown(metric)
    if metric.needs == "model" or (isinstance(metric, OfCounts) and metric.in_table):
        return {key: _plain(shown.value)}
    found = cell.entry.metrics.get(key)
    how = found.get("interval") if isinstance(found, dict) else None
    low, high = map(_plain, shown[1:])
    return {key: _plain(shown.value), f"{key}_low": low, f"{key}_high": high, f"{key}_interval": how}


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def to_csv(rows: Iterable[Mapping[str, object]]) -> str:
    """Records with the same keys as CSV; text that a spreadsheet would run is disarmed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for i, row in enumerate(rows):
        if not i:
            writer.writerow(row)
        writer.writerow([safe(value) for value in row.values()])
    return out.getvalue()


def to_json(rows: list[dict[str, object]]) -> str:
    """The same records for programs, as they are."""
    plain = [{k: "inf" if v == math.inf else v for k, v in row.items()} for row in rows]
    document = {"schema": SCHEMA, "distalign": __version__, "results": plain}
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def counts_csv(board: Board, *, counted: bool = True) -> str:
    """Counts of every run on the board: each number can be computed from these rows and the target.

    ``counted=False`` gives the shares of the runs without draws instead; '' where there is none.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*PLACE, *(Counts if counted else Certain).columns])
    done = set()
    for cell in board.cells:
        entry, table = cell.entry, cell.entry.table
        key = (entry.run.manifest.run, entry.n, entry.attribute)
        if key in done or isinstance(table, Certain) == counted:
            continue
        done.add(key)
        head = [
            key[0],
            *(safe(x) for x in (board.rows[cell.row].model, entry.run.identity.task, entry.attribute)),
        ]
        writer.writerows([*head, *map(safe, place), *values] for place, values in table.lines())
    return out.getvalue() if done else ""
