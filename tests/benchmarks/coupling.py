"""Do draws of two checkpoints with one seed go together? ``python -m tests.benchmarks.coupling OUT.json MODEL CHECKPOINT …``.

Our own engine takes its random numbers from the seed and the beginning of an output, so that two checkpoints of one base
that are drawn with one seed meet the same numbers. Each checkpoint is drawn with many seeds. Told for each pair: how far
the class shares of a context go together, and the standard error of the difference of the mean TVs beside the one that
independent draws would have (below 1 the shared numbers help; above 1 an interval that takes them for independent is too
narrow). OUT.json keeps what is known of every MODEL, and goes on where it was stopped; its page OUT.md stands beside it.
Without a MODEL the page alone is made again.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import Field
from scipy import stats

from harness.progress import Steps
from harness.reading import DrawReader
from harness.records import Record, read, write
from harness.runs.plan import missing
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.scoring.compare import difference, distances
from harness.tasks import prompts as asked
from harness.tasks.target import targets_of
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.metrics.base import FloatArray, IntArray

TASK, TARGET = "gender_us", "labor"


class HalfWidths(Record):
    """Of the 95% interval of a difference for contexts like these, in the mean over seeds."""

    apart: float
    """Draws with numbers of their own, as ``compare`` has it."""
    shared: float
    """Shared numbers, the draws taken for independent."""
    between: float
    """Shared numbers, the spread between contexts alone."""


class Pair(Record):
    """Two checkpoints."""

    names: tuple[str, str]
    shares: float
    """Correlation of a class's share between the two, over seeds, in the mean over contexts."""
    difference: float
    """Standard error of the difference of the mean TVs, over that of independent draws."""
    contexts: tuple[float, float]
    """The same of single contexts: the least and the greatest."""
    halfwidths: HalfWidths | None = None


class Coupled(Record):
    """The checkpoints of one model."""

    n: int
    seeds: int
    pairs: tuple[Pair, ...] = ()
    counts: dict[str, tuple[tuple[tuple[int, ...], ...], ...]] = Field(default_factory=dict)
    """Checkpoint -> seeds x contexts x (classes, no class)."""


class Coupling(Record):
    """The whole file."""

    schema_version: int = Field(1, alias="schema")
    models: dict[str, Coupled] = Field(default_factory=dict)


def tables(checkpoint: Path, seeds: range, n: int) -> Iterator[IntArray]:
    """Counts, contexts x (classes, no class), of each seed."""
    task = load_task(TASK)
    ((name, attribute),) = task.attributes.items()
    contexts, wordings = asked.select(task, "test", "test")
    engine = CollapsedEngine(str(checkpoint))
    rendered = asked.render(task, contexts, wordings, None)
    reader = DrawReader.of(task, engine.card().contract, engine.render(missing([n], rendered, [], 0)[0]))
    places = {label: i for i, label in enumerate(attribute.classes)}
    rows = {context.id: i for i, context in enumerate(contexts)}
    for seed in seeds:
        found = np.zeros((len(contexts), len(places) + 1), dtype=np.int64)
        for request, draws in engine.draw(missing([n], rendered, [], seed), task.sampling, reader.settled):
            counted = Counter[int]()
            for draw, one in zip(draws, reader.read((d.text, d.finish) for d in draws), strict=True):
                counted[places.get(one[name].label, len(places))] += draw.count
            for place, count in counted.items():
                found[rows[request.context], place] += count
        yield found


def pair(names: tuple[str, str], a: IntArray, b: IntArray, target: FloatArray) -> Pair:
    """What two checkpoints' counts have in common."""
    tv = [np.abs(x / x.sum(-1, keepdims=True) - target).sum(-1) / 2 for x in (a, b)]
    alone = np.sqrt(tv[0].mean(1).var(ddof=1) + tv[1].mean(1).var(ddof=1))
    each = (tv[0] - tv[1]).std(0, ddof=1) / np.sqrt(tv[0].var(0, ddof=1) + tv[1].var(0, ddof=1))
    with np.errstate(invalid="ignore"):
        together = [np.corrcoef(a[:, i, 0], b[:, i, 0])[0, 1] for i in range(a.shape[1])]
    return Pair(
        names=names,
        shares=round(float(np.nanmean(together)), 3),
        difference=round(float((tv[0] - tv[1]).mean(1).std(ddof=1) / alone), 3),
        contexts=(round(float(each.min()), 3), round(float(each.max()), 3)),
        halfwidths=halfwidths(a, b, target),
    )


def halfwidths(a: IntArray, b: IntArray, target: FloatArray) -> HalfWidths:
    """Intervals of the difference of runs with numbers of their own, and of runs with the same."""
    ones, twos = ([distances(seed, target) for seed in x] for x in (a, b))
    found = []
    for i, one in enumerate(ones):
        apart, shared = difference(one, twos[i - 1]), difference(one, twos[i])
        each = one.value - twos[i].value
        between = stats.t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each))
        found.append(((apart.high - apart.low) / 2, (shared.high - shared.low) / 2, between))
    mean = [round(float(v), 5) for v in np.mean(found, axis=0)]
    return HalfWidths(apart=mean[0], shared=mean[1], between=mean[2])


def full_target() -> FloatArray:
    """Contexts x (classes, no class)."""
    task = load_task(TASK)
    ((name, (target, *_)),) = targets_of(task, [TARGET]).items()
    contexts, _ = asked.select(task, "test", "test")
    matrix = target.matrix(task, task.attributes[name], [c.id for c in contexts])
    return np.concatenate([matrix, np.zeros((len(matrix), 1))], axis=1)


HEAD = """\
# Do two checkpoints that meet the same random numbers go together?

Made by `python -m tests.benchmarks.coupling` from [coupling.json](coupling.json). Do not edit.

Task `gender_us` against `labor`. Each checkpoint is drawn with many seeds; two checkpoints with one seed meet the same
random numbers. *Shares* is the correlation of a class's share between the two, over seeds. *Difference* is the standard
error of the difference of the two mean TVs, over that of independent draws: below 1 the shared numbers help. *Contexts*
is the least and the greatest of single contexts. *Half-width* is that of the 95% interval of the difference for contexts
like these: of runs with numbers of their own, as `compare` has it; and of runs with the same numbers by the spread between
contexts alone, which knows how far they go together.

| model | n | seeds | pair | shares | difference | contexts | half-width | with shared numbers |
|---|--:|--:|---|--:|--:|--:|--:|--:|
"""


def page(found: Coupling) -> str:
    """The page of the file."""
    lines = []
    for name, model in found.models.items():
        for p in model.pairs:
            wide = ("", "") if p.halfwidths is None else (p.halfwidths.apart, p.halfwidths.between)
            told = " | ".join(f"{v:.4f}" if v != "" else "" for v in wide)
            lines.append(
                f"| {name} | {model.n} | {model.seeds} | {' and '.join(p.names)} | {p.shares:.2f} | {p.difference:.2f} "
                f"| {p.contexts[0]:.2f} to {p.contexts[1]:.2f} | {told} |\n"
            )
    return HEAD + "".join(lines)


class Given(NamedTuple):
    """What was asked for."""

    out: Path
    model: str
    checkpoints: list[Path]
    n: int
    seeds: int
    end: float


def drawn(given: Given, found: Coupling) -> Coupling:
    """The file with what is missing of a model, as far as the time reaches."""
    before = found.models.get(given.model)
    counts = dict(before.counts) if before is not None and before.n == given.n else {}
    steps = Steps(f"seeds of {given.model}", given.seeds * len(given.checkpoints), "seeds")
    steps.reach(sum(map(len, counts.values())))
    for checkpoint in given.checkpoints:
        name = checkpoint.name
        left = range(len(counts.get(name, ())), given.seeds)
        if not left or time.monotonic() > given.end:
            continue
        for table in tables(checkpoint, left, given.n):
            counts[name] = (*counts.get(name, ()), tuple(map(tuple, table.tolist())))
            steps.reach(sum(map(len, counts.values())))
            if time.monotonic() > given.end:
                break
    least = min(len(counts.get(path.name, ())) for path in given.checkpoints)
    arrays = {name: np.array(rows[:least]) for name, rows in counts.items()}
    pairs = [
        pair((a, b), arrays[a], arrays[b], full_target())
        for a, b in itertools.combinations(arrays, 2)
        if least > 2
    ]
    model = Coupled(n=given.n, seeds=least, pairs=tuple(pairs), counts=counts)
    return found.model_copy(update={"models": found.models | {given.model: model}})


def main() -> None:
    """Draw what is missing, compare, write the file and its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("model", nargs="?", default="", help="its name on the page")
    parser.add_argument("checkpoints", type=Path, nargs="*")
    parser.add_argument("-n", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument(
        "--seconds", type=float, default=np.inf, help="stop after so long; the next call goes on"
    )
    asked_for = vars(parser.parse_args())
    given = Given(end=time.monotonic() + asked_for.pop("seconds"), **asked_for)
    found = read(given.out, Coupling, hint="another OUT.json") if given.out.is_file() else Coupling()
    if given.model:
        found = drawn(given, found)
        write(given.out, found)
    given.out.with_suffix(".md").write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
