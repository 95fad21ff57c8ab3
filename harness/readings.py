"""The draws of a run with their outcomes, read by the readers of its task. Counting, checking and training use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.reading.draws import DrawReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.reading import Reading
    from harness.runs.folder import Run
    from harness.tasks.task import Task
    from harness.terms import Draw


@dataclass(frozen=True, slots=True)
class ReadDraw:
    """A draw of a run, read."""

    context: str
    prompt: str
    draw: Draw
    """Its text as it was stored, how often it came in its chunk, and why it ended."""
    readings: Mapping[str, Reading]
    """Attribute -> label and reason."""


def reader_of(run: Run, task: Task, attributes: Iterable[str] = ()) -> DrawReader:
    """The reader of a run's draws; no attribute named is all of the task."""
    return DrawReader.of(
        task, run.contract, run.prompts().first_rendered, attributes, run.identity.continue_from
    )


def readings(run: Run, task: Task, attributes: Iterable[str] = ()) -> Iterator[ReadDraw]:
    """Every draw of a run in file order, read; a distinct text is read once, with all others in one batch."""
    rows = [(chunk.context, chunk.prompt, draw) for chunk in run.chunks() for draw in chunk.draws]
    found = reader_of(run, task, attributes).read((draw.text, draw.finish) for _, _, draw in rows)
    for (context, prompt, draw), read in zip(rows, found, strict=True):
        yield ReadDraw(context, prompt, draw, read)
