"""Do scores with hand labels hold the truth, whatever the reader does? ``python -m tests.benchmarks.labels OUT``.

Simulates runs of which a person would say one thing and a reader another: readers that are right, rarely wrong, biased
to one class, random, wrong throughout in a quarter of the contexts, and wrong where the model is on target. A part of
the draws is labelled as ``distalign label`` samples them. Counted: how often the limits hold the truth by hand, for the
mean TV, for the mean W1 (the classes stand at equal steps) and for the worst covered class share; and how wide they are,
beside those of as many labels without a reader. OUT gets labels.json and labels.md. Cells that labels.json has already
are not simulated again.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from harness.labels import sizes_of
from harness.metrics.catalog import divergence
from harness.metrics.tv import tv
from harness.metrics.w1 import W1, w1
from harness.progress import Steps
from harness.scoring.interval import Limits, guarded_limits, mean_limits
from harness.scoring.labelled import AsRead, Drawn, Labelled, LabelledDraws, labelled
from harness.scoring.ordered import ordered_sides
from harness.scoring.sides import Table, sides
from harness.scoring.table import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float64]
READERS = ("right", "rare", "biased", "random", "adversarial", "on target")
SHAPES = ((1, 2), (5, 3), (14, 2))
"""Contexts and classes."""
LABELS = (50, 100, 500)
DRAWS = 100
"""Of each context."""
DOUBTFUL, AGAIN = 0.95, 3
"""A kind covered less often is simulated anew, so many times longer."""
TOGETHER = 20
"""Runs of one world, scored at once."""


class World(NamedTuple):
    """A model, its target, and a reader."""

    target: Floats
    """Contexts x classes."""
    by_hand: Floats
    """Contexts x (classes, no class): what a person would say."""
    reads: Floats
    """Contexts x label x what is read."""

    @property
    def tv(self) -> float:
        """By hand, in the mean over contexts."""
        full = np.concatenate([self.target, np.zeros((len(self.target), 1))], axis=1)
        return float(tv(self.by_hand, full).mean())

    @property
    def positions(self) -> Floats:
        """Equal steps."""
        return np.linspace(0.0, 1.0, self.target.shape[1])

    @property
    def w1(self) -> float:
        """By hand, in the mean over contexts."""
        return float(w1(self.by_hand, self.target, self.positions).mean())


def world(contexts: int, classes: int, reader: str, rng: np.random.Generator) -> World:
    """Drawn at random."""
    target = rng.dirichlet(np.full(classes, 2.0), size=contexts)
    full = np.concatenate([target, np.zeros((contexts, 1))], axis=1)
    by_hand = np.stack([rng.dirichlet(50 * (0.9 * row + 0.1 / len(row))) for row in full])
    same, moved = np.eye(classes + 1), np.roll(np.eye(classes + 1), 1, axis=1)
    reads = np.tile(same, (contexts, 1, 1))
    if reader == "rare":
        reads = 0.98 * reads + 0.02 * moved
    elif reader == "biased":
        reads = 0.85 * reads
        reads[:, :, 0] += 0.15
    elif reader == "random":
        reads = np.full_like(reads, 1 / (classes + 1))
    elif reader == "adversarial":
        reads[: max(1, contexts // 4)] = moved
    elif reader == "on target":
        by_hand, reads = full, 0.9 * reads + 0.1 * moved
    return World(target, by_hand, reads)


class Run(NamedTuple):
    """What was drawn, and its mean distances as read."""

    drawn: NDArray[np.int64]
    """Contexts x by hand x read."""
    tv: Interval
    w1: Interval


def runs(about: World, count: int, rng: np.random.Generator) -> list[Run]:
    """Draw and read."""
    contexts, classes = about.target.shape
    joint = (about.by_hand[:, :, None] * about.reads).reshape(contexts, -1)
    drawn = rng.multinomial(DRAWS, joint, size=(count, contexts))
    drawn = drawn.reshape(count, contexts, classes + 1, classes + 1)
    by_tv, by_w1 = distances(drawn.sum(axis=2), about)
    return [
        Run(one, *(Interval(*(float(part[i]) for part in found)) for found in (by_tv, by_w1)))
        for i, one in enumerate(drawn)
    ]


def measured(about: World, run: Run, labels: int, rng: np.random.Generator) -> Labelled:
    """Sample, label, score."""
    read = run.drawn.sum(axis=1)
    weight = read.sum(axis=0) / read.sum()
    rows = []
    for name, size in sizes_of({str(o): float(w) for o, w in enumerate(weight) if w}, labels).items():
        here = run.drawn[:, :, int(name)].ravel()
        for cell in rng.choice(len(here), size=size, p=here / here.sum()):
            rows.append((int(name), *divmod(int(cell), read.shape[1])))
    stratum, context, label = np.array(rows).T
    sample = LabelledDraws(weight, stratum, context, stratum, label)
    as_read = AsRead(run.tv, run.w1, run.tv.value)
    return labelled(sample, Drawn(read, read, 0.0), about.target, as_read, labels, about.positions)


def distances(counts: NDArray[np.int64], about: World) -> tuple[Limits, Limits]:
    """Mean TV and mean W1 of each of several runs ``[runs, contexts, outcomes]``, with the limits of the score table."""
    count, contexts, outcomes = counts.shape
    full = np.concatenate([about.target, np.zeros((contexts, 1))], axis=1)
    flat, against = counts.reshape(-1, outcomes), np.tile(full, (count, 1))
    found = []
    for name, parts in (
        ("tv", sides("tv", Table(flat, against))),
        (W1, ordered_sides(flat, against, about.positions)),
    ):
        value = divergence("tv").value if name == "tv" else partial(w1, positions=about.positions)
        each = guarded_limits(name, value, parts, flat, against)
        if contexts > 1:
            shape = count, contexts
            each = mean_limits(name, parts.reshaped(*shape), Limits(*(p.reshape(shape) for p in each)))
        found.append(each)
    by_tv, by_w1 = found
    return by_tv, by_w1


def alone(about: World, labels: int, count: int, rng: np.random.Generator) -> tuple[float, float]:
    """Mean widths of TV and W1 from as many labels without a reader, spread evenly over the contexts."""
    contexts = len(about.target)
    sizes = np.full(contexts, labels // contexts)
    sizes[: labels % contexts] += 1
    by_tv, by_w1 = distances(rng.multinomial(sizes, about.by_hand, size=(count, contexts)), about)
    return float((by_tv.high - by_tv.low).mean()), float((by_w1.high - by_w1.low).mean())


class Row(NamedTuple):
    """One kind of world."""

    contexts: int
    classes: int
    reader: str
    labels: int
    repeats: int
    tv_covered: float
    w1_covered: float
    share_covered: float
    """Of the share that is covered least."""
    tv_error: float
    tv_width: float
    tv_alone: float
    """Width from as many labels without a reader, by the interval of the score table."""
    w1_width: float
    w1_alone: float
    share_width: float
    """Of the first class."""
    share_alone: float
    """From as many labels without a reader (Wilson)."""


def cell(contexts: int, classes: int, reader: str, labels: int, repeats: int) -> Row:
    """Coverage and width of one kind of world."""
    rng = np.random.default_rng([contexts, classes, READERS.index(reader), labels, repeats])
    held, shares, means, by_labels = [], [], [], []
    for _ in range(repeats // TOGETHER):
        about = world(contexts, classes, reader, rng)
        truth = about.by_hand.mean(axis=0)
        by_labels.append(alone(about, labels, TOGETHER, rng))
        for run in runs(about, TOGETHER, rng):
            found = measured(about, run, labels, rng)
            if found.w1 is None:
                raise ValueError("these classes have an order")
            held.append([_holds(found.tv, about.tv), _holds(found.w1, about.w1)])
            shares.append([_holds(s, t) for s, t in zip(found.shares, truth, strict=True)])
            only = binomtest(int(rng.binomial(labels, truth[0])), labels).proportion_ci(0.95, "wilson")
            wide = (one.high - one.low for one in (found.tv, found.w1, found.shares[0], only))
            means.append([found.tv.value - about.tv, *wide])
    tv_covered, w1_covered = np.mean(held, axis=0)
    off, tv_width, w1_width, share_width, share_alone = np.mean(means, axis=0)
    tv_alone, w1_alone = np.mean(by_labels, axis=0)
    least = np.mean(shares, axis=0).min()
    wide_and_alone = (tv_width, tv_alone, w1_width, w1_alone, share_width, share_alone)
    rounded = (round(float(v), 5) for v in (tv_covered, w1_covered, least, off, *wide_and_alone))
    return Row(contexts, classes, reader, labels, repeats, *rounded)


def _holds(found: Interval, truth: float) -> bool:
    return bool(found.low - 1e-9 <= truth <= found.high + 1e-9)


HEAD = """\
# How often hand labels hold the truth

Made by `python -m tests.benchmarks.labels docs/results --repeats {repeats}`, from [labels.json](labels.json). Do not edit.

Simulated runs of {draws} draws a context, {repeats} of each kind ({together} of each of {worlds} models; {more} anew
where fewer than {doubtful:.0%} held), in {shapes} shapes (1 to 14 contexts, 2 and 3 classes).
*Holds* is the least share of runs, over the shapes, in which the 95% limits hold what a person would say of all draws.
*Width* is the mean width of the limits, and after "/" that from as many labels without a reader: for TV and W1 with the
interval of the score table, as if only the labelled draws had been made (500 of them know more of one context than a run
of {draws} draws does); for the share of the first class by Wilson's.

| reader | labels | TV: holds | width | W1: holds | width | least share: holds | width |
|---|--:|--:|--:|--:|--:|--:|--:|
"""


def page(repeats: int, rows: Sequence[Row]) -> str:
    """The page of all cells."""
    kinds: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        kinds.setdefault((row.reader, row.labels), []).append(row)
    lines = [
        HEAD.format(
            repeats=repeats,
            draws=DRAWS,
            shapes=len(SHAPES),
            worlds=repeats // TOGETHER,
            together=TOGETHER,
            more=AGAIN * repeats,
            doubtful=DOUBTFUL,
        )
    ]
    for (reader, labels), found in kinds.items():
        cells = [
            f"{min(getattr(r, f'{key}_covered') for r in found):.1%} "
            f"| {np.mean([getattr(r, f'{key}_width') for r in found]):.3f} "
            f"/ {np.mean([getattr(r, f'{key}_alone') for r in found]):.3f}"
            for key in ("tv", "w1", "share")
        ]
        lines.append(f"| {reader} | {labels} | {' | '.join(cells)} |\n")
    return "".join(lines)


def main() -> None:
    """All cells; the page is printed, and kept beside the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument(
        "--seconds", type=float, default=np.inf, help="stop after so long; the next call goes on"
    )
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    file, end = given.out / "labels.json", time.monotonic() + given.seconds
    rows: dict[tuple[int, int, str, int], Row] = {}
    if file.is_file():
        before = json.loads(file.read_text(encoding="utf-8"))
        if before["repeats"] == given.repeats and set(before["cells"][0]) == set(Row._fields):
            rows = {tuple(row.values())[:4]: Row(**row) for row in before["cells"]}
    places = [(*shape, reader, m) for shape in SHAPES for reader in READERS for m in LABELS]
    steps = Steps("worlds with hand labels", len(places), "cells")
    for place in places:
        if place not in rows and time.monotonic() < end:
            rows[place] = cell(*place, given.repeats)
            if min(rows[place][5:8]) < DOUBTFUL:
                rows[place] = cell(*place, AGAIN * given.repeats)
            told = {"draws": DRAWS, "repeats": given.repeats, "cells": [r._asdict() for r in rows.values()]}
            file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        steps.reach(len(rows))
    (given.out / "labels.md").write_text(page(given.repeats, list(rows.values())), encoding="utf-8")
    print((given.out / "labels.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
