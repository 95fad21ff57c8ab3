"""Do draws of two checkpoints with one seed go together? ``python -m tests.benchmarks.coupling OUT.json CHECKPOINT CHECKPOINT …``.

Our own engine takes its random numbers from the seed and the beginning of an output, so that two checkpoints of one base
that are drawn with one seed meet the same numbers. Each checkpoint is drawn with many seeds. Told for each pair: how far
the class shares of a context go together, and the standard error of the difference of the mean TVs beside the one that
independent draws would have (below 1 the shared numbers help; above 1 an interval that takes them for independent is too
narrow).
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from pathlib import Path

import numpy as np
from pydantic import Field

from harness.progress import say
from harness.reading import DrawReader
from harness.records import Record, write
from harness.runs.plan import missing
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.tasks import prompts as asked
from harness.tasks.target import targets_of
from harness.tasks.task import load_task

TASK, TARGET = "gender_us", "labor"


class Pair(Record):
    """Two checkpoints."""

    names: tuple[str, str]
    shares: float
    """Correlation of a class's share between the two, over seeds, in the mean over contexts."""
    difference: float
    """Standard error of the difference of the mean TVs, over that of independent draws."""
    contexts: tuple[float, float]
    """The same of single contexts: the least and the greatest."""


class Coupling(Record):
    """All pairs."""

    schema_version: int = Field(1, alias="schema")
    n: int
    seeds: int
    pairs: tuple[Pair, ...]


def tables(checkpoint: Path, seeds: int, n: int) -> np.ndarray:
    """Seeds x contexts x (classes, no class): counts."""
    task = load_task(TASK)
    ((name, attribute),) = task.attributes.items()
    contexts, wordings = asked.select(task, "test", "test")
    engine = CollapsedEngine(str(checkpoint))
    rendered = asked.render(task, contexts, wordings, None)
    reader = DrawReader.of(task, engine.card().contract, engine.render(missing([n], rendered, [], 0)[0]))
    places = {label: i for i, label in enumerate(attribute.classes)}
    found = np.zeros((seeds, len(contexts), len(places) + 1))
    rows = {context.id: i for i, context in enumerate(contexts)}
    for seed in range(seeds):
        for request, draws in engine.draw(missing([n], rendered, [], seed), task.sampling, reader.settled):
            counted = Counter[int]()
            for draw, read in zip(draws, reader.read((d.text, d.finish) for d in draws), strict=True):
                counted[places.get(read[name].label, len(places))] += draw.count
            for place, count in counted.items():
                found[seed, rows[request.context], place] += count
    say(f"{checkpoint.name}: {seeds} seeds")
    return found


def pair(names: tuple[str, str], a: np.ndarray, b: np.ndarray, target: np.ndarray) -> Pair:
    """What two checkpoints' counts have in common."""
    tv = [np.abs(x / x.sum(-1, keepdims=True) - target).sum(-1) / 2 for x in (a, b)]
    alone = np.sqrt(tv[0].mean(1).var(ddof=1) + tv[1].mean(1).var(ddof=1))
    each = (tv[0] - tv[1]).std(0, ddof=1) / np.sqrt(tv[0].var(0, ddof=1) + tv[1].var(0, ddof=1))
    together = [np.corrcoef(a[:, i, 0], b[:, i, 0])[0, 1] for i in range(a.shape[1])]
    return Pair(
        names=names,
        shares=round(float(np.nanmean(together)), 3),
        difference=round(float((tv[0] - tv[1]).mean(1).std(ddof=1) / alone), 3),
        contexts=(round(float(each.min()), 3), round(float(each.max()), 3)),
    )


def main() -> None:
    """Draw, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("-n", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=100)
    given = parser.parse_args()
    task = load_task(TASK)
    ((name, (target, *_)),) = targets_of(task, [TARGET]).items()
    contexts, _ = asked.select(task, "test", "test")
    matrix = target.matrix(task, task.attributes[name], [c.id for c in contexts])
    full = np.concatenate([matrix, np.zeros((len(matrix), 1))], axis=1)
    counts = {path.name: tables(path, given.seeds, given.n) for path in given.checkpoints}
    pairs = tuple(pair((a, b), counts[a], counts[b], full) for a, b in itertools.combinations(counts, 2))
    write(given.out, Coupling(n=given.n, seeds=given.seeds, pairs=pairs))
    for p in pairs:
        say(
            f"{p.names[0]}, {p.names[1]}: shares {p.shares:.2f}, difference {p.difference:.2f}, contexts {p.contexts}"
        )


if __name__ == "__main__":
    main()
