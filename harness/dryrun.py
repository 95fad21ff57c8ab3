"""``evaluate --dry-run``: the prompts, the cost, the noise floor and the smallest difference that can be shown."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.evaluation import asked, check
from harness.measuring import shares
from harness.progress import phase
from harness.reading import DrawReader
from harness.runs.plan import grow, missing
from harness.sampling.base import Foretells, drawing
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
    from harness.terms import Request

SHOWN = 3
PILOT = 10.0
"""Seconds of drawing that an engine is given to foretell the rest, and about what a trial of others takes."""
ENOUGH, FALLS = 1.0, 0.8
"""Prompts share their cost. So more are tried until they take so many seconds and a prompt costs no less than so large
a part of what it cost among fewer."""
EXACT = 30.0
"""Seconds of an enumeration after which it is known how fast what is undecided falls."""


def forecast(
    model: str, task: Task, target: Sequence[str], settings: Settings, engines: Engines
) -> list[str]:
    """Lines that tell what ``evaluate`` with the same arguments would do.

    The time is measured: some of it is done as it would be, thrown away, and scaled up.
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
    with phase("trying a part of it, to tell the time"):
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
    measure, start = settings.chosen(task), time.monotonic()
    if measure == "exact":
        return [_enumerated(engine, task, rendered, settings)]
    if measure == "draws" and isinstance(engine, Foretells):
        requests, reader = _requests(engine, task, rendered, settings)
        seconds, tokens = engine.forecast(requests, settings.effective(task), reader.settled, PILOT)
        how = f"{time.monotonic() - start:,.1f} s of drawing"
    else:
        trial = _trial(engine, task, rendered, settings)
        scale = len(rendered) / trial.prompts
        seconds, tokens = trial.seconds * scale, trial.tokens * scale
        how = f"{trial.prompts} prompt{'s' * (trial.prompts > 1)} asked in full"
    lines = [f"time: about {_lasts(seconds)} after loading, from {how}"]
    if measure == "draws":
        most = len(rendered) * settings.n * settings.effective(task).max_tokens
        lines.insert(0, f"output: about {tokens:,.0f} tokens ({most:,} at most)")
    return lines


def _lasts(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds < 600 else f"{seconds / 60:,.0f} minutes"


def _enumerated(engine: Engine, task: Task, rendered: Sequence[Rendered], settings: Settings) -> str:
    """What the outputs of all prompts take to enumerate, from a beginning of it."""
    start, limit = time.monotonic(), settings.max_seconds or math.inf
    requests, reader = _requests(engine, task, rendered, settings)
    trial = replace(settings, max_seconds=min(EXACT, limit))
    left_open = [s.undecided for _, s in shares(engine, task, requests, trial, reader) if not s.ended]
    passed = time.monotonic() - start
    if not left_open:
        return f"time: about {_lasts(passed)} after loading, which it took"
    left = engine.left() if isinstance(engine, Foretells) else None
    told = f"over {_lasts(passed)}" if left is None else f"about {_lasts(passed + left)} after loading"
    if passed < EXACT or passed + (left or 0.0) >= limit:
        told = f"{_lasts(passed if passed < EXACT else limit)} after loading, when the limit ends it"
    return (
        f"time: {told}; {passed:,.0f} s leave {len(left_open)} of {len(requests)} prompts with more undecided than epsilon, "
        f"up to {max(left_open):.2%} of a prompt's outputs; --max-seconds ends it with the bounds it has"
    )


class _Trial(NamedTuple):
    """Some prompts, asked as the run would ask them."""

    prompts: int
    seconds: float
    tokens: float = 0.0
    """Of all draws."""


def _trial(engine: Engine, task: Task, rendered: Sequence[Rendered], settings: Settings) -> _Trial:
    """Ask ever more prompts, until that tells what all of them take; of a server, whose draws may cost money, few."""
    found, each, local = _Trial(0, 0.0), math.inf, engine.card().server is None
    while found.prompts < len(rendered):
        start, count = time.monotonic(), min(max(1, 4 * found.prompts), len(rendered))
        tokens = _try(engine, task, rendered[:count], settings)
        before, each = each, (time.monotonic() - start) / count
        found = _Trial(count, each * count, tokens)
        shared = local and each < FALLS * before and found.seconds < PILOT / 2
        if found.seconds >= ENOUGH and not shared:
            break
    return found


def _try(engine: Engine, task: Task, rendered: Sequence[Rendered], settings: Settings) -> int:
    """Ask some prompts as the run would; tokens of all draws."""
    requests, reader = _requests(engine, task, rendered, settings)
    if settings.chosen(task) == "draws":
        results = drawing(engine).draw(requests, settings.effective(task), reader.settled)
        return sum(d.count * d.tokens for _, found in results for d in found)
    deque(shares(engine, task, requests, settings, reader), maxlen=0)
    return 0


def _requests(
    engine: Engine, task: Task, rendered: Sequence[Rendered], settings: Settings
) -> tuple[list[Request], DrawReader]:
    """What the run would ask, and who would read it."""
    draws = settings.chosen(task) == "draws"
    plan = grow([], settings.n, drawing(engine).max_chunk) if draws else [1]
    requests = missing(plan, rendered, [], settings.seed)
    shown = engine.render(requests[0])
    return requests, DrawReader.of(task, engine.card().contract, shown, begun=settings.continue_from)
