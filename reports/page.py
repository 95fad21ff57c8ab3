"""Writes the page: one HTML file that needs no other, and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.metrics.base import OfCounts, OfTexts
from reports.board import page_metrics
from reports.standing import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.board import Board

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("util.js", "stats.js", "charts.js", "board.js", "detail.js", "views.js", "main.js")
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


def all_words() -> dict[str, dict[str, str]]:
    """The page's words by language; those of the metrics come from their list."""
    words: dict[str, dict[str, str]] = json.loads((TEMPLATES / "i18n.json").read_text(encoding="utf-8"))
    for metric in page_metrics():
        for kind, texts in (("metric", metric.title), ("under", metric.under), ("about", metric.about)):
            for language, text in texts._asdict().items():
                drawn = isinstance(metric, OfTexts) or (isinstance(metric, OfCounts) and not metric.in_table)
                more = words[language]["bootstrap"] if drawn and kind == "about" else ""
                words[language][f"{kind}_{metric.key}"] = text + more
    return words


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
    """The table for readers without scripts: every column's corrected TV, best overall first."""
    rows, columns = data["rows"], data["columns"]
    assert isinstance(rows, list)  # noqa: S101  # made by payload(); narrows for the type checker
    assert isinstance(columns, list)  # noqa: S101
    names = [_name(c) for c in columns]
    shown = [col for col, column in enumerate(columns) if column["ranked"]]
    cells = {(c.row, c.col): c for c in board.cells if not c.apart}
    ranked = {c.row for c in board.cells if not c.apart}
    order = sorted(ranked, key=lambda r: (board.overall.get(r, (9.0,))[0], r))
    lines = []
    for row in order:
        mine = [cells.get((row, col)) for col in shown]
        lines.append(
            {
                "rank": _range(*board.overall_rank[row][:2]) if row in board.overall_rank else "–",
                "model": rows[row]["model"],
                "method": method_name(rows[row]["method"], words),
                "cells": [
                    {
                        "value": f"{c.score('tv').estimate:.3f}" if c else "–",
                        "range": f"{c.score('tv').low:.3f} to {c.score('tv').high:.3f}" if c else "",
                    }
                    for c in mine
                ],
                "n": ", ".join(sorted({str(c.entry.n or "–") for c in mine if c})) or "–",
                "engine": rows[row]["engine"],
            }
        )
    apart = [
        {
            "model": rows[c.row]["model"],
            "column": names[c.col],
            "reason": "; ".join(reason(Reason(*r), words) for r in c.apart),
        }
        for c in board.cells
        if c.apart
    ]
    head = [
        words["rank"],
        words["model"],
        words["method"],
        *(names[col] for col in shown),
        "n",
        words["engine"],
    ]
    return {"head": head, "rows": lines, "apart": apart}


def _name(column: Mapping[str, object]) -> str:
    return f"{column['about']} → {column['target']}" + (f" [{column['mark']}]" if column["mark"] else "")


def method_name(method: str, words: Mapping[str, str]) -> str:
    """A method in words: ``prompting/persona`` is "prompting: persona"."""
    name, _, arm = method.partition("/")
    known = words.get(f"method_{name}", name)
    return f"{known}: {arm}" if arm else known


def reason(why: Reason, words: Mapping[str, str]) -> str:
    """Why a result is shown apart, in words."""
    return words[f"apart_{why.kind}"].replace("{detail}", why.detail)


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}–{high}"
