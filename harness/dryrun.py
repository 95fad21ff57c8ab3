"""``evaluate --dry-run``: the prompts, the cost, the noise floor and the smallest difference that can be shown."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.evaluation import asked, check
from harness.measuring import shares
from harness.reading import DrawReader
from harness.runs.plan import grow, missing
from harness.sampling.base import drawing
from harness.sampling.independence import FIRST
from harness.sampling.open import proven
from harness.scoring.floor import tellable
from harness.tasks.target import targets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.sampling.base import Engine
    from harness.sampling.open import Engines
    from harness.settings import Settings
    from harness.tasks.prompts import Rendered
    from harness.tasks.target import Target
    from harness.tasks.task import Task

SHOWN = 3
ENOUGH = 1.0
"""Seconds of trying after which no more prompts are tried: they share their cost, so more tell it better."""
PILOT = 5.0
"""Seconds after which the trying of an enumeration ends."""


def forecast(
    model: str, task: Task, target: Sequence[str], settings: Settings, engines: Engines
) -> list[str]:
    """Lines that tell what ``evaluate`` with the same arguments would do.

    The time is measured: some prompts are asked as they would be, thrown away, and scaled up.
    """
    targets = targets_of(task, target)
    check(task, settings)
    contexts, rendered = asked(task, settings)
    measure = settings.chosen(task)
    first = {a: t[0] for a, t in targets.items()}
    engine = engines.open(model, task, first, settings.backend, settings.engine, measure)
    count = len(rendered)
    drawn = f"{count} prompts x {settings.n} draws = {count * settings.n:,} draws"
    lines = [
        f"{model} on {task.name}@{task.version}: "
        + (drawn if measure == "draws" else f"{count} prompts, the {measure} measure")
    ]
    if measure == "draws" and not proven(engine.card()):
        lines.append(
            f"before them {FIRST} draws that are not counted, to see whether seeds are honoured; more in doubt"
        )
    for request in missing([1], rendered[:SHOWN], [], 0):
        lines += [f"prompt {request.prompt} in {request.context}:", engine.render(request)]
    if measure != "choices":
        lines.append(f"sampling: {settings.effective(task).told()}")
    lines += _cost(engine, task, rendered, settings)
    if measure != "draws":
        return [*lines, "no noise floor: nothing is drawn, so the scores have no sampling noise"]
    per_context = np.array([sum(r.context == c.id for r in rendered) * settings.n for c in contexts])
    ids = [c.id for c in contexts]
    return lines + [_told(task, a, one, ids, per_context) for a, found in targets.items() for one in found]


def _told(task: Task, attribute: str, target: Target, contexts: list[str], draws: np.ndarray) -> str:
    about = task.attributes[attribute]
    told = tellable(draws, target.matrix(task, about, contexts), sizes=target.sizes(about, contexts))
    return (
        f"{attribute} against {target.name}: a perfect model's mean TV is {told.floor:.4f} (95% below {told.floor95:.4f}); "
        f"a mean TV of {told.from_target:.4f} is told from perfect with 80% power, "
        f"two models that differ by {told.between_models:.4f} from one another"
    )


def _cost(engine: Engine, task: Task, rendered: Sequence[Rendered], settings: Settings) -> list[str]:
    tried, seconds, undecided = 0, 0.0, 0.0
    if settings.chosen(task) == "exact":
        settings = replace(settings, max_seconds=PILOT)
    while seconds < ENOUGH and tried < len(rendered):
        tried = min(max(1, 4 * tried), len(rendered))
        start = time.monotonic()
        tokens, undecided = _try(engine, task, rendered[:tried], settings)
        seconds = time.monotonic() - start
    scale = len(rendered) / tried
    if undecided > settings.epsilon:
        left = f"{seconds:,.0f} s leave {undecided:.0%} of a prompt's outputs undecided"
        return [f"time: over {seconds * scale:,.0f} s: {left}; --max-seconds ends it with the bounds it has"]
    prompts = "1 prompt" if tried == 1 else f"{tried} prompts"
    whole = seconds * scale
    lasts = f"{whole:,.1f} s" if whole < 120 else f"{whole / 60:,.0f} minutes"
    lines = [f"time: about {lasts} after loading, from {prompts} asked in full"]
    if settings.chosen(task) == "draws":
        most = len(rendered) * settings.n * settings.effective(task).max_tokens
        lines.insert(0, f"output: about {tokens * scale:,.0f} tokens ({most:,} at most)")
    return lines


def _try(engine: Engine, task: Task, rendered: Sequence[Rendered], settings: Settings) -> tuple[int, float]:
    """Ask some prompts as the run would; tokens of all draws, and the most that a limit left undecided."""
    sampler = drawing(engine) if settings.chosen(task) == "draws" else None
    plan = grow([], settings.n, sampler.max_chunk) if sampler else [1]
    requests = missing(plan, rendered, [], settings.seed)
    reader = DrawReader.of(
        task, engine.card().contract, engine.render(requests[0]), begun=settings.continue_from
    )
    if sampler:
        results = sampler.draw(requests, settings.effective(task), reader.settled)
        return sum(d.count * d.tokens for _, found in results for d in found), 0.0
    left = [s.undecided for _, s in shares(engine, task, requests, settings, reader) if not s.ended]
    return 0, max(left, default=0.0)
