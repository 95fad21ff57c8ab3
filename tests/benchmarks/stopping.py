"""Coverage of the mean TV's interval when draws stop by its width: ``python -m tests.benchmarks.stopping``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

from harness.evaluation import looks, reach
from harness.planning import Settings
from harness.scoring.floor import moved
from harness.scoring.interval import limits

if TYPE_CHECKING:
    from harness.scoring.divergence import FloatArray

CONTEXTS = 14


def stopped(
    target: FloatArray, truth: FloatArray, halfwidth: float, rng: np.random.Generator
) -> tuple[float, float, int]:
    """The interval and n at which a run stops."""
    counts = np.zeros(target.shape, dtype=np.int64)
    drawn = 0
    for n in looks(Settings(n=1600, until=halfwidth)):
        counts += np.array([rng.multinomial(n - drawn, row) for row in truth])
        drawn = n
        found = limits(counts, target, ("tv",))["tv"][1]
        low, high = float(found.low), float(found.high)
        if reach(low, float(found.estimate), high) <= halfwidth:
            break
    return low, high, drawn


def main() -> None:
    """Print the coverage and the mean n for several widths and shifts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--shifts", type=float, nargs="+", default=[0.0, 0.05, 0.2])
    parser.add_argument("--halfwidths", type=float, nargs="+", default=[0.05, 0.03])
    args = parser.parse_args()
    runs = args.runs
    print("| classes | shift | half-width | coverage | mean n |\n|---|---|---|---|---|")
    for classes in args.classes:
        for shift in args.shifts:
            for halfwidth in args.halfwidths:
                rng = np.random.default_rng([classes, int(shift * 100), int(halfwidth * 100)])
                held, spent = 0, 0
                for _ in range(runs):
                    target = rng.dirichlet(np.full(classes, 4.0), size=CONTEXTS)
                    truth = moved(target, shift)
                    value = float(np.abs(truth - target).sum(axis=1).mean() / 2)
                    low, high, n = stopped(target, truth, halfwidth, rng)
                    held += low <= value <= high
                    spent += n
                print(
                    f"| {classes} | {shift} | {halfwidth} | {held / runs:.3f} | {spent / runs:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
