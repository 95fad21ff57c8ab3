"""``export``: the board's numbers as Markdown, LaTeX, model-card metadata and Parquet."""

from __future__ import annotations

import math
import re
from itertools import groupby
from typing import TYPE_CHECKING

import yaml

from harness.errors import UserError
from harness.files import replacing
from harness.metrics.base import OfShares
from harness.plaintext import show
from reports.board import build, page_metrics
from reports.load import entries
from reports.tables import records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from harness.metrics.base import Metric
    from reports.tables import BoardRow

_LATEX = {c: "\\" + c for c in "&%$#_{}"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
}


def load(runs: Sequence[str]) -> list[BoardRow]:
    """One record per result, as in ``leaderboard.json``."""
    found, _ = entries(runs)
    if not found:
        raise UserError(
            "no scored run under these folders", found=", ".join(runs), hint="distalign list runs"
        )
    return records(build(found), {})


def _beside() -> list[Metric]:
    """The metrics that stand beside the TV in a table: those that the page shows from the start."""
    return [m for m in page_metrics() if m.place == "shown" and m.key != "tv"]


def _head() -> tuple[str, ...]:
    return ("rank", "model", "method", "TV", "95% interval", *(m.title.en for m in _beside()), "n")


def markdown(rows: Sequence[BoardRow]) -> str:
    """A table per task and target; results that are not ranked are left out, with a line that says so."""

    def clean(value: object) -> str:
        return re.sub(r"([\\`*_{}\[\]<>|&])", r"\\\1", " ".join(show(value).split()))

    blocks = []
    for title, lines in _tables(rows, clean):
        head = f"| {' | '.join(clean(h) for h in _head())} |\n| {' | '.join('---' for _ in _head())} |"
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        blocks.append(f"**{title}**\n\n{head}\n{body}")
    return "\n\n".join([*blocks, *_left_out(rows)]) + "\n"


def latex(rows: Sequence[BoardRow]) -> str:
    """The same tables for LaTeX, with booktabs."""

    def clean(value: object) -> str:
        return "".join(_LATEX.get(c, c) for c in " ".join(show(value).split()))

    blocks = []
    for title, lines in _tables(rows, clean):
        body = "\n".join(" & ".join(line) + r" \\" for line in lines)
        head = " & ".join(clean(h) for h in _head())
        blocks.append(
            "\\begin{table}\n\\caption{"
            + title
            + "}\n\\begin{tabular}{rll"
            + "r" * (len(_head()) - 3)
            + "}\n\\toprule\n"
            f"{head} \\\\\n\\midrule\n{body}\n\\bottomrule\n\\end{{tabular}}\n\\end{{table}}"
        )
    return "\n\n".join([*blocks, *(f"% {line}" for line in _left_out(rows))]) + "\n"


def _tables(rows: Sequence[BoardRow], clean: Callable[[object], str]) -> list[tuple[str, list[list[str]]]]:
    def key(row: BoardRow) -> tuple[str, ...]:
        return row.task, row.task_version, row.attribute, row.target, row.split, row.paraphrases

    made = []
    ranked = sorted((r for r in rows if r.ranked), key=key)
    for (task, version, attribute, target, split, paraphrases), group in groupby(ranked, key):
        about = f"{task}@{version}" + (f", {attribute}" if attribute != task else "")
        title = clean(f"{about}, target {target}, contexts: {split}, prompts: {paraphrases}")
        made.append((title, [_line(row, clean) for row in sorted(group, key=_order)]))
    return made


def _order(row: BoardRow) -> tuple[float, str]:
    return row.number("tv"), row.model


def _line(row: BoardRow, clean: Callable[[object], str]) -> list[str]:
    low, high = row.rank_low, row.rank_high
    rank = str(low) if low == high else f"{low}–{high}"
    numbers = [f"{row.number(k):.3f}" for k in ("tv", "tv_low", "tv_high")]
    return [
        clean(rank),
        clean(row.model),
        clean(row.method or "untuned"),
        numbers[0],
        f"{numbers[1]} to {numbers[2]}",
        *(clean(_number(row, metric)) for metric in _beside()),
        str(row.n),
    ]


def _number(row: BoardRow, metric: Metric) -> str:
    as_drawn = isinstance(metric, OfShares) and metric.as_drawn
    value = row.number(f"{metric.key}_plugin" if as_drawn else metric.key)
    if math.isnan(value):
        return "–"
    return f"{100 * value:.1f}%" if metric.percent else f"{value:.3f}"


def _left_out(rows: Sequence[BoardRow]) -> list[str]:
    count = sum(not r.ranked for r in rows)
    return (
        [f"{count} results that are not comparable are left out; leaderboard.json has the reasons."]
        if count
        else []
    )


def model_card(rows: Sequence[BoardRow]) -> str:
    """Metadata for a Hugging Face model card (``model-index``), of one model."""
    models = sorted({r.model for r in rows})
    if len(models) > 1:
        raise UserError(
            "a model card is of one model", found=", ".join(models[:5]), expected="the runs of one model"
        )
    results = []
    for row in rows:
        metrics = [
            {
                "type": kind,
                "name": name,
                "value": _told(row, kind),
                "args": {"low": _told(row, f"{kind}_low"), "high": _told(row, f"{kind}_high")},
            }
            for kind, name in (
                ("tv", "total variation from the target, bias-corrected"),
                ("js", "Jensen-Shannon divergence in bits, bias-corrected"),
            )
        ]
        metrics.append(
            {
                "type": "valid",
                "name": "share of draws that name a class",
                "value": _told(row, "valid"),
                "args": {"n": row.n},
            }
        )
        results.append(
            {
                "task": {"type": "text-generation"},
                "dataset": {
                    "type": "distalign",
                    "name": f"{row.task}@{row.task_version}, {row.attribute}, target {row.target}",
                    "config": row.task,
                    "split": row.split,
                },
                "metrics": metrics,
            }
        )
    document = {"model-index": [{"name": models[0], "results": results}]}
    return "---\n" + yaml.safe_dump(document, sort_keys=False, allow_unicode=True) + "---\n"


def _told(row: BoardRow, key: str) -> float | None:
    value = row.number(key)
    return None if math.isnan(value) else value


def parquet(rows: Sequence[BoardRow], out: Path) -> Path:
    """All records as one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    flat = [row.flat() for row in rows]
    columns = {name: [row[name] for row in flat] for name in flat[0]}
    with replacing(out) as file:
        pq.write_table(pa.table(columns), file, compression="zstd")
    return out
