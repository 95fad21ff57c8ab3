"""From draws on disk to counts and scores: no model is loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.files import write_atomic
from harness.planning import targets_of
from harness.reading import make_reader, read_draws
from harness.runs import Run
from harness.scoring.counts import Counts, tally, to_csv
from harness.tasks import load_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.sampling.base import Draw
    from harness.targets import Target
    from harness.tasks import Attribute, Task

SCORES_SCHEMA = 1


def score(run: Run | str | Path, targets: Sequence[str] = (), task: str | Task = "") -> dict[str, object]:
    """Read the draws of a run again, count, and score against targets; writes ``counts.csv`` and ``scores.json``.

    Args:
        run: a run or its folder.
        targets: target names; empty is every target the task lists (and the run's own).
        task: the task, by name or loaded; '' is the one the manifest names.
    """
    opened = run if isinstance(run, Run) else Run.open(run)
    loaded = load_task(task or opened.text("task")) if isinstance(task, str) else task
    if loaded.name != opened.text("task"):
        raise UserError("the run is of another task", where=str(opened.folder), found=opened.text("task"), expected=loaded.name)
    keys = [(str(c), str(p)) for c, p in opened.prompt_keys()]
    known = {c.id for c in loaded.contexts}
    for context, _ in keys:
        if context not in known:
            raise UserError("the task no longer has a context of this run", where=str(loaded.source.path), found=context,
                            expected="the task as it was, or a new evaluation")
    counts = count(opened, loaded, keys)
    chosen = targets_of(loaded, targets or own_targets(opened, loaded))
    scores = score_counts(opened, loaded, counts, chosen)
    write_atomic(opened.folder / "counts.csv", to_csv(list(counts.values())))
    write_atomic(opened.folder / "scores.json", json.dumps(scores, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")
    return scores
