"""Could the interval of a mean TV be narrower? ``python -m tests.benchmarks.narrower OUT.json [--page]``.

Two questions. What do simpler or bolder rules cost? They are simulated on cells of the coverage grid and on laws that are
not in it: Dirichlet and Zipf laws, spikes, 5 to 25 contexts of unequal n, 2 to 12 classes, up to 68% of the draws without a
class. And how narrow could any interval be? With many draws the difference of a share from its target is normal, and the
narrowest limits that hold the truth for every law can be computed for one law that is known beforehand. Beside OUT.json
stands its page OUT.md, which ``--page`` makes of it again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.metrics.tv import tv
from harness.progress import Steps
from harness.scoring import interval
from harness.scoring.sides import Cumulants, Sides, Table, sides
from tests.benchmarks import coverage
from tests.benchmarks.narrowest import Narrowest, narrowest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Floats = NDArray[np.float64]
STRIDE, OUTSIDE, SAMPLES = 4, 60, 1000
"""Every so many cells of the coverage grid, cells of other laws, and samples of each."""


class World(NamedTuple):
    """Contexts with their targets, models and draws."""

    name: str
    classes: int
    n: NDArray[np.int64]
    target: Floats
    model: Floats


@dataclass(frozen=True, slots=True)
class Row:
    """One rule in one cell."""

    cell: str
    outside: bool
    few: bool
    """No more than three classes, what is none among them."""
    truth: float
    rule: str
    coverage: float
    width: float


def law(kind: str, classes: int, rng: np.random.Generator) -> Floats:
    """Shares of one context."""
    if kind == "uniform":
        return np.full(classes, 1 / classes)
    if kind == "zipf":
        weight = 1 / np.arange(1, classes + 1) ** rng.choice([0.8, 1.3, 2.0])
        return rng.permutation(weight / weight.sum())
    if kind == "spike":
        shares = np.full(classes, 0.08 / (classes - 1))
        shares[rng.integers(classes)] = 0.92
        return shares
    return rng.dirichlet(np.full(classes, float(kind)))


def moved(target: Floats, n: int, move: str, size: float, rng: np.random.Generator) -> Floats:
    """A model that differs from the target in one of several ways."""
    if move == "same" or (move == "some" and rng.random() < 0.75):
        return target.copy()
    if move == "near":  # each class a few standard errors off
        off = rng.normal(size=len(target)) * np.sqrt(target * (1 - target) / n) * size * 8
        shares = np.maximum(target + off - off.mean(), 0.0)
        return np.asarray(shares / shares.sum())
    if move == "scattered":
        return rng.dirichlet(np.maximum(target, 1e-3) / size**1.5)
    if move == "pile":
        return np.asarray((1 - size) * target + size * np.eye(len(target))[rng.integers(len(target))])
    other = law(rng.choice(["uniform", "1", "zipf", "spike"]), len(target), rng)
    return np.asarray((1 - size) * target + size * other)


def world(number: int) -> World:
    """A cell whose law is not in the coverage grid."""
    rng = np.random.default_rng([77, number])
    contexts, classes = int(rng.integers(5, 26)), int(rng.integers(2, 13))
    base = float(np.exp(rng.uniform(np.log(10), np.log(600))))
    n = np.maximum(3, np.rint(base * rng.choice([0.4, 0.7, 1, 1.5, 3], contexts))).astype(np.int64)
    kind = str(rng.choice(["uniform", "zipf", "spike", "0.3", "1", "5"]))
    move = str(rng.choice(["same", "mixed", "scattered", "some", "near", "pile"]))
    none, size = float(rng.choice([0, 0, 0.02, 0.1, 0.4])), float(rng.choice([0.01, 0.03, 0.08, 0.2, 0.5]))
    target = np.array([law(kind, classes, rng) for _ in range(contexts)])
    model = np.array([moved(t, int(m), move, size, rng) for t, m in zip(target, n, strict=True)])
    if none:
        share = none * rng.uniform(0.3, 1.7, (contexts, 1))
        model = np.concatenate([model * (1 - share), share], axis=1)
        target = np.concatenate([target, np.zeros((contexts, 1))], axis=1)
    name = f"{contexts} contexts, {classes} classes, n about {base:.0f}, {kind}, {move} {size:g}, {none:.0%} none"
    return World(name, target.shape[1], n, target, model)


def worlds() -> list[World]:
    """Some cells of the coverage grid, then others."""
    found = []
    for case in [c for c in coverage.cases(quick=False) if c.contexts > 1][::STRIDE]:
        about = coverage.population(case, coverage.generator(case))
        if about is not None:
            name = f"grid: {case.classes} classes, n = {case.n}, {case.target}, {case.move} {case.shift:g}"
            found.append(World(name, case.classes, about[2], about[0], about[1]))
    return [*found, *map(world, range(OUTSIDE))]


def at_level(mean: Sides, level: float, least: float = 0.0) -> interval.Limits:
    """Limits at another level, without the caution; ``least`` standard errors or more."""
    z = [np.maximum(interval.critical(mean.lower, u, level), least) for u in mean.uppers]
    lows = np.array([interval.limit(mean.lower, each, -1) for each in z])
    highs = np.array([interval.limit(u, each, 1) for u, each in zip(mean.uppers, z, strict=True)])
    best = highs.argmin(axis=0)[None]
    low, high = (np.take_along_axis(v, best, axis=0)[0] for v in (lows, highs))
    low = np.maximum(low, interval.limit(mean.outside, np.full(low.shape, interval.Z_OUTSIDE), -1))
    low = np.clip(low, 0.0, 1.0)
    return interval.Limits(mean.estimate, low, np.clip(np.maximum(low, high), 0.0, 1.0))


def unbiased(parts: Sides, n: NDArray[np.int64]) -> Sides:
    """A share's variance is read off its own draws, which makes it too small by 1/n."""

    def more(part: Cumulants) -> Cumulants:
        return part._replace(variance=part.variance * n / (n - 1))

    return replace(parts, lower=more(parts.lower), uppers=tuple(map(more, parts.uppers)))


RULES: dict[str, Callable[[Sides, NDArray[np.int64]], interval.Limits]] = {
    "96%, no caution": lambda parts, _: at_level(parts.mean(), 0.96),
    "95%, no caution": lambda parts, _: at_level(parts.mean(), 0.95),
    "95%, no caution, 1/n": lambda parts, n: at_level(unbiased(parts, n).mean(), 0.95),
    "96.2%, 1/n, two standard errors or more": lambda parts, n: at_level(
        unbiased(parts, n).mean(), 0.962, 2.0
    ),
}
TODAY = "as it is"


def rows_of(about: World, rng: np.random.Generator) -> list[Row]:
    """Every rule in one cell."""
    contexts = len(about.n)
    drawn = rng.multinomial(np.broadcast_to(about.n, (SAMPLES, contexts)), about.model)
    against = np.tile(about.target, (SAMPLES, 1))
    parts = sides("tv", Table(drawn.reshape(-1, about.classes), against)).reshaped(SAMPLES, contexts)
    truth = float(tv(about.model, about.target).mean())
    today = interval.mean_limits("tv", parts, interval.Limits(*[parts.estimate] * 3))
    found = {TODAY: today} | {name: rule(parts, about.n) for name, rule in RULES.items()}
    return [
        Row(
            cell=about.name,
            outside=not about.name.startswith("grid"),
            few=about.classes <= 3,
            truth=round(truth, 6),
            rule=name,
            coverage=float(((one.low <= truth + 1e-12) & (one.high >= truth - 1e-12)).mean()),
            width=round(float((one.high - one.low).mean()), 6),
        )
        for name, one in found.items()
    ]


HEAD = """\
# Could the interval of a mean TV be narrower?

Made by `python -m tests.benchmarks.narrower docs/results/narrower.json` from [narrower.json](narrower.json). Do not edit.

## Other rules

Simulated on {grid} cells of the coverage grid (means over 14 contexts) and on {outside} cells of laws that are not in it:
Dirichlet and Zipf laws, spikes, 5 to 25 contexts of unequal n, 2 to 12 classes, up to 68% of the draws without a class.
{samples} samples a cell, so that a coverage of 0.95 is known to about 0.014. *Width* is that of the interval over the width
of the one that distalign has, in the mean over cells; *far* is the same where the TV is 0.15 or more and there are no more
than three classes.

| rule | cells | least coverage | mean | cells below 0.94 | width | far |
|---|---|--:|--:|--:|--:|--:|
"""
BOUND = """
## How narrow could any interval be?

With many draws, the share of a class differs from its target by so many standard errors, with normal noise of one. A *cell*
is one class of one context that can vary freely: 14 contexts of two classes have 14. A law says by how many standard errors
the model's shares are off. *As it is* is the mean width of the interval that distalign has. *Narrowest* is that of an
interval which is told the law, has the functions that are best for it, and needs no caution. It too must hold the truth
for all other laws, and by the theory of Donoho (1994) and Low (1997) hardly any interval that does so can be narrower at
this law. One that is not told the law cannot be as narrow at all of them. The table has the narrowest over as it is.

| law | {cells} |
|---|{line}|
"""


def page(rows: Sequence[Row], bounds: Sequence[Narrowest]) -> str:
    """The page of all cells."""
    today = {r.cell: r.width for r in rows if r.rule == TODAY}
    cells = {outside: len({r.cell for r in rows if r.outside == outside}) for outside in (False, True)}
    lines = [HEAD.format(grid=cells[False], outside=cells[True], samples=f"{SAMPLES:,}")]
    for rule in dict.fromkeys(r.rule for r in rows):
        for outside, where in ((False, "grid"), (True, "others")):
            part = [r for r in rows if (r.rule, r.outside) == (rule, outside)]
            held = np.array([r.coverage for r in part])
            wide = np.mean([r.width / today[r.cell] for r in part if today[r.cell] > 1e-9])
            apart = [r.width / today[r.cell] for r in part if r.few and r.truth >= 0.15]
            far = f"{np.mean(apart):.2f}" if apart else ""
            lines.append(
                f"| {rule} | {where} | {held.min():.3f} | {held.mean():.3f} | {(held < 0.94).sum()} "
                f"| {wide:.2f} | {far} |\n"
            )
    sizes = sorted({b.cells for b in bounds})
    lines.append(BOUND.format(cells=" | ".join(f"{n} cells" for n in sizes), line="--:|" * len(sizes))[:-2])
    lines.append("\n")
    for name in dict.fromkeys(b.law for b in bounds):
        ratios = [next(b.ratio for b in bounds if (b.law, b.cells) == (name, n)) for n in sizes]
        lines.append(f"| {name} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |\n")
    means = [np.mean([b.ratio for b in bounds if b.cells == n]) for n in sizes]
    lines.append(f"| mean | {' | '.join(f'{m:.2f}' for m in means)} |\n")
    return "".join(lines)


def read(path: Path) -> tuple[list[Row], list[Narrowest]]:
    """The cells and the bounds of a file."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return [Row(**row) for row in told["rules"]], [Narrowest(**row) for row in told["bounds"]]


def written(rows: Sequence[Row], bounds: Sequence[Narrowest]) -> str:
    """The file, a line for each cell and each bound."""
    lists = (
        f'"{key}": [\n' + ",\n".join(json.dumps(asdict(one)) for one in found) + "\n]"
        for key, found in (("rules", rows), ("bounds", bounds))
    )
    return "{" + ",\n".join(lists) + "}\n"


def main() -> None:
    """Simulate and compute what is missing, write the file and its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--page", action="store_true", help="make the page of OUT.json again")
    parser.add_argument(
        "--seconds", type=float, default=np.inf, help="stop after so long; the next call goes on"
    )
    given = parser.parse_args()
    rows, bounds = read(given.out) if given.out.is_file() else ([], [])
    end, done = time.monotonic() + given.seconds, {r.cell for r in rows}
    cells = [] if given.page else worlds()
    steps = Steps("laws", len(cells), "cells")
    for i, about in enumerate(cells):
        if about.name not in done and time.monotonic() < end:
            rows += rows_of(about, np.random.default_rng([1, i]))
        steps.reach(i + 1)
    if not (given.page or bounds) and time.monotonic() < end:
        bounds = narrowest()
    given.out.write_text(written(rows, bounds), encoding="utf-8")
    text = page(rows, bounds)
    given.out.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
