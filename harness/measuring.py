"""The measures without draws: shares of outcomes from the model's probabilities, into ``shares.csv``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.files import write_atomic
from harness.progress import say
from harness.sampling.base import Choices, Exact, cannot
from harness.scoring.outcomes import Certain, read_certain, to_csv
from harness.terms import BETWEEN, INVALID, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.reading import DrawReader
    from harness.runs.folder import Run
    from harness.sampling.base import Engine, Shares
    from harness.settings import Settings
    from harness.tasks.prompts import Rendered
    from harness.tasks.task import Task

EVERY = 50
"""Prompts between two writes of the file."""


def measure(
    engine: Engine,
    task: Task,
    rendered: Sequence[Rendered],
    run: Run,
    settings: Settings,
    reader: DrawReader,
) -> None:
    """The shares of every prompt that ``shares.csv`` does not hold yet."""
    done = known_shares(run)
    left = [r for r in rendered if (r.context, r.prompt) not in done]
    requests = [Request(r.context, r.prompt, 0, 1, 0, r.messages, r.text) for r in left]
    if requests:
        store(run, task, rendered, done, shares(engine, task, requests, settings, reader))
    if settings.chosen(task) == "exact" and (wide := undecided(done, settings.epsilon)):
        say(wide)


def undecided(done: Mapping[tuple[str, str], Mapping[str, tuple[float, ...]]], epsilon: float) -> str:
    """What to say of the prompts whose outputs are too many to enumerate, '' where there are none."""
    left = {key: max(row[-1] for row in rows.values()) for key, rows in done.items()}
    wide = {key: mass for key, mass in left.items() if mass > epsilon}
    if not wide:
        return ""
    context, prompt = max(wide, key=lambda key: wide[key])
    return (
        f"exact: {len(wide)} of {len(left)} prompts have more than epsilon = {epsilon:g} undecided, up to "
        f"{wide[context, prompt]:.2g} ({context}/{prompt}): their outputs are too many to enumerate. The bounds hold, "
        "but are as wide as that. Next: --measure draws"
    )


def shares(
    engine: Engine,
    task: Task,
    requests: Sequence[Request],
    settings: Settings,
    reader: DrawReader,
) -> Iterator[tuple[Request, Shares]]:
    """Yield each request with its shares, by the measure that the settings choose."""
    if settings.chosen(task) == "choices":
        if not isinstance(engine, Choices):
            raise cannot(engine, "choices")
        (attribute,) = task.attributes.values()
        own = {c.id: c.fields[task.association] for c in task.contexts} if task.association else None
        about = (lambda r: own[r.context]) if own is not None else None
        return engine.choices(requests, lambda _: attribute.classes, about)
    if not isinstance(engine, Exact):
        raise cannot(engine, "exact")
    return engine.exact(requests, settings.effective(task), reader.outcome, reader.settled, settings.epsilon)


def known_shares(run: Run) -> dict[tuple[str, str], dict[str, tuple[float, ...]]]:
    """(context, prompt) -> attribute -> the row of ``shares.csv``, as far as it was written."""
    path = run.folder / "shares.csv"
    done: dict[tuple[str, str], dict[str, tuple[float, ...]]] = {}
    for table in read_certain(path) if path.is_file() else []:
        for key, row in table.cells.items():
            done.setdefault(key, {})[table.attribute] = row
    return done


def store(
    run: Run,
    task: Task,
    rendered: Sequence[Rendered],
    done: dict[tuple[str, str], dict[str, tuple[float, ...]]],
    results: Iterable[tuple[Request, Shares]],
) -> None:
    """Add results to ``shares.csv`` as they come, in the task's order."""
    attributes = list(task.attributes.values())
    several = len(attributes) > 1

    def save() -> None:
        keys = [(r.context, r.prompt) for r in rendered if (r.context, r.prompt) in done]
        tables = [Certain(a.name, tuple(a.classes), {k: done[k][a.name] for k in keys}) for a in attributes]
        write_atomic(run.folder / "shares.csv", to_csv(tables))

    for number, (request, shares) in enumerate(results, 1):
        row: dict[str, tuple[float, ...]] = {}
        for place, attribute in enumerate(attributes):
            outcomes = (*attribute.classes, *INVALID)
            lower = dict.fromkeys(outcomes, 0.0)
            for joint, mass in shares.lower.items():
                parts = joint.split(BETWEEN)
                lower[parts[place] if several and len(parts) > 1 else joint] += mass
            row[attribute.name] = (*(min(lower[o], 1.0) for o in outcomes), max(shares.undecided, 0.0))
        done[request.context, request.prompt] = row
        if number % EVERY == 0:
            save()
    save()
