"""What a model said in a run: its distinct texts with their draws, what the reader made of each, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import UserError, nearest
from harness.readings import readings
from harness.terms import INVALID

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from harness.readings import ReadDraw
    from harness.runs.folder import Run
    from harness.tasks.task import Attribute, Task


class Distinct(NamedTuple):
    """A distinct text, or one reason of draws that failed."""

    draws: int
    outcome: str
    """The class, or the outcome that is no class."""
    reason: str
    """Why, in the reader's words; '' where it is obvious."""
    text: str
    """What was drawn, without an answer's beginning that the run put before it."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which draws are looked at; a part left empty is every one."""

    contexts: Sequence[str] = ()
    prompts: Sequence[str] = ()
    outcomes: Sequence[str] = ()
    search: str = ""
    """A part of the text, upper and lower case alike."""

    def check(self, run: Run, attribute: Attribute) -> None:
        """Refuse names that the run does not have."""
        keys = run.prompts().keys()
        _known("context", self.contexts, {context for context, _ in keys}, run)
        _known("prompt", self.prompts, {prompt for _, prompt in keys}, run)
        _known("outcome", self.outcomes, [*attribute.classes, *INVALID], run)

    def asked(self, row: ReadDraw) -> bool:
        """Whether a draw is an answer to one of the chosen prompts."""
        return _in(row.context, self.contexts) and _in(row.prompt, self.prompts)

    def fits(self, found: Distinct) -> bool:
        """Whether a text is one of those looked for."""
        return _in(found.outcome, self.outcomes) and self.search.casefold() in found.text.casefold()


class Heard(NamedTuple):
    """Distinct texts, the commonest first."""

    texts: list[Distinct]
    draws: int
    """All draws of the chosen prompts, of whatever outcome."""


def said(run: Run, task: Task, attribute: str, wanted: Sought | None = None) -> Heard:
    """The distinct texts of a run as one attribute's reader reads them.

    Args:
        run: a run with draws.
        task: its task.
        attribute: the attribute whose outcome is told.
        wanted: which draws are looked at.

    Raises:
        UserError: a name that the run does not have.
    """
    chosen = wanted or Sought()
    chosen.check(run, task.attributes[attribute])
    found = _counted((row for row in readings(run, task, [attribute]) if chosen.asked(row)), attribute)
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    texts = [one._replace(draws=draws) for one, draws in ordered if chosen.fits(one)]
    return Heard(texts, found.total())


def _counted(rows: Iterable[ReadDraw], attribute: str) -> Counter[Distinct]:
    found: Counter[Distinct] = Counter()
    for row in rows:
        reading = row.readings[attribute]
        found[Distinct(0, reading.label, row.draw.error or reading.reason, row.draw.text)] += row.draw.count
    return found


def _in(name: str, chosen: Collection[str]) -> bool:
    return not chosen or name in chosen


def _known(what: str, chosen: Iterable[str], known: Collection[str], run: Run) -> None:
    for name in chosen:
        if name not in known:
            some = sorted(known)[:8] if isinstance(known, set) else known
            raise UserError(
                f"the run has no such {what}",
                where=str(run.folder),
                found=name,
                expected=", ".join(some) + (", …" if len(known) > len(some) else ""),
                nearest=nearest(name, known),
            )
