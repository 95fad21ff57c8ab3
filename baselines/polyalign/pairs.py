"""Preference pairs: a person's reply, and another reply to the same prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.terms import Message


@dataclass(frozen=True, slots=True)
class ReplyPair:
    """A preference: the same prompt, a person's reply chosen and another rejected."""

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    context: str
    """The kind of exchange, as targets name it."""
    bin: str
    """Length of the chosen reply: short, medium, long or xlong."""
    language: str
    """en or zh."""

    def row(self) -> dict[str, list[dict[str, str]]]:
        """As TRL takes it."""
        return {
            "prompt": [m.turn() for m in self.prompt],
            "chosen": [{"role": "assistant", "content": self.chosen}],
            "rejected": [{"role": "assistant", "content": self.rejected}],
        }
