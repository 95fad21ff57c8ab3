"""Text from outside, made fit to be shown, and plain-text tables of it."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 300
"""Characters of a name that are shown; what is longer is cut, and says so."""

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and new line
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # direction marks, zero widths, separators
    "\ud800-\udfff\U000e0000-\U000e007f]"  # lone surrogates and tags
)

_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def spelled(text: str) -> str:
    """``text`` with every character that acts without being seen written as its name, as ``[U+202E]``.

    A text that turns its direction round, hides characters or commands a terminal could pass for another one.
    """
    return UNSEEN.sub(lambda match: f"[U+{ord(match.group()):04X}]", text)


def escaped(text: str) -> str:
    r"""JSON in which every such character is written as ``\u202e``: the same data."""
    return UNSEEN.sub(lambda match: json.dumps(match.group())[1:-1], text)


def show(value: object, limit: int = LONGEST) -> str:
    """``value`` as text with nothing unseen in it; a long one is cut, and says so."""
    text = value if isinstance(value, str) else str(value)
    head = spelled(text[:limit])
    return head if len(text) <= limit else f"{head}… ({len(text):,} characters)"


def line(value: object, limit: int = LONGEST) -> str:
    r"""``show`` on one line: line ends and tabs are written as ``\n`` and ``\t``."""
    return show(value, limit).replace("\n", "\\n").replace("\t", "\\t")


def storable(text: str) -> bool:
    """Whether UTF-8, a path and a header can hold a text: no null byte, no half of a surrogate pair."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def disarmed(text: str) -> str:
    """A cell of a CSV file: text that a spreadsheet would run as a formula gets an apostrophe in front."""
    return "'" + text if _FORMULA.match(text) else text


def rearmed(text: str) -> str:
    """What ``disarmed`` made a cell of."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Left-aligned columns two spaces apart; nothing unseen in them, wide characters counted as two."""
    clean = [[line(cell, len(cell)) for cell in row] for row in rows]
    widths = [max(_width(row[i]) for row in clean) for i in range(len(clean[0]))] if clean else []
    lines = []
    for row in clean:
        cells = [cell + " " * (w - _width(cell)) for cell, w in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines


def _width(text: str) -> int:
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text
    )
