"""Text from outside in a spreadsheet's cell and in a link."""

from __future__ import annotations

import re

from harness.plaintext import UNSEEN, disarmed, spelled


def cell(value: object) -> object:
    """A cell of a CSV file: text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if not isinstance(value, str):
        return value
    return disarmed(spelled(value))


def link(value: object) -> str:
    """``value`` where it is a web address, '' where it is anything else."""
    text = str(value)
    return (
        text
        if re.fullmatch(r"https?://[^\s\"'<>`\\\x00-\x20\x7f]+", text) and not UNSEEN.search(text)
        else ""
    )
