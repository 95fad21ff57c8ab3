"""From draws on disk to counts and scores: no model is loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.files import write_atomic
from harness.reading import make_reader, quality
from harness.readings import readings
from harness.runs.folder import Run
from harness.scoring.outcomes import Certain, Counts, read_certain, score_outcomes, tally, to_csv
from harness.scoring.table import to_json
from harness.tasks.target import Sample, Target, check_names, targets_of
from harness.tasks.task import Task, load_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.tasks.task import Attribute

SCHEMA = 1


def score(run: Run | str | Path, targets: Sequence[str] = (), task: str | Task = "") -> dict[str, object]:
    """Read the draws of a run again, count, and score against targets; writes ``counts.csv`` and ``scores.json``.

    Args:
        run: a run or its folder.
        targets: target names; empty is the targets it was scored against before, else all that the task lists.
        task: the task, by name or loaded; '' is the one the manifest names.
    """
    opened = run if isinstance(run, Run) else Run.open(run)
    loaded = task if isinstance(task, Task) else load_task(task or opened.task_source())
    if loaded.name != opened.text("task"):
        raise UserError(
            "the run is of another task",
            where=str(opened.folder),
            found=opened.text("task"),
            expected=loaded.name,
        )
    check_names(targets)
    chosen = targets_of(loaded, targets or opened.scored_targets())
    tables: Mapping[str, Counts | Certain]
    if opened.text("measure") == "draws":
        counts = count(opened, loaded)
        write_atomic(opened.folder / "counts.csv", to_csv(list(counts.values())))
        tables = counts
    else:
        tables = {c.attribute: c for c in read_certain(opened.folder / "shares.csv")}
    results = [
        _result(opened, loaded, loaded.attributes[attribute], tables[attribute], target)
        for attribute, found in chosen.items()
        for target in found
    ]
    scores = {
        "schema": SCHEMA,
        "run": opened.manifest["run"],
        "task": loaded.name,
        "task_version": loaded.version,
        "task_hash": loaded.hash,
        "as_drawn": loaded.hash == opened.text("task_hash"),
        "results": results,
    }
    text = json.dumps(scores, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomic(opened.folder / "scores.json", text + "\n")
    return scores


def count(run: Run, task: Task) -> dict[str, Counts]:
    """Read every draw of a run with each attribute's reader, and count."""
    keys = run.prompt_keys()
    read = list(readings(run, task))
    return {
        name: tally(
            name,
            list(attribute.classes),
            keys,
            (((r.context, r.prompt), r.readings[name].label, r.draw.count) for r in read),
        )
        for name, attribute in task.attributes.items()
    }


def _result(
    run: Run, task: Task, attribute: Attribute, found: Counts | Certain, target: Target
) -> dict[str, object]:
    contexts = found.contexts
    matrix = target.matrix(task, attribute, contexts)
    scored = score_outcomes(found, matrix, target.sizes(attribute, contexts))
    counted: dict[str, object] = {"totals": {}}
    if isinstance(found, Counts):
        valid = found.folded()[:, :-1]
        counted = {"totals": found.totals(), **_reader_errors(run, task, attribute, valid)}
    return {**describe(attribute, target, contexts, matrix), "table": to_json(scored), **counted}


def _reader_errors(run: Run, task: Task, attribute: Attribute, valid: NDArray[np.int64]) -> dict[str, object]:
    """The reader's confusion on the task's examples, and the class shares per context with it taken out."""
    if run.contract.labels or not attribute.examples:
        return {}
    reader = make_reader(attribute.reader, attribute.classes, task.language)
    measured = quality.measure(reader, attribute.examples, list(attribute.classes))
    corrected = [
        quality.corrected_shares(
            {c: float(x / row.sum()) for c, x in zip(attribute.classes, row, strict=True)}, measured
        )
        if row.sum()
        else None
        for row in valid
    ]
    return {"reader": measured.to_json(), "corrected_shares": corrected}


def describe(
    attribute: Attribute, target: Target, contexts: Sequence[str], matrix: NDArray[np.float64]
) -> dict[str, object]:
    """What a result is about: attribute, classes, contexts, target with its provenance."""
    provenance = target.provenance.model_dump() if target.provenance else None
    samples = target.samples(attribute, contexts)
    sample = {part: [getattr(s, part) for s in samples] for part in Sample._fields} if samples else None
    return {
        "attribute": attribute.name,
        "classes": list(attribute.classes),
        "context_ids": list(contexts),
        "target": {
            "name": target.name,
            "title": target.title,
            "kind": target.kind,
            "hash": target.hash,
            "smoothing": target.smoothing,
            "provenance": provenance,
            "shares": matrix.tolist(),
            "sample": sample,
        },
    }
