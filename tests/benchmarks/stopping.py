"""Coverage of the mean TV's interval when draws stop by its width: ``python -m tests.benchmarks.stopping OUT.json``.

Each cell of the grid has several sets of targets, and many runs of each. Runs of one set differ in their draws
alone, so that their intervals are computed together.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from harness.evaluation import enough, looks
from harness.metrics.tv import tv
from harness.records import Record, write
from harness.scoring.floor import moved, simulate
from harness.scoring.interval import Limits, context_limits, mean_limits
from harness.scoring.sides import Table, sides
from harness.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.metrics.base import FloatArray, IntArray

CONTEXTS = 14
SETS = 5
"""Sets of targets in a cell."""


def mean_tv(counts: IntArray, target: FloatArray) -> Limits:
    """The interval of each run's mean TV; counts are [runs, contexts, classes]."""
    runs, contexts, classes = counts.shape
    flat, against = counts.reshape(-1, classes), np.tile(target, (runs, 1))
    parts = sides("tv", Table(flat, against))
    each = context_limits("tv", parts, flat, against)
    grouped = Limits(*(part.reshape(runs, contexts) for part in each))
    return mean_limits("tv", parts.reshaped(runs, contexts), grouped)


def stopped(
    target: FloatArray, truth: FloatArray, halfwidth: float, runs: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """The limits and n at which each run stops."""
    counts = np.zeros((runs, *target.shape), dtype=np.int64)
    low, high = np.zeros(runs), np.zeros(runs)
    drawn = np.zeros(runs, dtype=np.int64)
    going = np.arange(runs)
    for n in looks(Settings(n=1600, until=halfwidth)):
        more = n - int(drawn[going[0]])
        counts[going] += rng.multinomial(more, truth, size=(len(going), len(truth)))
        drawn[going] = n
        found = mean_tv(counts[going], target)
        low[going], high[going] = found.low, found.high
        perfect = simulate(np.full(CONTEXTS, n), target, ("tv",)).values["tv"].mean(axis=1)
        floor95 = float(np.quantile(perfect, 0.95))
        limits = zip(found.low, found.estimate, found.high, strict=True)
        going = going[[not enough(*each, floor95, halfwidth) for each in limits]]
        if not len(going):
            break
    return low, high, drawn


class Cell(Record):
    """What came of many runs that were stopped by one width, at one distance from the target."""

    classes: int
    tv: float
    halfwidth: float
    runs: int
    held: int
    """Runs whose interval holds the truth."""
    draws: float
    """Per context, in the mean over runs."""


class Stopping(Record):
    """All cells."""

    cells: tuple[Cell, ...]


def cell(classes: int, shift: float, halfwidth: float, each: int) -> Cell:
    """Runs of several sets of targets, ``each`` of every set."""
    rng = np.random.default_rng([classes, int(shift * 100), int(halfwidth * 100)])
    held, spent, values = 0, 0, []
    for _ in range(SETS):
        target = rng.dirichlet(np.full(classes, 4.0), size=CONTEXTS)
        truth = moved(target, shift)
        value = float(tv(truth, target).mean())
        low, high, n = stopped(target, truth, halfwidth, each, rng)
        held += int(((low <= value + 1e-12) & (high >= value - 1e-12)).sum())
        spent += int(n.sum())
        values.append(value)
    runs = SETS * each
    return Cell(
        classes=classes,
        tv=float(np.mean(values)),
        halfwidth=halfwidth,
        runs=runs,
        held=held,
        draws=spent / runs,
    )


HEAD = """\
# Stopping by width: how often the interval holds the truth

Made by `python -m tests.benchmarks.stopping docs/results/stopping.json` from [stopping.json](stopping.json). Do not edit.

Simulated runs of {contexts} contexts that draw until the interval of the mean TV is narrow enough (`--until-halfwidth`), or
1,600 draws of each context are made. {runs:,} runs a row, with {sets} sets of targets. *n* is the draws of a context, in
the mean over runs.

| classes | TV | half-width | coverage | its 95% interval | n |
|--:|--:|--:|--:|--:|--:|
"""


def page(found: Stopping) -> str:
    """The page of all cells."""
    lines = []
    for one in found.cells:
        sure = stats.binomtest(one.held, one.runs).proportion_ci(method="exact")
        lines.append(
            f"| {one.classes} | {one.tv:.3f} | {one.halfwidth} | {one.held / one.runs:.3f} "
            f"| {sure.low:.3f} to {sure.high:.3f} | {one.draws:,.0f} |\n"
        )
    runs = max(one.runs for one in found.cells)
    return HEAD.format(contexts=CONTEXTS, runs=runs, sets=SETS) + "".join(lines)


def main() -> None:
    """Simulate the grid, print each cell, and write the record and its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--shifts", type=float, nargs="+", default=[0.0, 0.02, 0.03, 0.05, 0.2])
    parser.add_argument("--halfwidths", type=float, nargs="+", default=[0.05, 0.03, 0.02])
    asked = parser.parse_args()
    cells: tuple[Cell, ...] = ()
    for classes in asked.classes:
        for shift in asked.shifts:
            for halfwidth in asked.halfwidths:
                cells = (*cells, cell(classes, shift, halfwidth, asked.runs // SETS))
                print(cells[-1], flush=True)
    found = Stopping(cells=cells)
    write(asked.out, found)
    asked.out.with_suffix(".md").write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
