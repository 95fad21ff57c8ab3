"""Coverage of the mean TV's interval when draws stop by its width: ``python -m tests.benchmarks.stopping``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

from harness.evaluation import looks
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
        if (high - low) / 2 <= halfwidth:
            break
    return low, high, drawn


def main() -> None:
    """Print the coverage and the mean n for several widths and shifts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    print("| classes | shift | half-width | coverage | mean n |\n|---|---|---|---|---|")
    for classes in (2, 5):
        for shift in (0.0, 0.05, 0.2):
            for halfwidth in (0.05, 0.03):
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
