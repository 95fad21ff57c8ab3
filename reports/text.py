"""Text from outside in a spreadsheet's cell, in a link and in Markdown."""

from __future__ import annotations

import re

from harness.plaintext import UNSEEN, disarmed, show, spelled


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


def escaped(value: object) -> str:
    """Text from outside, as Markdown shows it word for word on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|&#])", r"\\\1", " ".join(show(value).split()))
