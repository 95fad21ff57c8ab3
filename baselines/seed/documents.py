"""One training example of the tiny chat model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.terms import Message


@dataclass(frozen=True, slots=True)
class SeedText:
    """A conversation whose last turn is learned, or plain text that is learned whole."""

    kind: str
    """The task it answers, or plain, profession."""
    text: str
    """The assistant's answer, or the plain text."""
    messages: tuple[Message, ...] = ()
    """The turns before the answer; none for plain text."""
    context: str = ""
    prompt: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Attribute -> the class that the text was made to show."""
