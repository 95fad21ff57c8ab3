"""``--dry-run``: what would be sent, what it would cost, and what could be told from it. Nothing is drawn to keep."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from harness import prompts
from harness.evaluation import check
from harness.planning import grow, missing, targets_of
from harness.sampling.open import open_engine
from harness.scoring.floor import tellable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.planning import Settings
    from harness.prompts import Rendered
    from harness.sampling.base import Engine
    from harness.tasks import Task

SHOWN = 3
PROBED = 2


def forecast(model: str, task: Task, target: Sequence[str], settings: Settings) -> list[str]:
    """Lines that tell what ``evaluate`` with the same arguments would do.

    The time is measured: two prompts are drawn at the full n, thrown away, and scaled up.
    """
    targets = targets_of(task, target)
    check(task, settings)
    contexts, wordings = prompts.select(task, settings.split, settings.paraphrases)
    rendered = prompts.render(task, contexts, wordings)
    engine = open_engine(
        model, task, {a: t[0] for a, t in targets.items()}, settings.backend, settings.engine
    )
    try:
        lines = [
            f"{model} on {task.name}@{task.version}: {len(rendered)} prompts x {settings.n} draws = {len(rendered) * settings.n:,} draws"
        ]
        lines += _shown(engine, rendered)
        lines.append("sampling: " + str(settings.effective(task)))
        lines += _cost(engine, task, rendered, settings)
    finally:
        engine.close()
    asked = np.array([sum(r.context == c.id for r in rendered) * settings.n for c in contexts])
    for attribute, found in targets.items():
        for one in found:
            about, ids = task.attributes[attribute], [c.id for c in contexts]
            told = tellable(asked, one.matrix(task, about, ids), sizes=one.sizes(about, ids))
            lines.append(
                f"{attribute} against {one.name}: a perfect model's mean TV is {told.floor:.4f} (95% below {told.floor95:.4f}); "
                f"a mean TV of {told.from_target:.4f} is told from perfect with 80% power, "
                f"two models that differ by {told.between_models:.4f} from one another"
            )
    return lines


def _shown(engine: Engine, rendered: Sequence[Rendered]) -> list[str]:
    requests = missing([1], rendered[:SHOWN], [], 0)
    return [line for r in requests for line in (f"prompt {r.prompt} in {r.context}:", engine.render(r))]


def _cost(engine: Engine, task: Task, rendered: Sequence[Rendered], settings: Settings) -> list[str]:
    plan = grow([], settings.n, engine.max_chunk)
    probe = missing(plan, rendered[:PROBED], [], settings.seed)
    sampling = settings.effective(task)
    start, tokens = time.monotonic(), 0
    for _, draws in engine.draw(probe, sampling):
        tokens += sum(d.count * d.tokens for d in draws)
    seconds = time.monotonic() - start
    scale = len(rendered) / min(PROBED, len(rendered))
    return [
        f"output: about {tokens * scale:,.0f} tokens ({len(rendered) * settings.n * sampling.max_tokens:,} at most)",
        f"time: about {seconds * scale:,.1f} s after loading, from {min(PROBED, len(rendered))} prompts drawn at full n",
    ]
