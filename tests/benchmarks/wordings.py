"""Does the interval for wordings like these hold the truth? ``python -m tests.benchmarks.wordings OUT.json [--quick | --page]``.

Simulates models whose answers depend on the wording: each wording moves the log-odds of all contexts alike, and of each
context in its own way. The truth is the TV of the mean distribution over very many wordings. Beside the interval for
wordings like these stands that of the score table, which is for the wordings that were asked. For comparisons two models
are simulated whose effects of the wordings differ. Beside OUT.json stands its page OUT.md, which ``--page`` makes of it
again.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.scoring.interval import Limits, context_limits, mean_limits
from harness.scoring.sides import Table, sides
from harness.scoring.wordings import Crossed, difference_over_wordings, over_wordings

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float64]
MANY = 4000
"""Wordings that the truth is the mean of."""
INVALID = 0.05
"""Share of draws without a class."""


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of the grid."""

    contexts: int
    classes: int
    wordings: int
    n: int
    shift: float
    common: float
    """Standard deviation of a wording's effect in all contexts, in log-odds."""
    own: float
    """The same of its effect in one context."""
    samples: int


@dataclass(frozen=True, slots=True)
class Row:
    """What was found in one cell."""

    case: Case
    truth: float
    coverage: float
    width: float
    these: float
    """How often the interval for the wordings that were asked holds the truth for others like them."""
    these_width: float
    difference: float
    """How often the interval of the difference of two equal models holds 0."""


class World:
    """Contexts with their targets and models, and effects of wordings to draw from."""

    def __init__(self, case: Case, rng: np.random.Generator) -> None:
        self.case, self.rng = case, rng
        self.target = rng.dirichlet(np.full(case.classes, 3.0), case.contexts)
        other = rng.dirichlet(np.full(case.classes, 1.0), case.contexts)
        far = np.abs(other - self.target).sum(axis=1, keepdims=True) / 2
        step = np.minimum(case.shift / np.maximum(far, 1e-9), 1.0)
        self.odds = np.log(np.maximum(self.target + step * (other - self.target), 1e-4))

    def shares(self, wordings: int) -> Floats:
        """``[contexts, wordings, classes and what is none]``."""
        case = self.case
        common = self.rng.normal(0, case.common, (1, wordings, case.classes)) if case.common else 0.0
        own = self.rng.normal(0, case.own, (case.contexts, wordings, case.classes)) if case.own else 0.0
        raw = np.exp(self.odds[:, None] + common + own) * np.ones((1, wordings, 1))
        valid = raw / raw.sum(axis=-1, keepdims=True)
        return np.concatenate([(1 - INVALID) * valid, np.full((*valid.shape[:-1], 1), INVALID)], axis=-1)

    def drawn(self) -> Crossed:
        """A run: some wordings, and draws of each in each context."""
        shares = self.shares(self.case.wordings)
        names = tuple(f"w{i}" for i in range(self.case.wordings))
        return Crossed(names, self.rng.multinomial(self.case.n, shares))


def run(case: Case) -> Row:
    """Simulate one cell."""
    rng = np.random.default_rng([int(1000 * v) for v in asdict(case).values()])
    world = World(case, rng)
    full = np.concatenate([world.target, np.zeros((case.contexts, 1))], axis=1)
    exact = np.full(case.contexts, np.inf)
    mean = world.shares(MANY).mean(axis=1)
    truth = float(np.abs(mean - full).sum(axis=1).mean() / 2)
    held, own, equal, widths = [], [], [], []
    runs = [world.drawn() for _ in range(case.samples)]
    for cells, low, high in zip(runs, *_these(runs, full), strict=True):
        found = over_wordings(cells, full, exact, (low, high))
        held.append(found.low <= truth <= found.high)
        own.append(low <= truth <= high)
        widths.append((found.high - found.low, high - low))
        off = difference_over_wordings(cells, world.drawn(), full)
        equal.append(off.low <= 0 <= off.high)
    wide, narrow = np.mean(widths, axis=0)
    return Row(case, truth, *map(float, (np.mean(held), wide, np.mean(own), narrow, np.mean(equal))))


def _these(runs: Sequence[Crossed], full: Floats) -> tuple[list[float], list[float]]:
    """Limits of the score table, of all runs at once."""
    samples, contexts = len(runs), len(full)
    counts = np.concatenate([cells.counts.sum(axis=1) for cells in runs])
    against = np.tile(full, (samples, 1))
    parts = sides("tv", Table(counts, against))
    each = context_limits("tv", parts, counts, against)
    if contexts > 1:
        shape = samples, contexts
        each = mean_limits("tv", parts.reshaped(*shape), Limits(*(part.reshape(shape) for part in each)))
    return each.low.tolist(), each.high.tolist()


def cases(quick: bool) -> list[Case]:
    """The grid."""
    return [
        Case(contexts, classes, wordings, n, shift, common, own, 100)
        for contexts in ((4,) if quick else (1, 8))
        for classes in ((2,) if quick else (2, 4))
        for wordings in ((3, 8) if quick else (3, 5, 8, 12))
        for n in (50,)
        for shift in (0.0, 0.2)
        for common, own in ((0.0, 0.0), (0.5, 0.2), (1.0, 0.5))
    ]


HEAD = """\
# How often the interval for wordings like these holds the truth

Made by `python -m tests.benchmarks.wordings docs/results/wordings.json` from [wordings.json](wordings.json). Do not edit.

Simulated models whose answers depend on the wording, {n} draws of each wording in each context. The truth is the TV of the
mean distribution over very many wordings. *These* is the interval for the wordings that were asked, which the score table
gives: how often it holds the truth for others like them. *Difference* is how often the interval of the difference of two
equal models holds 0. *Least* is that of the cell that is covered least; of {samples} samples a cell, 95% is known to about
{sure:.2f}.

| effect of wordings | wordings | cells | least | mean | these: least | mean | width over that of these | difference: least |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""


def page(rows: Sequence[Row]) -> str:
    """The page of all cells."""
    n, samples = rows[0].case.n, max(r.case.samples for r in rows)
    sure = 1.96 * np.sqrt(0.95 * 0.05 / samples)
    kinds: dict[tuple[float, float, int], list[Row]] = {}
    for row in rows:
        kinds.setdefault((row.case.common, row.case.own, row.case.wordings), []).append(row)
    lines = []
    for (common, own, count), part in sorted(kinds.items()):
        held, these, off = ([getattr(r, k) for r in part] for k in ("coverage", "these", "difference"))
        wide = np.mean([r.width / r.these_width for r in part])
        effect = f"log-odds {common:g}, in each context {own:g} more" if common or own else "none"
        lines.append(
            f"| {effect} | {count} | {len(part)} | {min(held):.3f} | {np.mean(held):.3f} | {min(these):.3f} "
            f"| {np.mean(these):.3f} | {wide:.2f} | {min(off):.3f} |\n"
        )
    return HEAD.format(n=n, samples=samples, sure=sure) + "".join(lines)


def read(path: Path) -> list[Row]:
    """The cells of a file."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return [Row(**{**row, "case": Case(**row["case"])}) for row in told]


def main() -> None:
    """Run the grid, print its page and the least covered cells, and write every cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--quick", action="store_true", help="a subset of the grid")
    parser.add_argument("--page", action="store_true", help="make the page of OUT.json again")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    if asked.page:
        rows = read(asked.out)
    else:
        with ProcessPoolExecutor(asked.processes) as pool:
            rows = list(pool.map(run, cases(asked.quick), chunksize=4))
        asked.out.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n", encoding="utf-8")
    asked.out.with_suffix(".md").write_text(page(rows), encoding="utf-8")
    print(page(rows))
    for row in sorted(rows, key=lambda r: min(r.coverage, r.difference))[:10]:
        print(row)


if __name__ == "__main__":
    main()
