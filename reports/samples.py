"""Chooses a few texts of every class, by a seed and by how often each was drawn, for the page."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UserError
from harness.readings import reader_of
from harness.runs.folder import read_part
from harness.runs.source import locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.runs.folder import Run
    from harness.tasks.task import Attribute, Task

POOL = 12
"""Texts kept per class: the page shows five of them at a time."""
READ = 400
"""Texts that are read, at most, to fill the pools."""
ROWS = 20_000
"""Rows of draws that are looked at, at most."""
NEEDS_MODEL = ("judge", "classifier")
"""Readers that would load a model: their texts are shown without a class."""

Texts = dict[str, list[tuple[str, int]]]
"""Class or other outcome -> texts, each with the number of its draws."""


def find_task(run: Run) -> Task | None:
    """The task of a run, where it is at hand: a board needs none."""
    return _find_task(run.manifest.task_source, run.identity.task, run.identity.task_hash)


@lru_cache(maxsize=256)
def _find_task(source: str, name: str, asked: str) -> Task | None:
    try:
        return locate(source, name, asked)
    except UserError:
        return None


def texts(run: Run, attribute: str, seed: int = 0) -> Texts | None:
    """Texts of a run by the class that its reader gives them; None where there are no draws or no task."""
    task = find_task(run)
    if task is None or attribute not in task.attributes:
        return None
    drawn = _distinct(run, seed)
    if not drawn:
        return None
    pools: Texts = {}
    about = task.attributes[attribute]
    for text, count, label in _labelled(run, task, about, _shuffled(run, drawn, seed)):
        pool = pools.setdefault(label, [])
        if len(pool) < POOL:
            pool.append((text, count))
    order = [*about.classes, *sorted(set(pools) - set(about.classes))]
    return {label: pools[label] for label in order if label in pools}


def _distinct(run: Run, seed: int) -> dict[tuple[str, str], int]:
    """(text, finish) -> draws, from parts in an order that the seed decides, until there are enough."""
    parts = sorted((run.folder / "draws").glob("part-*.parquet"))
    order = np.random.default_rng([seed, len(parts)]).permutation(len(parts))
    found: dict[tuple[str, str], int] = {}
    rows = 0
    for index in order:
        for draw in (d for chunk in read_part(parts[index]) for d in chunk.draws):
            key = (draw.text, draw.finish)
            found[key] = found.get(key, 0) + draw.count
            rows += 1
        if rows >= ROWS:
            break
    return found


def _shuffled(run: Run, drawn: dict[tuple[str, str], int], seed: int) -> list[tuple[tuple[str, str], int]]:
    """Texts in random order, frequent ones earlier: drawing without replacement, weighted by count."""
    items = sorted(drawn.items())
    rng = np.random.default_rng([seed, *run.manifest.run.encode()])
    weights = np.array([count for _, count in items], dtype=np.float64)
    keys = np.log(rng.random(len(items))) / weights
    return [items[i] for i in np.argsort(-keys, kind="stable")]


def _labelled(
    run: Run, task: Task, attribute: Attribute, items: list[tuple[tuple[str, str], int]]
) -> Iterator[tuple[str, int, str]]:
    if attribute.reader.get("name") in NEEDS_MODEL and not run.contract.labels:
        for (text, _), count in items[:POOL]:
            yield text, count, ""
        return
    found = reader_of(run, task, [attribute.name]).read(draw for draw, _ in items[:READ])
    for ((text, _), count), readings in zip(items, found, strict=False):
        yield text, count, readings[attribute.name].label
