"""Coverage of the mean TV's interval when draws stop by its width: ``python -m tests.benchmarks.stopping``.

Each cell of the grid has several sets of targets, and many runs of each. Runs of one set differ in their draws
alone, so that their intervals are computed together.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from harness.evaluation import enough, looks
from harness.metrics.tv import tv
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


def main() -> None:
    """Print the coverage, with its own 95% interval, and the mean n for several widths and shifts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--shifts", type=float, nargs="+", default=[0.0, 0.02, 0.03, 0.05, 0.2])
    parser.add_argument("--halfwidths", type=float, nargs="+", default=[0.05, 0.03, 0.02])
    args = parser.parse_args()
    print("| classes | TV | half-width | coverage | its 95% interval | mean n |\n|--:|--:|--:|--:|--:|--:|")
    for classes in args.classes:
        for shift in args.shifts:
            for halfwidth in args.halfwidths:
                rng = np.random.default_rng([classes, int(shift * 100), int(halfwidth * 100)])
                held, spent, runs, values = 0, 0, 0, []
                for _ in range(SETS):
                    target = rng.dirichlet(np.full(classes, 4.0), size=CONTEXTS)
                    truth = moved(target, shift)
                    value = float(tv(truth, target).mean())
                    low, high, n = stopped(target, truth, halfwidth, args.runs // SETS, rng)
                    held += int(((low <= value + 1e-12) & (high >= value - 1e-12)).sum())
                    spent, runs = spent + int(n.sum()), runs + len(n)
                    values.append(value)
                sure = stats.binomtest(held, runs).proportion_ci(method="exact")
                print(
                    f"| {classes} | {np.mean(values):.3f} | {halfwidth} | {held / runs:.3f} "
                    f"| {sure.low:.3f} to {sure.high:.3f} | {spent / runs:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
