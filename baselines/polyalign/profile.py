"""Profiles: how a model is told the length of a reply, or tells it itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.reading.style import OUTCOMES
from harness.terms import Message

if TYPE_CHECKING:
    from baselines.polyalign.data import PeopleRow
    from baselines.polyalign.recipe import Profile

LENGTHS = OUTCOMES["length"]
OPENINGS = tuple(f"{digit}\n" for digit, _ in enumerate(LENGTHS))
"""What a reply of each length opens with, where the model writes it."""
_LINES = {
    ("en", "drawn"): "Aim for size {} of 4.",
    ("zh", "drawn"): "篇幅：第 {} 级，共 4 级。",
    ("en", "gold"): "Length of the reply: {}.",
    ("zh", "gold"): "回复的长度：{}。",
}
"""A run that was told the lengths of held-out replies is found by their names in its prompts, so no other has them."""


def shown(row: PeopleRow, profile: Profile) -> PeopleRow:
    """A row as the model sees it in training."""
    if profile == "none":
        return row
    if profile == "written":
        return replace(row, text=OPENINGS[LENGTHS.index(row.bin)] + row.text)
    return replace(row, prompt=(line(row.bin, row.language, profile), *row.prompt))


def line(length: str, language: str, profile: Profile) -> Message:
    """The system message that tells a length."""
    told = length if profile == "gold" else LENGTHS.index(length) + 1
    return Message("system", _LINES[language, profile].format(told))


def bare(text: str) -> str:
    """A reply without its opening."""
    opening = next((o for o in OPENINGS if text.startswith(o)), "")
    return text[len(opening) :]
