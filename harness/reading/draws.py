"""Reads whole draws: removes steering token and reasoning, then calls the reader of each attribute."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.reading import thinking
from harness.reading.base import Answer, Reader, Reading
from harness.reading.pipeline import make_reader, read_draws, settled_draw
from harness.terms import BETWEEN, INVALID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.contract import Contract
    from harness.tasks.task import Task
    from harness.terms import Draw


class StatedReader(Reader):
    """The label that a ``known:`` model states: alone, or in a JSON object of attribute -> label."""

    def __init__(self, attribute: str) -> None:
        self.attribute = attribute

    def read(self, answer: Answer) -> Reading:
        """The label as it stands."""
        try:
            stated = json.loads(answer.text)[self.attribute] if answer.text.startswith("{") else answer.text
        except (ValueError, LookupError, RecursionError):
            return Reading("unparsed", "no label is stated")
        return Reading(str(stated), "stated by the model")


@dataclass(frozen=True, slots=True)
class DrawReader:
    """Everything that decides what becomes of a draw; whoever reads draws of a run reads them with this."""

    readers: Mapping[str, Reader]
    """Attribute -> its reader."""
    contract: Contract
    """The decoding contract of the checkpoint."""
    thinks: bool
    """The prompts end inside reasoning, so that a draw lacks the tag that opens it."""
    begun: str = ""
    """The beginning of every answer, which was put before the draws: it is read with them as one text."""
    _known: dict[tuple[str, str], Mapping[str, Reading]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        task: Task,
        contract: Contract,
        shown: str,
        attributes: Iterable[str] = (),
        begun: str = "",
    ) -> DrawReader:
        """The reader of a task's draws.

        Args:
            task: whose readers are used.
            contract: the decoding contract of the model.
            shown: a prompt as the model sees it.
            attributes: those to read; none named is all of the task.
            begun: the beginning of every answer; a label that a model states has none.
        """
        readers: dict[str, Reader] = {}
        for name in attributes or task.attributes:
            about = task.attributes[name]
            readers[name] = (
                StatedReader(name)
                if contract.labels
                else make_reader(about.reader, about.classes, task.language)
            )
        return cls(readers, contract, thinking.opens(shown), "" if contract.labels else begun)

    def read(self, draws: Iterable[tuple[str, str]]) -> list[Mapping[str, Reading]]:
        """What each attribute's reader makes of (text, finish); a distinct one is read once, however often it comes."""
        asked = list(draws)
        if fresh := [draw for draw in dict.fromkeys(asked) if draw not in self._known]:
            columns = [
                read_draws(fresh, reader, self.contract, thinks=self.thinks, begun=self.begun)
                for reader in self.readers.values()
            ]
            for draw, *readings in zip(fresh, *columns, strict=True):
                self._known[draw] = dict(zip(self.readers, readings, strict=True))
        return [self._known[draw] for draw in asked]

    def outcome(self, draw: Draw) -> str:
        """The outcomes of one draw, those of several attributes joined."""
        (readings,) = self.read([(draw.text, draw.finish)])
        return BETWEEN.join(reading.label for reading in readings.values())

    def settled(self, text: str) -> bool:
        """Whether no continuation of a draw's text can change what any reader makes of it."""
        return settled_draw(text, self.readers.values(), self.contract, thinks=self.thinks, begun=self.begun)

    def decided(self) -> dict[str, str]:
        """Attribute -> the class that the beginning of the answers decides for by itself."""
        if not self.begun:
            return {}
        (alone,) = self.read([("", "stop")])
        return {name: reading.label for name, reading in alone.items() if reading.label not in INVALID}
