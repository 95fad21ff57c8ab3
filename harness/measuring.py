"""The exact and choices measures: writes the shares of outcomes, from the model's probabilities, to ``shares.csv``."""

from __future__ import annotations

import time
from shutil import rmtree
from typing import TYPE_CHECKING

from harness.files import write_atomic
from harness.progress import say
from harness.sampling.base import Choices, Exact, Limit, cannot
from harness.scoring.outcomes import Certain, read_certain, to_csv
from harness.terms import BETWEEN, INVALID, Request

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.reading import DrawReader
    from harness.runs.folder import Run, Writer
    from harness.sampling.base import Engine, Shares
    from harness.settings import Settings
    from harness.tasks.prompts import Rendered
    from harness.tasks.task import Attribute, Task

KEPT = "enumerated"
"""Folder in a run, with the prompts whose enumeration has not ended."""
EVERY, SECONDS = 50, 10.0
"""Prompts, or seconds, between two writes of the file."""


def measure(
    engine: Engine,
    task: Task,
    rendered: Sequence[Rendered],
    writer: Writer,
    settings: Settings,
    reader: DrawReader,
) -> tuple[int, bool]:
    """The shares of every prompt that ``shares.csv`` does not hold yet, or whose bounds a limit left wide.

    Returns:
        How many prompts were asked, and whether it was interrupted (after the last of them).
    """
    run = writer.run
    done, open_ = known_shares(run), set(run.manifest.open)
    left = [r for r in rendered if (r.context, r.prompt) not in done or (r.context, r.prompt) in open_]
    requests = [Request(r.context, r.prompt, 0, 1, 0, r.messages, r.text) for r in left]
    interrupted = False
    if requests:
        found = shares(engine, task, requests, settings, reader, run.folder / KEPT)
        interrupted = store(writer, task, rendered, done, found)
    if not run.manifest.open:
        rmtree(run.folder / KEPT, ignore_errors=True)
    if settings.chosen(task) == "exact" and (wide := undecided(done, settings.epsilon, run.manifest.open)):
        say(wide)
    return len(requests), interrupted


def undecided(
    done: Mapping[tuple[str, str], Mapping[str, tuple[float, ...]]],
    epsilon: float,
    limited: Collection[tuple[str, str]] = (),
) -> str:
    """What to say of the prompts whose outputs a limit cut short or are too many to enumerate, '' where none."""
    left = {key: max(row[-1] for row in rows.values()) for key, rows in done.items()}
    wide = {key: mass for key, mass in left.items() if mass > epsilon}
    if not wide:
        return ""
    context, prompt = max(wide, key=lambda key: wide[key])
    cut = len(wide.keys() & set(limited))
    return (
        f"exact: {len(wide)} of {len(left)} prompts have more than epsilon = {epsilon:g} undecided, up to "
        f"{wide[context, prompt]:.2g} ({context}/{prompt}): "
        + (f"a limit ended {cut} of them" if cut else "their outputs are too many to enumerate")
        + ". The bounds hold, but are as wide as that. Next: "
        + ("the same command goes on, or " if cut else "")
        + "--measure draws"
    )


def shares(
    engine: Engine,
    task: Task,
    requests: Sequence[Request],
    settings: Settings,
    reader: DrawReader,
    kept: Path | None = None,
) -> Iterator[tuple[Request, Shares]]:
    """Yield each request with its shares, by the measure that the settings choose; what is open is kept in a folder."""
    if settings.chosen(task) == "choices":
        if not isinstance(engine, Choices):
            raise cannot(engine, "choices")
        (attribute,) = task.attributes.values()
        own = {c.id: c.fields[task.association] for c in task.contexts} if task.association else None
        about = (lambda r: own[r.context]) if own is not None else None
        return engine.choices(requests, lambda _: attribute.classes, about)
    if not isinstance(engine, Exact):
        raise cannot(engine, "exact")
    limit = Limit(settings.max_seconds, settings.max_forwards, kept)
    return engine.exact(
        requests, settings.effective(task), reader.outcome, reader.settled, settings.epsilon, limit
    )


def known_shares(run: Run) -> dict[tuple[str, str], dict[str, tuple[float, ...]]]:
    """(context, prompt) -> attribute -> the row of ``shares.csv``, as far as it was written."""
    path = run.folder / "shares.csv"
    done: dict[tuple[str, str], dict[str, tuple[float, ...]]] = {}
    for table in read_certain(path) if path.is_file() else []:
        for key, row in table.cells.items():
            done.setdefault(key, {})[table.attribute] = row
    return done


def store(
    writer: Writer,
    task: Task,
    rendered: Sequence[Rendered],
    done: dict[tuple[str, str], dict[str, tuple[float, ...]]],
    results: Iterable[tuple[Request, Shares]],
) -> bool:
    """Add results to ``shares.csv`` as they come, in the task's order; true where the last was followed by Ctrl-C.

    A prompt that a limit ended is noted in the manifest, before its bounds are written: so it is asked again.
    """
    run, saved = writer.run, time.monotonic()
    open_ = set(run.manifest.open)
    attributes = list(task.attributes.values())

    def save() -> None:
        keys = [(r.context, r.prompt) for r in rendered if (r.context, r.prompt) in done]
        noted = tuple(k for k in keys if k in open_)
        # Killed in between, a prompt is asked once more than it need be.
        if set(noted) - set(run.manifest.open):
            writer.note(open=tuple(dict.fromkeys([*run.manifest.open, *noted])))
        tables = [Certain(a.name, tuple(a.classes), {k: done[k][a.name] for k in keys}) for a in attributes]
        write_atomic(run.folder / "shares.csv", to_csv(tables))
        if noted != run.manifest.open:
            writer.note(open=noted)

    try:
        for number, (request, found) in enumerate(results, 1):
            key = (request.context, request.prompt)
            (open_.discard if found.ended else open_.add)(key)
            before = next(iter(done[key].values()))[-1] if key in done else 1.0
            if found.ended or found.undecided <= before:
                done[key] = _row(found, attributes)
            if number % EVERY == 0 or time.monotonic() - saved >= SECONDS:
                save()
                saved = time.monotonic()
    except KeyboardInterrupt:
        save()
        if len(done) < len(rendered):
            raise
        return True
    save()
    return False


def _row(found: Shares, attributes: Sequence[Attribute]) -> dict[str, tuple[float, ...]]:
    """The row of each attribute."""
    rows: dict[str, tuple[float, ...]] = {}
    for place, attribute in enumerate(attributes):
        outcomes = (*attribute.classes, *INVALID)
        lower = dict.fromkeys(outcomes, 0.0)
        for joint, mass in found.lower.items():
            parts = joint.split(BETWEEN)
            lower[parts[place] if len(attributes) > 1 and len(parts) > 1 else joint] += mass
        rows[attribute.name] = (*(min(lower[o], 1.0) for o in outcomes), max(found.undecided, 0.0))
    return rows
