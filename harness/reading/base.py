"""What every reader has: it takes the text of a draw and returns a class, or an outcome without a class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader made of one answer."""

    label: str
    """A class of the attribute, or one of ``INVALID``."""
    reason: str = ""
    """Why, in a few words, where it is not obvious: kept beside the draw."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to read: steering token stripped and reasoning split off already."""

    text: str
    cut: bool = False
    """The token cap ended it."""


class Reader(ABC):
    """Turns answers into classes. A subclass states ``version`` and raises it when any reading may change."""

    version: str = "1"

    @abstractmethod
    def read(self, answer: Answer) -> Reading:
        """The class of one answer, or unparsed / refused / truncated."""

    def read_all(self, answers: Sequence[Answer]) -> list[Reading]:
        """Many answers; classifiers and judges override this to work in batches."""
        return [self.read(a) for a in answers]

    def settled(self, text: str) -> bool:
        """True when no continuation of ``text`` can change the label that ``read`` gives."""
        return False
