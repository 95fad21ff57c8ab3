"""What a board does before it believes a run: computes counts from draws, and scores from counts, again."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.errors import UserError
from harness.metrics.base import About
from harness.progress import Steps
from harness.rescore import read
from harness.scoring import measured
from harness.scoring.outcomes import measure_outcomes, rescaled, score_again, score_outcomes
from harness.tasks.target import resolve
from harness.terms import READERS
from reports.samples import NEEDS_MODEL, find_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.rescore import Read
    from harness.scoring.measured import Measured
    from harness.tasks.target import Target
    from harness.tasks.task import Task
    from reports.load import Entry

Checked = Literal["claimed", "counts", "draws"]
EXACT = 1e-9
SIMULATED = {"estimate", "low", "high", "floor", "floor95", "p", "fit_p"}
"""Numbers that rest on simulation: another version of numpy or of this package may draw others."""
SIMULATED_PARTS = {"metrics", "people", "labelled", "corrected_limits"}
"""Parts of scores.json whose every number does."""
NOISE = 0.01


def check(
    entries: Sequence[Entry], *, every: bool = True
) -> tuple[list[Entry], dict[str, Checked], dict[str, str]]:
    """Recompute results.

    Args:
        entries: scored results.
        every: recompute all of them, and hold every number that a run claims against it. Otherwise those
            alone whose draws are there and are read as they were, or that need none: counts, and the divergences
            with their intervals, but no simulated floor and no metric of texts. Counts and what follows from them
            exactly must agree; an interval by another version of the methods is replaced without a word.

    Returns:
        the results with the recomputed scores; run -> how far it was recomputed; run -> what does not follow, for
        those where something does not.
    """
    made: list[Entry] = []
    checked: dict[str, Checked] = {}
    wrong: dict[str, str] = {}
    found: dict[str, Mapping[str, Read] | None] = {}
    steps = Steps("computing numbers again", len(entries), "results")
    for done, entry in enumerate(entries):
        steps.reach(done)
        run = entry.run.manifest.run
        task = find_task(entry.run)
        if not every and not _as_then(entry, task):
            made.append(entry)
            continue
        again = (
            score_outcomes(entry.table, entry.shares, entry.sizes, entry.positions).aggregate
            if every
            else score_again(entry.table, entry.shares, entry.sizes, entry.aggregate, entry.positions)
        )
        place = first_difference(asdict(entry.aggregate), asdict(again), every=every) or _target(entry, task)
        if run not in found:
            try:
                found[run] = _read(entry, task)
            except UserError as err:
                found[run], wrong[run] = None, f"draws: {err}"
        drawn = found[run]
        own = drawn[entry.attribute] if drawn is not None else None
        metrics = _metrics(entry, own if every else None)
        metrics |= rescaled(entry.table, entry.shares, again.scores["tv"])
        claimed = {key: asdict(value) for key, value in entry.metrics.items() if key in metrics}
        recomputed = {key: asdict(metrics[key]) for key in claimed}
        place = place or first_difference(claimed, recomputed, "metrics", every=every)
        checked[run] = "counts" if own is None else "draws"
        if own is not None and dict(own.counts.cells) != dict(entry.table.cells):
            place = f"counts.csv: {entry.attribute}"
        if place:
            wrong.setdefault(run, place)
        made.append(replace(entry, aggregate=again, metrics={**entry.metrics, **metrics}))
    return made, {run: how for run, how in checked.items() if run not in wrong}, wrong


def _target(entry: Entry, task: Task | None) -> str:
    """Whether the target's figures are those that are installed under its name; '' where there are none."""
    target = _installed(entry, task)
    if target is None or task is None:
        return ""
    about = task.attributes[entry.attribute]
    try:
        shares = target.matrix(task, about, list(entry.contexts))
        sizes = target.sizes(about, list(entry.contexts))
    except UserError:
        return ""
    same = np.allclose(shares, entry.shares, rtol=0, atol=EXACT) and np.array_equal(sizes, entry.sizes)
    return "" if same else f"target {target.name}"


def _installed(entry: Entry, task: Task | None) -> Target | None:
    """The target that is installed under the name of a result's; None where there is none."""
    if task is None or entry.attribute not in task.attributes:
        return None
    try:
        return resolve(task, task.attributes[entry.attribute], entry.target.name)
    except UserError:
        return None


def _metrics(entry: Entry, own: Read | None) -> dict[str, Measured]:
    """The metrics that the score table does not have: of counts, and of texts where the draws are at hand."""
    run = entry.run
    about = About(
        run.identity.task, entry.attribute, entry.classes, run.identity.language, run.identity.measure
    )
    found = measure_outcomes(entry.table, entry.shares, entry.sizes, about)
    if own is not None and not run.contract.labels:
        found |= measured.of_texts(own.texts, about)
    return found


def _read(entry: Entry, task: Task | None) -> Mapping[str, Read] | None:
    """The draws of a run read again; None where they, or the task that read them, are not at hand."""
    return read(entry.run, task) if task is not None and _readable(entry, task) else None


def _readable(entry: Entry, task: Task) -> bool:
    """Whether there are draws, and readers that read them by the files that the run was scored by."""
    if entry.certain or task.hash != entry.task_hash:
        return False
    if any(about.reader.get("name") in NEEDS_MODEL for about in task.attributes.values()):
        return False
    return any((entry.run.folder / "draws").glob("part-*.parquet"))


def _as_then(entry: Entry, task: Task | None) -> bool:
    """Whether a result can be computed again just as it was."""
    if not entry.certain and not (task is not None and entry.readers == READERS and _readable(entry, task)):
        return False
    target = _installed(entry, task)
    return target is None or target.hash == entry.target.hash


def first_difference(claimed: object, found: object, place: str = "", *, every: bool = True) -> str:
    """The first place where two trees differ by more than rounding or simulation; '' where they agree.

    Without ``every`` what rests on simulation is passed over, and so is what only one of them has.
    """
    if isinstance(claimed, list) and isinstance(found, list):
        return first_difference(dict(enumerate(claimed)), dict(enumerate(found)), place, every=every)
    if isinstance(claimed, dict) and isinstance(found, dict):
        names = sorted({*claimed, *found} if every else {*claimed} & {*found})
        inner = (
            first_difference(claimed.get(k), found.get(k), f"{place}.{k}" if place else str(k), every=every)
            for k in names
        )
        return next(filter(None, inner), "")
    if isinstance(claimed, int | float) and isinstance(found, int | float):
        parts = place.split(".")
        simulated = parts[-1] in SIMULATED or bool(SIMULATED_PARTS.intersection(parts))
        if simulated and not every:
            return ""
        loose = NOISE if simulated else EXACT
        close = math.isclose(claimed, found, rel_tol=loose, abs_tol=loose)
        return "" if close or (math.isnan(claimed) and math.isnan(found)) else place
    return "" if claimed == found else place or "scores"
