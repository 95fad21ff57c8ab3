"""Makes text from outside safe to show: cuts it visibly, and writes invisible characters as their names."""

from __future__ import annotations

import re

LONGEST = 300
"""Characters of a name that are shown; what is longer is cut, and says so."""

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and new line
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # direction marks, zero widths, separators
    "\ud800-\udfff\U000e0000-\U000e007f]"  # lone surrogates and tags
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def show(value: object, limit: int = LONGEST) -> str:
    """``value`` as text: characters that act without being seen are spelled out, and a long text is cut.

    A text that turns its direction round or hides characters could pass for another one, so ``U+202E`` and its
    like are written as their names.
    """
    text = value if isinstance(value, str) else str(value)
    whole = len(text)
    head = _UNSEEN.sub(_spelled, text[:limit])
    return head if whole <= limit else f"{head}… ({whole:,} characters)"


def cell(value: object) -> object:
    """A cell of a CSV file: text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if not isinstance(value, str):
        return value
    text = _UNSEEN.sub(_spelled, value)
    return "'" + text if text.startswith(_FORMULA) else text


def link(value: object) -> str:
    """``value`` where it is a web address, '' where it is anything else."""
    text = str(value)
    return (
        text
        if re.fullmatch(r"https?://[^\s\"'<>`\\\x00-\x20\x7f]+", text) and not _UNSEEN.search(text)
        else ""
    )


def _spelled(match: re.Match[str]) -> str:
    return f"[U+{ord(match.group()):04X}]"
