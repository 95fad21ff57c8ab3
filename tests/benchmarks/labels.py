"""Do scores with hand labels hold the truth, whatever the reader does? ``python -m tests.benchmarks.labels OUT``.

Simulates runs of which a person would say one thing and a reader another: readers that are right, rarely wrong, biased
to one class, random, wrong throughout in a quarter of the contexts, and wrong where the model is on target. A part of
the draws is labelled as ``distalign label`` samples them. Counted: how often the limits hold the truth by hand, for the
mean TV and for the worst covered class share; and how wide they are, beside those of as many labels without a reader. OUT gets labels.json and labels.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from harness.labels import sizes_of
from harness.metrics.tv import tv
from harness.progress import Steps
from harness.scoring.interval import limits
from harness.scoring.labelled import Drawn, Labelled, LabelledDraws, labelled
from harness.scoring.table import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float64]
READERS = ("right", "rare", "biased", "random", "adversarial", "on target")
SHAPES = ((1, 2), (5, 3), (14, 2), (14, 4))
"""Contexts and classes."""
LABELS = (50, 100, 500)
DRAWS = 100
"""Of each context."""


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


def measured(about: World, labels: int, rng: np.random.Generator) -> Labelled:
    """Draw, read, sample, label, score."""
    contexts, classes = about.target.shape
    cells = classes + 1
    joint = about.by_hand[:, :, None] * about.reads
    drawn = np.stack([rng.multinomial(DRAWS, j.ravel()) for j in joint]).reshape(contexts, cells, cells)
    read = drawn.sum(axis=1)
    weight = read.sum(axis=0) / read.sum()
    rows = []
    for name, size in sizes_of({str(o): float(w) for o, w in enumerate(weight) if w}, labels).items():
        here = drawn[:, :, int(name)].ravel()
        for cell in rng.choice(len(here), size=size, p=here / here.sum()):
            rows.append((int(name), *divmod(int(cell), cells)))
    stratum, context, label = np.array(rows).T
    full = np.concatenate([about.target, np.zeros((contexts, 1))], axis=1)
    _, mean = limits(read, full, ("tv",))["tv"]
    as_read = Interval(*(float(part) for part in mean))
    sample = LabelledDraws(weight, stratum, context, stratum, label)
    return labelled(sample, Drawn(read, read, 0.0), about.target, as_read, as_read.value, labels)


class Row(NamedTuple):
    """One kind of world."""

    contexts: int
    classes: int
    reader: str
    labels: int
    tv_covered: float
    share_covered: float
    """Of the share that is covered least."""
    tv_width: float
    tv_error: float
    share_width: float
    """Of the first class."""
    labels_alone: float
    """The same of as many labels without a reader (Wilson)."""


def cell(contexts: int, classes: int, reader: str, labels: int, repeats: int) -> Row:
    """Coverage and width of one kind of world."""
    rng = np.random.default_rng([contexts, classes, READERS.index(reader), labels])
    held, shares, width, share_width, alone, off = [], [], [], [], [], []
    for _ in range(repeats):
        about = world(contexts, classes, reader, rng)
        found = measured(about, labels, rng)
        truth = about.by_hand.mean(axis=0)
        held.append(found.tv.low - 1e-9 <= about.tv <= found.tv.high + 1e-9)
        shares.append([s.low - 1e-9 <= t <= s.high + 1e-9 for s, t in zip(found.shares, truth, strict=True)])
        width.append(found.tv.high - found.tv.low)
        share_width.append(found.shares[0].high - found.shares[0].low)
        only = binomtest(int(rng.binomial(labels, truth[0])), labels).proportion_ci(0.95, "wilson")
        alone.append(only.high - only.low)
        off.append(found.tv.value - about.tv)
    return Row(
        contexts,
        classes,
        reader,
        labels,
        float(np.mean(held)),
        float(np.mean(shares, axis=0).min()),
        float(np.mean(width)),
        float(np.mean(off)),
        float(np.mean(share_width)),
        float(np.mean(alone)),
    )


HEAD = """\
# How often hand labels hold the truth

Made by `python -m tests.benchmarks.labels docs/results --repeats {repeats}`, from [labels.json](labels.json). Do not edit.

Simulated runs of {draws} draws a context, {repeats} of each kind, in {shapes} shapes (1 to 14 contexts, 2 to 4 classes).
*Hold* is the least share of runs, over the shapes, in which the 95% limits hold what a person would say of all draws.
*Width* is the mean width of the limits. *Labels alone* is that of a share found from as many labels without a reader.

| reader | labels | limits of TV hold | of a share | width of TV | of a share | labels alone |
|---|--:|--:|--:|--:|--:|--:|
"""


def page(repeats: int, rows: Sequence[Row]) -> str:
    """The page of all cells."""
    kinds: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        kinds.setdefault((row.reader, row.labels), []).append(row)
    lines = [HEAD.format(repeats=repeats, draws=DRAWS, shapes=len(SHAPES))]
    for (reader, labels), found in kinds.items():
        held = f"{min(r.tv_covered for r in found):.1%} | {min(r.share_covered for r in found):.1%}"
        wide = (
            np.mean([r.tv_width for r in found]),
            np.mean([r.share_width for r in found]),
            np.mean([r.labels_alone for r in found]),
        )
        lines.append(f"| {reader} | {labels} | {held} | {' | '.join(f'{w:.3f}' for w in wide)} |\n")
    return "".join(lines)


def main() -> None:
    """All cells; the page is printed, and kept beside the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--repeats", type=int, default=400)
    given = parser.parse_args()
    cells = [(*shape, reader, m) for shape in SHAPES for reader in READERS for m in LABELS]
    rows: list[Row] = []
    steps = Steps("worlds with hand labels", len(cells), "cells")
    for place in cells:
        rows.append(cell(*place, given.repeats))
        steps.reach(len(rows))
    given.out.mkdir(parents=True, exist_ok=True)
    told = {"draws": DRAWS, "repeats": given.repeats, "cells": [row._asdict() for row in rows]}
    (given.out / "labels.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    (given.out / "labels.md").write_text(page(given.repeats, rows), encoding="utf-8")
    print((given.out / "labels.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
