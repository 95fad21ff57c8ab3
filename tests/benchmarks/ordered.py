"""Do the 95% intervals of W1 hold the truth? ``python -m tests.benchmarks.ordered OUT.json [--quick | --page]``.

As ``tests.benchmarks.coverage``, for classes on a scale of equal steps: models moved from one neighbour to the next, or
from end to end, with draws that have no class, for one context and for the mean over 14. Beside OUT.json stands its
page OUT.md, which ``--page`` makes of it again.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.metrics.w1 import W1, w1
from harness.scoring.interval import Limits, guarded_limits, mean_limits
from harness.scoring.ordered import ordered_sides
from tests.benchmarks.coverage import model_of, target_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float64]
CONTEXTS = 14


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of the grid."""

    contexts: int
    classes: int
    n: int
    target: str
    shift: float
    invalid: float
    samples: int


@dataclass(frozen=True, slots=True)
class Row:
    """What was found in one cell."""

    case: Case
    truth: float
    coverage: float
    too_high: float
    too_low: float
    width: float


def run(case: Case) -> Row | None:
    """Simulate one cell; None where no such model exists."""
    rng = np.random.default_rng(
        [
            case.contexts,
            case.classes,
            case.n,
            len(case.target),
            int(1000 * case.shift),
            int(100 * case.invalid),
        ]
    )
    targets, models = [], []
    for context in range(case.contexts):
        target = target_of(case.target, case.classes, rng)
        model = model_of(target, case.shift, ("pile", "spread", "random")[context % 3], rng)
        if model is None:
            return None
        targets.append(np.append(target, 0.0))
        models.append(np.append((1 - case.invalid) * model, case.invalid))
    target, model = np.array(targets), np.array(models)
    places = np.linspace(0, 1, case.classes)
    truth = float(w1(model, target, places).mean())
    drawn = rng.multinomial(np.full((case.samples, case.contexts), case.n), model)
    low, high = _interval(drawn, target, places)
    return Row(
        case,
        truth,
        coverage=float(((low <= truth + 1e-12) & (high >= truth - 1e-12)).mean()),
        too_high=float((low > truth + 1e-12).mean()),
        too_low=float((high < truth - 1e-12).mean()),
        width=float((high - low).mean()),
    )


def _interval(drawn: NDArray[np.int64], target: Floats, places: Floats) -> tuple[Floats, Floats]:
    """The package's interval for each sample [S, C, K + 1]; a run without invalid draws has no column for them."""
    samples, contexts, columns = drawn.shape
    low, high = np.empty((2, samples))
    clean = drawn[..., -1].sum(axis=1) == 0
    for rows, kept in ((clean, columns - 1), (~clean, columns)):
        if not rows.any():
            continue
        counts = drawn[rows][..., :kept].reshape(-1, kept)
        against = np.tile(target[:, :kept], (int(rows.sum()), 1))
        parts = ordered_sides(counts, against, places)
        found = guarded_limits(W1, partial(w1, positions=places), parts, counts, against)
        if contexts > 1:
            shape = int(rows.sum()), contexts
            found = mean_limits(W1, parts.reshaped(*shape), Limits(*(p.reshape(shape) for p in found)))
        low[rows], high[rows] = found.low, found.high
    return low, high


def cases(quick: bool) -> list[Case]:
    """The grid."""
    return [
        Case(contexts, classes, n, target, shift, invalid, 200 if quick else samples)
        for contexts, samples in ((1, 300), (CONTEXTS, 100))
        for classes in ((3, 5) if quick else (3, 5, 7))
        for n in (10, 100)
        for target in (("uniform",) if quick else ("uniform", "skewed"))
        for shift in ((0.0, 0.1) if quick else (0.0, 0.05, 0.2))
        for invalid in ((0.0, 0.1) if quick else (0.0, 0.2))
    ]


HEAD = """\
# How often the intervals of W1 hold the truth

Made by `python -m tests.benchmarks.ordered docs/results/ordered.json` from [ordered.json](ordered.json). Do not edit.

Simulated models whose distance from the target is known: uniform and skewed targets, models up to a TV of 0.2 away, none
or 20% of the draws without a class. *Least* is the coverage of the cell that is covered least: of {one} samples a cell
for one context, and of {many} for a mean over contexts, 95% is known to about {sure_one:.2f} and {sure_many:.2f}.

| contexts | classes | draws | cells | least | mean | mean width |
|--:|--:|--:|--:|--:|--:|--:|
"""


def page(rows: Sequence[Row]) -> str:
    """The page of all cells."""
    one, many = (
        max((r.case.samples for r in rows if (r.case.contexts > 1) == several), default=0)
        for several in (False, True)
    )
    sure = (1.96 * np.sqrt(0.95 * 0.05 / max(samples, 1)) for samples in (one, many))
    head = HEAD.format(one=one, many=many, **dict(zip(("sure_one", "sure_many"), sure, strict=True)))
    kinds: dict[tuple[int, int, int], list[Row]] = {}
    for row in rows:
        kinds.setdefault((row.case.contexts, row.case.classes, row.case.n), []).append(row)
    lines = []
    for kind, part in sorted(kinds.items()):
        held, wide = [r.coverage for r in part], np.mean([r.width for r in part])
        places = " | ".join(map(str, (*kind, len(part))))
        lines.append(f"| {places} | {min(held):.3f} | {np.mean(held):.3f} | {wide:.3f} |\n")
    return head + "".join(lines)


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
            rows = [row for row in pool.map(run, cases(asked.quick), chunksize=4) if row is not None]
        asked.out.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n", encoding="utf-8")
    asked.out.with_suffix(".md").write_text(page(rows), encoding="utf-8")
    print(page(rows))
    for row in sorted(rows, key=lambda r: r.coverage)[:10]:
        print(row)


if __name__ == "__main__":
    main()
