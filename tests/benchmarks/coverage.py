"""Do the 95% intervals hold the truth? ``python -m tests.benchmarks.coverage OUT.json``.

Simulates samples from known models at known distances from known targets, for one context and for the mean over
14, and counts how often the interval holds the true divergence. Beside it stand coverage and width of the
percentile bootstrap that one would write first.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.metrics.catalog import divergence
from harness.progress import say
from harness.records import Record, write
from harness.scoring.divergence import plugin
from harness.scoring.interval import Limits, context_limits, mean_limits
from harness.scoring.sides import Table, sides

Floats = NDArray[np.float64]
NAMES = ("tv", "js", "kl_target_model", "kl_model_target")
CLASSES, DRAWS, TARGETS = (2, 3, 5, 20), (10, 25, 100, 1000), ("uniform", "skewed", "zero")
SHIFTS, MOVES = (0.0, 0.02, 0.05, 0.2), ("pile", "spread", "random", "blend")
CONTEXTS = 14
RESAMPLED, RESAMPLES = 60, 200
LOWEST = 10
"""Cells that the record keeps whole."""
KEPT = 0.25
"""A moved model keeps this share of every class: the limits of KL(target || model) are claimed for no less."""


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of the grid."""

    contexts: int
    classes: int
    n: int
    target: str
    shift: float
    move: str
    samples: int


@dataclass(frozen=True, slots=True)
class Row:
    """What was found for one measure in one cell."""

    contexts: int
    classes: int
    n: int
    target: str
    shift: float
    move: str
    measure: str
    truth: float
    coverage: float
    too_high: float
    too_low: float
    width: float
    naive_coverage: float
    naive_width: float


def target_of(kind: str, classes: int, rng: np.random.Generator) -> Floats:
    """Uniform; one class with 97%; or uniform over all classes but one."""
    if kind == "uniform":
        return np.full(classes, 1 / classes)
    if kind == "skewed":
        return np.append(0.97, np.full(classes - 1, 0.03 / (classes - 1)))
    if kind == "zero":
        return np.append(np.full(classes - 1, 1 / (classes - 1)), 0.0)
    return rng.dirichlet(np.ones(classes))


def model_of(target: Floats, shift: float, move: str, rng: np.random.Generator) -> Floats | None:
    """A model at TV ``shift`` from the target; None where such a move does not exist."""
    if shift == 0:
        return target.copy()
    if move == "blend":
        point = np.zeros(len(target))
        possible = np.flatnonzero(1 - target >= shift / (1 - KEPT))
        if not len(possible):
            return None
        point[rng.choice(possible)] = 1
        return np.asarray(target + shift * (point - target) / (1 - target @ point))
    if move == "pile":
        return _pile(target, shift, rng)
    for _ in range(50):
        if move == "spread":
            sign = np.where(rng.permutation(len(target)) % 2 == 0, 1.0, -1.0)
            direction = sign * np.sqrt(target)
        else:
            direction = rng.normal(size=len(target)) * (target > 0)
        found = _along(target, shift, direction)
        if found is not None:
            return found
    return None


def _pile(target: Floats, shift: float, rng: np.random.Generator) -> Floats | None:
    """One class gets what others, in random order, give up."""
    for receiver in rng.permutation(len(target)):
        model, left = target.copy(), shift
        for donor in rng.permutation(len(target)):
            given = 0.0 if donor == receiver else min(left, target[donor] * (1 - KEPT))
            model[donor] -= given
            left -= given
        model[receiver] += shift - left
        if left < 1e-12:
            return model
    return None


def _along(target: Floats, shift: float, direction: Floats) -> Floats | None:
    """Up where the direction is positive, down where negative, no class below its kept share."""
    up, down = np.maximum(direction, 0.0), np.maximum(-direction, 0.0)
    if not up.sum() or not down.sum():
        return None
    taken, room = np.zeros(len(target)), target * (1 - KEPT) * (down > 0)
    for _ in range(50):
        open_ = (room - taken > 1e-15) * down
        if not open_.sum():
            return None
        taken = np.minimum(taken + (shift - taken.sum()) * open_ / open_.sum(), room)
        if shift - taken.sum() < 1e-13:
            return np.asarray(target - taken + shift * up / up.sum())
    return None


def population(case: Case, rng: np.random.Generator) -> tuple[Floats, Floats, NDArray[np.int64]] | None:
    """Targets, models and draws of the contexts. "mixed": each context has its own of everything."""
    targets, models = [], []
    n = np.full(case.contexts, case.n, dtype=np.int64)
    for context in range(case.contexts):
        mixed = case.target == "mixed"
        kind = ("uniform", "skewed", "zero", "dirichlet")[context % 4] if mixed else case.target
        target = target_of(kind, case.classes, rng)
        move = MOVES[context % len(MOVES)] if mixed else case.move
        # A third of the contexts carries the shift, threefold where their targets allow: the others are perfect.
        shifts = [case.shift]
        if mixed:
            shifts = [3 * case.shift, 1.5 * case.shift, case.shift] if context % 3 == 0 else [0.0]
        model = next(
            (m for s in shifts if (m := model_of(target, s, move, rng)) is not None),
            model_of(target, shifts[-1], "blend", rng),
        )
        if model is None:
            return None
        targets.append(target)
        models.append(model)
        if mixed:
            n[context] = max(1, case.n * (1, 2, 4)[context % 3] // 2)
    return np.array(targets), np.array(models), n


def generator(case: Case) -> np.random.Generator:
    """The random numbers of a cell."""
    return np.random.default_rng(
        [case.contexts, case.classes, case.n, len(case.target), int(1000 * case.shift), len(case.move)]
    )


def run(case: Case) -> list[Row]:
    """Simulate one cell."""
    rng = generator(case)
    found = population(case, rng)
    if found is None:
        return []
    target, model, n = found
    drawn = rng.multinomial(np.broadcast_to(n, (case.samples, len(n))), model)
    rows = []
    table = Table(drawn.reshape(-1, case.classes), np.tile(target, (case.samples, 1)))
    again = resampled(drawn[:RESAMPLED], rng)
    for name in NAMES:
        truth = float(divergence(name).value(model, target).mean())
        if not np.isfinite(truth):
            continue
        low, high = _intervals(name, table, drawn, target)
        naive_low, naive_high = np.quantile(plugin(name, again, target).mean(axis=-1), [0.025, 0.975], axis=0)
        rows.append(
            Row(
                **{f.name: getattr(case, f.name) for f in fields(Case) if f.name != "samples"},
                measure=name,
                truth=truth,
                coverage=float(((low <= truth + 1e-12) & (high >= truth - 1e-12)).mean()),
                too_high=float((low > truth + 1e-12).mean()),
                too_low=float((high < truth - 1e-12).mean()),
                width=float((high - low).mean()),
                naive_coverage=float(((naive_low <= truth + 1e-12) & (naive_high >= truth - 1e-12)).mean()),
                naive_width=float((naive_high - naive_low).mean()),
            )
        )
    return rows


def _intervals(name: str, table: Table, drawn: NDArray[np.int64], target: Floats) -> tuple[Floats, Floats]:
    """The package's interval for each sample [S, C, K]."""
    samples, contexts, classes = drawn.shape
    counts = drawn.reshape(-1, classes)
    against = np.tile(target, (samples, 1))
    parts = sides(name, table)
    each = context_limits(name, parts, counts, against)
    if contexts == 1:
        return each.low, each.high
    grouped = Limits(*(part.reshape(samples, contexts) for part in each))
    mean = mean_limits(name, parts.reshaped(samples, contexts), grouped)
    return mean.low, mean.high


def resampled(drawn: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Each context's answers resampled [B, S, C, K], for the percentile bootstrap."""
    n = drawn.sum(axis=-1)
    return rng.multinomial(
        np.broadcast_to(n, (RESAMPLES, *n.shape)),
        np.broadcast_to(drawn / n[..., None], (RESAMPLES, *drawn.shape)),
    )


def cases(quick: bool) -> list[Case]:
    """The grid, and beyond it contexts that differ in everything."""
    found = []
    for contexts, samples in ((1, 2000), (CONTEXTS, 500)):
        for classes in (2, 5) if quick else CLASSES:
            for n in (10, 100) if quick else DRAWS:
                for target in TARGETS[:2] if quick else TARGETS:
                    for shift in (0.0, 0.05, 0.2) if quick else SHIFTS:
                        for move in MOVES[:1] if quick or not shift else MOVES:
                            found.append(
                                Case(contexts, classes, n, target, shift, move, 200 if quick else samples)
                            )
                if contexts > 1 and not quick:
                    found += [Case(contexts, classes, n, "mixed", s, "mixed", samples) for s in SHIFTS]
    return found


class Kind(Record):
    """What the cells of one metric have in common; of all classes together where ``classes`` is 0."""

    contexts: int
    metric: str
    classes: int
    cells: int
    least: float
    mean: float
    width: float
    """Over that of the bootstrap, in the mean over cells."""
    bootstrap_least: float
    bootstrap_mean: float


class Coverage(Record):
    """The whole grid."""

    samples: dict[int, int]
    """Contexts -> samples of a cell."""
    kinds: tuple[Kind, ...]
    lowest: tuple[dict[str, float | int | str], ...]
    """The cells that are covered least."""


def collected(rows: list[Row], grid: list[Case]) -> Coverage:
    """The cells by contexts, metric and classes."""
    kinds = [
        _kind(contexts, name, classes, part)
        for contexts in sorted({r.contexts for r in rows})
        for name in NAMES
        for classes in (*sorted({r.classes for r in rows}), 0)
        if (part := [r for r in rows if _is_of(r, contexts, name, classes)])
    ]
    lowest = sorted(rows, key=lambda r: r.coverage)[:LOWEST]
    return Coverage(
        samples={c.contexts: c.samples for c in grid},
        kinds=tuple(kinds),
        lowest=tuple(asdict(row) for row in lowest),
    )


def _is_of(row: Row, contexts: int, name: str, classes: int) -> bool:
    return (row.contexts, row.measure) == (contexts, name) and classes in (0, row.classes)


def _kind(contexts: int, name: str, classes: int, part: list[Row]) -> Kind:
    cover = np.array([r.coverage for r in part])
    plain = np.array([r.naive_coverage for r in part])
    each = [r.width / r.naive_width for r in part if r.naive_width > 1e-9]
    return Kind(
        contexts=contexts,
        metric=name,
        classes=classes,
        cells=len(part),
        least=float(cover.min()),
        mean=float(cover.mean()),
        width=float(np.mean(each)),
        bootstrap_least=float(plain.min()),
        bootstrap_mean=float(plain.mean()),
    )


HEAD = """\
# How often the intervals of the divergences hold the truth

Made by `python -m tests.benchmarks.coverage docs/results/coverage.json` from [coverage.json](coverage.json). Do not edit.

Simulated models whose distance from the target is known: {classes} classes, {draws} draws, three kinds of target, models
up to a TV of 0.2 away that differ from it in several ways; one context ({one:,} samples a cell), and the mean over {many}
({of_many:,} samples a cell). *Least* is the coverage of the cell that is covered least: chance alone puts it below 0.95 in
so many cells. *Width* is that of the interval over the width of the percentile bootstrap, in the mean over cells. The
bootstrap is the interval that one would write first; its coverage stands beside ours.

| metric | contexts | classes | cells | least | mean | width | bootstrap: least | mean |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""


def page(found: Coverage) -> str:
    """The page of a record."""
    lines = [
        f"| `{k.metric}` | {k.contexts} | {k.classes or 'all'} | {k.cells} | {k.least:.3f} | {k.mean:.3f} | {k.width:.2f} "
        f"| {k.bootstrap_least:.3f} | {k.bootstrap_mean:.3f} |\n"
        for k in found.kinds
    ]
    head = HEAD.format(
        classes=" to ".join(str(f(k.classes for k in found.kinds if k.classes)) for f in (min, max)),
        draws=f"{min(DRAWS)} to {max(DRAWS):,}",
        one=found.samples[1],
        many=CONTEXTS,
        of_many=found.samples[CONTEXTS],
    )
    return head + "".join(lines)


def main() -> None:
    """Run the grid, write the record and its page, and print the page and the cells that are covered least."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--quick", action="store_true", help="a subset of the grid, 200 samples a cell")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    grid = cases(asked.quick)
    rows: list[Row] = []
    begin = time.monotonic()
    with ProcessPoolExecutor(asked.processes) as pool:
        for done, part in enumerate(pool.map(run, grid, chunksize=4), start=1):
            rows += part
            if done % 40 == 0:
                left = (time.monotonic() - begin) * (len(grid) / done - 1)
                say(f"{done}/{len(grid)} cells, about {left / 60:.0f} minutes left")
    found = collected(rows, grid)
    write(asked.out, found)
    asked.out.with_suffix(".md").write_text(page(found), encoding="utf-8")
    print(page(found))
    for row in found.lowest:
        print(row)


if __name__ == "__main__":
    main()
