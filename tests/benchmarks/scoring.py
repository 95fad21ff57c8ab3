"""How long does scoring take? ``python -m tests.benchmarks.scoring [--contexts 1000] [--classes 20]``."""

from __future__ import annotations

import argparse
import time

import numpy as np

from harness.scoring.table import score


def main() -> None:
    """Time ``score``, intervals and floors included, for targets that are shared and that all differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contexts", type=int, default=1000)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--draws", type=int, default=1_000_000, help="in all contexts together")
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    shape = (asked.contexts, asked.classes)
    n = asked.draws // asked.contexts
    targets = {
        "one uniform target": np.full(shape, 1 / asked.classes),
        "a target per context": rng.dirichlet(np.ones(asked.classes), size=asked.contexts),
    }
    print("| targets | invalid draws | wall s | CPU s |\n|---|---|---|---|")
    for title, target in targets.items():
        model = 0.9 * target + 0.1 * rng.dirichlet(np.ones(asked.classes), size=asked.contexts)
        for share in (0.0, 0.02):
            invalid = rng.binomial(n, share, size=asked.contexts)
            counts = rng.multinomial(n - invalid, model)
            wall, cpu = time.perf_counter(), time.process_time()
            score(counts, invalid, target)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(f"| {title} | {share:.0%} | {wall:.2f} | {cpu:.2f} |", flush=True)


if __name__ == "__main__":
    main()
