"""What a board does before it believes a run: computes counts from draws, and scores from counts, again."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.errors import UserError
from harness.metrics.base import About
from harness.progress import Steps
from harness.rescore import read
from harness.scoring import measured
from harness.scoring.outcomes import Counts, measure_outcomes, rescaled, score_again, score_outcomes
from harness.tasks.target import resolve
from harness.terms import READERS
from reports.samples import NEEDS_MODEL, find_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.rescore import Read
    from harness.scoring.measured import Measured
    from harness.scoring.table import AggregateScore
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
    tasks = [find_task(entry.run) for entry in entries]
    targets = _Targets()
    chosen = {i: e for i, e in enumerate(entries) if not every and targets.as_then(e, tasks[i])}
    alike = _together(chosen)
    steps = Steps("computing numbers again", len(entries), "results")
    for done, (entry, task) in enumerate(zip(entries, tasks, strict=True)):
        steps.reach(done)
        run = entry.run.manifest.run
        if not every and done not in alike:
            made.append(entry)
            continue
        again = alike[done] if not every else _anew(entry)
        place = first_difference(entry.aggregate, again, every=every) or targets.differs(entry, task)
        if run not in found:
            try:
                found[run] = _read(entry, task)
            except UserError as err:
                found[run], wrong[run] = None, f"draws: {err}"
        drawn = found[run]
        own = drawn[entry.attribute] if drawn is not None else None
        metrics = _metrics(entry, own if every else None)
        metrics |= rescaled(entry.table, entry.shares, again.scores["tv"])
        claimed = {key: value for key, value in entry.metrics.items() if key in metrics}
        recomputed = {key: metrics[key] for key in claimed}
        place = place or first_difference(claimed, recomputed, "metrics", every=every)
        checked[run] = "counts" if own is None else "draws"
        if own is not None and dict(own.counts.cells) != dict(entry.table.cells):
            place = f"counts.csv: {entry.attribute}"
        if place:
            wrong.setdefault(run, place)
        made.append(replace(entry, aggregate=again, metrics={**entry.metrics, **metrics}))
    return made, {run: how for run, how in checked.items() if run not in wrong}, wrong


def _anew(entry: Entry) -> AggregateScore:
    return score_outcomes(entry.table, entry.shares, entry.sizes, entry.positions).aggregate


def _together(entries: Mapping[int, Entry]) -> dict[int, AggregateScore]:
    """The means of results by their numbers, without what rests on simulation; those against one target at once."""
    found: dict[int, AggregateScore] = {}
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, entry in entries.items():
        if entry.certain:
            found[i] = _anew(entry)
            continue
        order = None if entry.positions is None else entry.positions.tobytes()
        key = (entry.shares.shape, entry.shares.tobytes(), entry.sizes.tobytes(), order)
        groups.setdefault(key, []).append(i)
    steps = Steps("computing intervals again", len(entries), "results")
    for group in groups.values():
        steps.reach(len(found))
        first = entries[group[0]]
        tables = [t for i in group if isinstance(t := entries[i].table, Counts)]
        before = [entries[i].aggregate for i in group]
        found |= zip(
            group, score_again(tables, first.shares, first.sizes, before, first.positions), strict=True
        )
    return found


class _Targets:
    """The targets that are installed under the names of results', each found once."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, str, str], Target | None] = {}

    def differs(self, entry: Entry, task: Task | None) -> str:
        """Whether a target's figures are not those that are installed; '' where they are, or there are none."""
        target = self._installed(entry, task)
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

    def as_then(self, entry: Entry, task: Task | None) -> bool:
        """Whether a result can be computed again just as it was."""
        read_alike = task is not None and entry.readers == READERS and _readable(entry, task)
        if not entry.certain and not read_alike:
            return False
        target = self._installed(entry, task)
        return target is None or target.hash == entry.target.hash

    def _installed(self, entry: Entry, task: Task | None) -> Target | None:
        if task is None or entry.attribute not in task.attributes:
            return None
        key = id(task), entry.attribute, entry.target.name
        if key not in self._found:
            try:
                self._found[key] = resolve(task, task.attributes[entry.attribute], entry.target.name)
            except UserError:
                self._found[key] = None
        return self._found[key]


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


def first_difference(claimed: object, found: object, place: str = "", *, every: bool = True) -> str:
    """The first place where two trees differ by more than rounding or simulation; '' where they agree.

    Without ``every`` what rests on simulation is passed over, and so is what only one of them has.
    """
    if claimed == found:  # what does not exist, nan, is unequal to itself
        return ""
    mine, theirs = _parts(claimed), _parts(found)
    if mine is not None and theirs is not None:
        names = {*mine, *theirs} if every else ({*mine} & {*theirs}) - SIMULATED - SIMULATED_PARTS
        inner = (
            first_difference(mine.get(k), theirs.get(k), f"{place}.{k}" if place else str(k), every=every)
            for k in sorted(names)
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
    return place or "scores"


def _parts(tree: object) -> Mapping[str, object] | None:
    """What a list, an object or a record holds, by its keys; None of anything else."""
    if isinstance(tree, list):
        return {str(i): one for i, one in enumerate(tree)}
    if is_dataclass(tree) and not isinstance(tree, type):
        return {field.name: getattr(tree, field.name) for field in fields(tree)}
    return tree if isinstance(tree, dict) else None
