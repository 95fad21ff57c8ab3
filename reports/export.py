"""``export``: the board's numbers as Markdown, LaTeX and Parquet."""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import UserError
from harness.files import replacing
from harness.metrics.base import OfShares
from harness.plaintext import show
from reports.board import build, page_metrics
from reports.load import entries
from reports.tables import records
from reports.text import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from harness.metrics.base import Metric
    from reports.load import Entry
    from reports.tables import BoardRow

    Clean = Callable[[object], str]

_LATEX = {c: "\\" + c for c in "&%$#_{}"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
}
FLOOR = "95% floor: a perfect model with as many draws has a TV below it in 95 of 100 measurements"


class PrintedTable(NamedTuple):
    """What is said of one task and target, every cell safe for where it goes."""

    title: str
    lines: list[list[str]]
    """The ranked results, best first."""
    notes: list[str]
    """What the floor is, and what is not ranked and why."""


def load(runs: Sequence[str]) -> list[BoardRow]:
    """One record per result, as in ``leaderboard.json``."""
    return records(build(scored(runs)), {})


def scored(runs: Sequence[str]) -> list[Entry]:
    """Every scored result under the folders."""
    found, _ = entries(runs)
    if not found:
        raise UserError(
            "no scored run under these folders", found=", ".join(runs), hint="distalign list runs"
        )
    return found


def _beside() -> list[Metric]:
    """The metrics that stand beside the TV in a table: those that the page shows from the start."""
    return [m for m in page_metrics() if m.place == "shown" and m.key != "tv"]


def _head() -> tuple[str, ...]:
    return (
        "rank",
        "model",
        "method",
        "TV",
        "95% interval",
        "95% floor",
        *(m.title.en for m in _beside()),
        "n",
    )


def markdown(rows: Sequence[BoardRow]) -> str:
    """A table per task and target; below it, what is not ranked and why."""
    blocks = []
    for table in _tables(rows, escaped):
        head = f"| {' | '.join(escaped(h) for h in _head())} |\n| {' | '.join('---' for _ in _head())} |"
        body = "".join(f"\n| {' | '.join(line)} |" for line in table.lines)
        blocks.append("\n\n".join([f"**{table.title}**", *([head + body] if body else []), *table.notes]))
    return "\n\n".join(blocks) + "\n"


def latex(rows: Sequence[BoardRow]) -> str:
    """The same tables for LaTeX, with booktabs."""

    def clean(value: object) -> str:
        return "".join(_LATEX.get(c, c) for c in " ".join(show(value).split()))

    width = len(_head())
    head = " & ".join(clean(h) for h in _head())
    blocks = []
    for table in _tables(rows, clean):
        body = [" & ".join(line) + r" \\" for line in table.lines]
        notes = [rf"\multicolumn{{{width}}}{{p{{\linewidth}}}}{{{note}}} \\" for note in table.notes]
        blocks.append(
            "\n".join(
                [
                    r"\begin{table}",
                    rf"\caption{{{table.title}}}",
                    rf"\begin{{tabular}}{{rll{'r' * (width - 3)}}}",
                    r"\toprule",
                    rf"{head} \\",
                    r"\midrule",
                    *([*body, r"\midrule"] if body else []),
                    *notes,
                    r"\bottomrule",
                    r"\end{tabular}",
                    r"\end{table}",
                ]
            )
        )
    return "\n\n".join(blocks) + "\n"


def _tables(rows: Sequence[BoardRow], clean: Clean) -> list[PrintedTable]:
    def key(row: BoardRow) -> tuple[str, ...]:
        return row.task, row.task_version, row.attribute, row.target, row.split, row.paraphrases

    made = []
    for (task, version, attribute, target, split, paraphrases), group in groupby(sorted(rows, key=key), key):
        about = f"{task}@{version}" + (f", {attribute}" if attribute != task else "")
        title = clean(f"{about}, target {target}, contexts: {split}, prompts: {paraphrases}")
        each = sorted(group, key=lambda row: (row.number("tv"), row.model))
        lines = [_line(row, clean) for row in each if row.ranked]
        notes = [clean(FLOOR)] * bool(lines)
        notes += [clean(f"not ranked: {named(row)}, {show(row.apart)}") for row in each if not row.ranked]
        made.append(PrintedTable(title, lines, notes))
    return made


def named(row: BoardRow) -> str:
    """A model with its method."""
    return show(row.model) + (f" ({show(row.method)})" if row.method else "")


def _line(row: BoardRow, clean: Clean) -> list[str]:
    low, high = row.rank_low, row.rank_high
    rank = str(low) if low == high else f"{low}–{high}"
    numbers = [f"{row.number(k):.3f}" for k in ("tv", "tv_low", "tv_high")]
    return [
        clean(rank),
        clean(row.model),
        clean(row.method or "untuned"),
        numbers[0],
        f"{numbers[1]} to {numbers[2]}",
        clean(_shown(max(row.number("tv_floor95") - row.number("tv_floor"), 0.0))),
        *(clean(_number(row, metric)) for metric in _beside()),
        str(row.n),
    ]


def _number(row: BoardRow, metric: Metric) -> str:
    as_drawn = isinstance(metric, OfShares) and metric.as_drawn
    return _shown(row.number(f"{metric.key}_plugin" if as_drawn else metric.key), percent=metric.percent)


def _shown(value: float, *, percent: bool = False) -> str:
    if math.isnan(value):
        return "–"
    return f"{100 * value:.1f}%" if percent else f"{value:.3f}"


def parquet(rows: Sequence[BoardRow], out: Path) -> Path:
    """All records as one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    flat = [row.flat() for row in rows]
    columns = {name: [row[name] for row in flat] for name in flat[0]}
    with replacing(out) as file:
        pq.write_table(pa.table(columns), file, compression="zstd")
    return out
