"""A line a model: the corrected TV with its interval, sorted, over the band in which a perfect model falls."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UserError
from harness.plaintext import line
from reports.board import build
from reports.kinds.marks import COLOURS, GREY, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from reports.board import Board, Cell, Column
    from reports.load import Entry

WIDEST = 36
"""Characters of a line of a name."""
BAND = "#e3e3e3"
UNRANKED = "#9a9a9a"


def forest(found: list[Entry]) -> Figure:
    """Of one task, attribute and target. Runs by ``choices`` stand among those that answer, and are named so."""
    from matplotlib.figure import Figure

    board = build(found)
    column = _one(board)
    cells = sorted(board.cells, key=lambda c: (bool(c.apart), c.score("tv").estimate, c.row))
    entries = [cell.entry for cell in cells]
    names = [_name(cell, entries) for cell in cells]
    heights = np.array([1.0 + 0.8 * name.count("\n") for name in names])
    at = np.cumsum(heights) - heights / 2
    made = Figure(figsize=(6.3, 1.3 + 0.21 * float(heights.sum())), layout="constrained")
    panel = made.subplots()
    perfect = max((c.perfect for c in board.columns if np.isfinite(c.perfect)), default=0.0)
    if perfect > 0:
        panel.axvspan(0, perfect, color=BAND, linewidth=0, label="a perfect model, 95 times in 100")
    even = column.uniform["tv"]
    panel.axvline(even, color=GREY, linewidth=0.9, linestyle="--", label="a model that is always even")
    _dots(panel, at, cells, ranked=True)
    _dots(panel, at, cells, ranked=False)
    panel.set_yticks(at, names)
    panel.set_ylim(float(heights.sum()) + 0.1, -0.1)
    panel.set_xlim(left=0)
    panel.set_xlabel(f"total variation from {line(column.entry.target.name, 60)}, corrected")
    panel.grid(axis="x", color="#dddddd", linewidth=0.5)
    panel.set_axisbelow(True)
    beside = panel.secondary_yaxis("right")
    beside.set_yticks(at, [_numbers(cell) for cell in cells])
    beside.tick_params(length=0)
    beside.spines["right"].set_visible(False)
    made.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=7)
    made.suptitle(_title(column), fontsize=9)
    return made


def _dots(panel: Axes, at: NDArray[np.float64], cells: list[Cell], *, ranked: bool) -> None:
    """The models that are ranked, or those that are not."""
    chosen = [i for i, cell in enumerate(cells) if ranked != bool(cell.apart)]
    if not chosen:
        return
    colour = COLOURS[0] if ranked else UNRANKED
    name = "model, 95% interval" if ranked else "not ranked"
    scores = [cells[i].score("tv") for i in chosen]
    panel.hlines(at[chosen], [s.low for s in scores], [s.high for s in scores], color=colour, linewidth=1.3)
    (dots,) = panel.plot(
        [s.estimate for s in scores], at[chosen], "o", color=colour, clip_on=False, label=name
    )
    dots.set(markersize=4.5, markerfacecolor=colour if ranked else "white")


def _one(board: Board) -> Column:
    """The column of the figure. Answers and choices are two on the board and one here."""
    kinds = {column.key[:-1] for column in board.columns}
    if len(kinds) > 1:
        raise UserError(
            "this figure is of one task, attribute and target",
            found="; ".join(
                f"{k[0]}@{k[1]} {k[2]}, {k[3]}, contexts {k[6]}, prompts {k[7]}" for k in sorted(kinds)[:6]
            ),
            expected="runs of one task, with --target and --attribute where they were scored against several",
        )
    return next((c for c in board.columns if c.key[-1] == "answers"), board.columns[0])


def _name(cell: Cell, beside: list[Entry]) -> str:
    name = "\n".join(wrap(label(cell.entry, beside), WIDEST))
    if not cell.apart:
        return name
    kind, detail = cell.apart[0]
    return f"{name}\nnot ranked: {kind}{f', {line(detail, 40)}' if detail not in ('', kind) else ''}"


def _numbers(cell: Cell) -> str:
    score = cell.score("tv")
    size = f"n = {cell.entry.n:,}" if cell.entry.n else cell.entry.run.identity.measure
    return f"{score.estimate:.3f}  [{score.low:.3f}, {score.high:.3f}]  {size}"


def _title(column: Column) -> str:
    task, version, attribute = (line(part, 60) for part in column.key[:3])
    return f"{task}@{version}" + (f", {attribute}" if attribute != task else "")
