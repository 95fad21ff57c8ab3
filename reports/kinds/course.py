"""Mean TV at smaller n, by drawing from the draws without replacement, over the floor of a perfect model."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.errors import UserError
from harness.scoring.compare import distances
from harness.scoring.divergence import plugin
from harness.scoring.floor import simulate
from reports.kinds.marks import GREY, label, mark

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from reports.load import Entry

STEPS = 12
REPEATS = 200
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000)


class Course(NamedTuple):
    """What a mean TV becomes with n."""

    sizes: NDArray[np.int64]
    """n per prompt."""
    raw: list[float]
    """As drawn."""
    corrected: list[float]
    floor: list[float]
    """Of a perfect model, as drawn."""


def divergence(found: list[Entry]) -> Figure:
    """Lines of drawn runs; a run without draws is a level, for it has no n."""
    from matplotlib.figure import Figure

    drawn = [(i, e) for i, e in enumerate(found) if not e.certain]
    if not drawn:
        raise UserError(
            "nothing was drawn, so there is no n", where=str(found[0].run.folder), expected="a run with draws"
        )
    made = Figure(figsize=(5, 3.6 + 0.15 * (len(found) + 2) / (1 + (len(found) > 6))), layout="constrained")
    panel = made.subplots()
    floors: dict[tuple[float, ...], None] = {}
    for i, entry in drawn:
        course = course_of(entry)
        colour, marker = mark(i)
        name = label(entry, found)
        panel.plot(course.sizes, course.corrected, color=colour, marker=marker, markersize=3, label=name)
        panel.plot(course.sizes, course.raw, ":", color=colour, linewidth=1)
        if tuple(course.floor) not in floors:
            floors[tuple(course.floor)] = None
            panel.plot(course.sizes, course.floor, "--", color=GREY, linewidth=0.8)
    for i, entry in enumerate(found):
        if entry.certain:
            level = entry.aggregate.scores["tv"].estimate
            panel.axhline(level, color=mark(i).colour, linewidth=1, label=label(entry, found))
    panel.plot([], [], ":", color="black", linewidth=1, label="as drawn, without the correction")
    panel.plot([], [], "--", color=GREY, linewidth=0.8, label="floor: a perfect model, as drawn")
    panel.set_xscale("log")
    most = max(entry.n for _, entry in drawn)
    ticks = [tick for tick in TICKS if min(5, most) <= tick <= most]
    panel.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    panel.set_xticks([], minor=True)
    panel.axhline(0, color=GREY, linewidth=0.6)
    panel.set(xlabel="n, draws per prompt", ylabel="mean total variation from the target")
    made.legend(loc="outside lower center", ncols=1 + (len(found) > 6), frameon=False, fontsize=7)
    return made


def course_of(entry: Entry) -> Course:
    """Mean TVs of smaller draws out of all draws of a result."""
    k = len(entry.classes)
    rows = np.asarray(entry.rows, dtype=np.int64)
    grouped = np.concatenate([rows[:, :k], rows[:, k:].sum(axis=1, keepdims=True)], axis=1)
    total = grouped.sum(axis=1)
    sizes = np.unique(np.geomspace(min(5, entry.n), entry.n, STEPS).round().astype(np.int64))
    rng = np.random.default_rng(0)
    full = np.concatenate([entry.shares, np.zeros((len(total), 1))], axis=1)
    made = Course(sizes, [], [], [])
    for size in sizes:
        n = np.minimum(np.maximum((total * size / entry.n).round().astype(np.int64), 1), total)
        drawn = np.stack(
            [
                rng.multivariate_hypergeometric(row, m, size=REPEATS)
                for row, m in zip(grouped, n, strict=True)
            ],
            axis=1,
        )
        made.raw.append(float(plugin("tv", drawn, full).mean()))
        again = distances(
            drawn.reshape(-1, k + 1), np.tile(full, (REPEATS, 1)), np.tile(entry.sizes, REPEATS)
        )
        made.corrected.append(float(again.value.mean()))
        made.floor.append(float(simulate(n, full, ["tv"], sizes=entry.sizes).values["tv"].mean()))
    return made
