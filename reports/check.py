"""Recomputing what runs claim: scores from counts, and counts from draws where these are at hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.rescore import count
from harness.scoring import table
from harness.scoring.certain import score_certain
from reports.load import part
from reports.samples import NEEDS_MODEL, find_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.scoring.counts import Counts
    from reports.load import Entry

Checked = Literal["claimed", "counts", "draws"]
TOLERANCE = 1e-9


def check(entries: Sequence[Entry]) -> tuple[dict[str, Checked], dict[str, str]]:
    """Recompute every result.

    Returns:
        run -> how far it was recomputed; run -> what does not follow, for those where something does not.
    """
    checked: dict[str, Checked] = {}
    wrong: dict[str, str] = {}
    counted: dict[str, Mapping[str, Counts] | None] = {}
    for entry in entries:
        run = str(entry.run.manifest["run"])
        place = _first_difference(entry.aggregate, part(table.to_json(_score(entry)), "aggregate"), "")
        if run not in counted:
            counted[run] = _count(entry)
        found = counted[run]
        checked[run] = "counts" if found is None else "draws"
        if found is not None and dict(found[entry.attribute].cells) != dict(entry.table.cells):
            place = f"counts.csv: {entry.attribute}"
        if place:
            wrong.setdefault(run, place)
    return {run: how for run, how in checked.items() if run not in wrong}, wrong


def _score(entry: Entry) -> table.TableScore:
    k, rows = len(entry.classes), entry.rows
    if entry.certain:
        lower = np.concatenate([rows[:, :k], rows[:, k:-1].sum(axis=1, keepdims=True)], axis=1)
        return score_certain(np.asarray(lower, dtype=np.float64), np.asarray(rows[:, -1]), entry.shares)
    counts = np.asarray(rows, dtype=np.int64)
    return table.score(counts[:, :k], counts[:, k:].sum(axis=1), entry.shares, seed=0)


def _count(entry: Entry) -> Mapping[str, Counts] | None:
    """The draws of a run counted again; None where they, or the task that read them, are not at hand."""
    run = entry.run
    if entry.certain:
        return None
    task = find_task(run.text("task"))
    if task is None or task.hash != entry.task_hash or not any((run.folder / "draws").glob("part-*.parquet")):
        return None
    if any(about.reader.get("name") in NEEDS_MODEL for about in task.attributes.values()):
        return None
    return count(run, task)


def _first_difference(claimed: object, found: object, place: str) -> str:
    """The first place where two trees differ by more than rounding; '' where they agree."""
    if isinstance(claimed, dict) and isinstance(found, dict):
        for key in sorted({*claimed, *found}):
            inner = _first_difference(
                claimed.get(key), found.get(key), f"{place}.{key}" if place else str(key)
            )
            if inner:
                return inner
        return ""
    if isinstance(claimed, int | float) and isinstance(found, int | float):
        return "" if math.isclose(claimed, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE) else place
    return "" if claimed == found else place or "scores"
