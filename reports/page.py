"""Writes the page: one HTML file that needs no other, and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.board import first_column
from reports.standing import Reason
from reports.words import TEMPLATES, all_words, method_name, reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.board import Board, Cell

SCRIPTS = (
    "util.js",
    "stats.js",
    "charts.js",
    "first.js",
    "board.js",
    "table.js",
    "contexts.js",
    "compare.js",
    "methods.js",
    "detail.js",
    "views.js",
    "main.js",
)
FILES = ("leaderboard.csv", "leaderboard.json", "counts.csv")


def render(board: Board, data: Mapping[str, object]) -> str:
    """The page's HTML."""
    style = (TEMPLATES / "board.css").read_text(encoding="utf-8")
    script = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS)
    words = all_words()
    english: dict[str, str] = words["en"]
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    meta = data["meta"]
    assert isinstance(meta, dict)  # noqa: S101  # made by payload(); narrows for the type checker
    return environment.get_template("index.html.j2").render(
        meta=meta,
        words=english,
        sub=english["sub"].format_map(meta),
        caption=english["caption_all"].format(
            k=sum(bool(board.ranked(c)) for c in range(len(board.columns)))
        ),
        table=_static(board, data, english),
        files=[*FILES, *(["shares.csv"] if any(c.entry.certain for c in board.cells) else [])],
        style=Markup(style),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704  # our own files
        style_hash=_hash(style),
        script_hash=_hash(script),
        words_json=as_data(words),
        data_json=as_data(data),
    )


def _hash(text: str) -> Markup:
    """What a content-security-policy lets run: this text and no other."""
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return Markup("'sha256-{}'").format(digest)


def as_data(value: object) -> Markup:
    """JSON that can stand in a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  # escaped above


def _static(board: Board, data: Mapping[str, object], words: Mapping[str, str]) -> dict[str, object]:
    """What readers without scripts see: every column's verdict, and its corrected TVs with their ranks."""
    rows, columns = data["rows"], data["columns"]
    assert isinstance(rows, list)  # noqa: S101  # made by payload(); narrows for the type checker
    assert isinstance(columns, list)  # noqa: S101
    names = [_name(c) for c in columns]
    shown = [col for col, column in enumerate(columns) if column["ranked"]]
    cells = {(c.row, c.col): c for c in board.cells if not c.apart}
    first = first_column(board)

    def nearest(row: int) -> tuple[float, float, int]:
        own = cells.get((row, first))
        return -board.overall.get(row, (-9.0,))[0], own.score("tv").estimate if own else 9.0, row

    lines = [
        {
            "model": rows[row]["model"],
            "method": method_name(rows[row]["method"], words),
            "cells": [_static_cell(cells.get((row, col)), words) for col in shown],
            "n": ", ".join(sorted({str(c.entry.n or "–") for c in cells.values() if c.row == row})),
            "engine": rows[row]["engine"],
        }
        for row in sorted({row for row, _ in cells}, key=nearest)
    ]
    apart = [
        {
            "model": rows[c.row]["model"],
            "column": names[c.col],
            "reason": "; ".join(reason(Reason(*r), words) for r in c.apart),
        }
        for c in board.cells
        if c.apart
    ]
    head = [words["model"], words["method"], *(names[col] for col in shown), "n", words["engine"]]
    said = [{"column": names[col], "says": columns[col]["says"]["en"]} for col in shown]
    return {"head": head, "rows": lines, "apart": apart, "says": said}


def _static_cell(cell: Cell | None, words: Mapping[str, str]) -> dict[str, str]:
    if cell is None or cell.rank is None:
        return {"value": words["not_run"], "range": "", "rank": ""}
    score = cell.score("tv")
    low, high, _ = cell.rank
    return {
        "value": f"{score.estimate:.3f}",
        "range": f"{score.low:.3f} to {score.high:.3f}",
        "rank": words["rank_is"].format(rank=str(low) if low == high else f"{low}–{high}"),
    }


def _name(column: Mapping[str, object]) -> str:
    return f"{column['about']} → {column['target']}" + (f" [{column['mark']}]" if column["mark"] else "")
