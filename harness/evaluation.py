"""Evaluates one model on one task: plans, draws, reads, counts, scores. The same call resumes or adds draws."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from harness.errors import IncompleteError, UserError, clip
from harness.measuring import measure
from harness.progress import Progress, phase, say
from harness.readings import reader_of
from harness.records import write
from harness.runs.folder import Run, Writer, folder_name, writing
from harness.runs.identity import engine_record, identity, manifest, same_server, seed_of
from harness.runs.manifest import PROMPTS, IndependenceRecord, ProbeRecord, PromptRecord, Prompts, TurnRecord
from harness.runs.plan import grow, missing
from harness.sampling.base import TOO_LONG, Foretells, drawing
from harness.sampling.independence import FIRST, PROBE_DRAWS, PROBED, duplicates, outputs, probe
from harness.sampling.open import Engines, parse, proven
from harness.scores import scored_before
from harness.settings import Chosen, Settings
from harness.tasks import prompts
from harness.tasks.seen import seen_of
from harness.tasks.target import spelled, targets_of
from harness.tasks.task import Task, load_prompts, load_task
from harness.terms import SLOT, Request

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from harness.sampling.base import Draws, Engine
    from harness.sampling.spec import Named
    from harness.scores import Scores
    from harness.tasks.prompts import Rendered
    from harness.tasks.target import Target
    from harness.tasks.task import Context
    from harness.terms import Sampling

FIRST_LOOK = 25
"""Draws per prompt in the first block of ``--until-halfwidth``."""


def evaluate(
    model: str | Path,
    task: str | Path | Task,
    target: str | Sequence[str] = (),
    settings: Settings | None = None,
    engines: Engines | None = None,
    **options: Unpack[Chosen],
) -> Run:
    """Evaluate a model on a task and return the finished run.

    Args:
        model: a path, a hub id, or ``ENGINE:NAME``.
        task: a task's name, folder or file.
        target: target names; empty or ``all`` is every target the task lists.
        settings: all settings at once.
        engines: keeps the model loaded for the next task; whoever made it closes it.
        **options: single settings by name, such as ``n=100`` or ``out=Path("runs")``.

    Raises:
        IncompleteError: some draws failed; the same call draws them again.
    """
    if not isinstance(model, str | Path):
        raise UserError("not a model", found=repr(model), expected="a path, a hub id, or 'ENGINE:NAME'")
    if not isinstance(settings, Settings | None):
        raise UserError("not settings", found=repr(settings), expected="Settings(…), or single ones by name")
    if not isinstance(engines, Engines | None):
        raise UserError("not engines", found=repr(engines), expected="Engines(), or nothing")
    chosen = (settings or Settings()).changed(options)
    loaded = task if isinstance(task, Task) else load_task(task)
    targets = targets_of(loaded, [target] if isinstance(target, str) else target)
    check(loaded, chosen)
    contexts, rendered = asked(loaded, chosen)
    for attribute, found in targets.items():
        for one in found:
            one.check(loaded, loaded.attributes[attribute], [c.id for c in contexts])
    opened = engines or Engines()
    try:
        engine = opened.open(
            str(model),
            loaded,
            {a: t[0] for a, t in targets.items()},
            chosen.backend,
            chosen.engine,
            chosen.chosen(loaded),
        )
        return _run(parse(str(model), chosen.backend), engine, loaded, targets, rendered, chosen)
    finally:
        if engines is None:
            opened.close()


def asked(task: Task, settings: Settings) -> tuple[list[Context], list[Rendered]]:
    """The contexts that are asked about and the prompts, as the measure needs them."""
    own = load_prompts(settings.prompts, task) if settings.prompts else ()
    found, wordings = prompts.select(task, settings.split, settings.paraphrases, own)
    contexts = prompts.named(found, settings.contexts, "--contexts")
    slot = {"choice": SLOT} if settings.chosen(task) == "choices" else None
    rendered = prompts.render(task, contexts, wordings, slot)
    if settings.continue_from and any(SLOT in f"{r.text}{r.messages}" for r in rendered):
        raise UserError(
            "these prompts have a place for the choice inside them, so no answer begins after them",
            where="--continue-from",
            expected="prompts without {{ choice }}, or no beginning",
        )
    return contexts, prompts.framed(rendered, settings.system, settings.continue_from)


def check(task: Task, settings: Settings) -> None:
    """Refuse settings that do not go together on a task, before anything is loaded."""
    if settings.until is not None and (settings.shard or settings.chosen(task) != "draws"):
        raise UserError(
            "a width can be reached only by draws of a whole run",
            where="--until-halfwidth",
            expected="the draws measure, without --shard",
        )
    if (settings.max_seconds or settings.max_forwards) and settings.chosen(task) != "exact":
        raise UserError(
            "only an enumeration can be ended before it is done",
            where="--max-seconds" if settings.max_seconds else "--max-forwards",
            expected="--measure exact",
        )
    settings.effective(task)


def _run(
    named: Named,
    engine: Engine,
    task: Task,
    targets: dict[str, list[Target]],
    rendered: list[Rendered],
    settings: Settings,
) -> Run:
    from harness.rescore import score

    card = engine.card()
    who = identity(task, rendered, card, settings)
    record = manifest(who, card, settings, asked=named.model, source=task.source.path)
    folder = (
        settings.out / folder_name(card.adapter or card.model) / f"{task.name}@{task.version}" / record.run
    )
    with writing(folder, record) as writer:
        same_server(writer.run, record)
        _save_prompts(writer, engine, rendered)
        seen = seen_of((card.model, card.adapter), task, [(r.context, r.prompt) for r in rendered])
        if seen != writer.run.manifest.seen_people:
            writer.note(seen_people=seen)
        for attribute, label in reader_of(writer.run, task).decided().items():
            say(f"the beginning {settings.continue_from!r} is read as {attribute} {label} by itself")
        interrupted = settings.chosen(task) != "draws" and _measure(engine, writer, task, rendered, settings)
        for look in looks(settings) if settings.chosen(task) == "draws" else []:
            _draw(drawing(engine), writer, task, rendered, replace(settings, n=look))
            if settings.until and tight(
                score(writer.run, _names(writer.run, task, targets), task), settings.until
            ):
                break
        if settings.shard:
            return writer.run
        score(writer.run, _names(writer.run, task, targets), task)
        if interrupted:
            raise KeyboardInterrupt
        if writer.run.manifest.state != "complete":
            raise IncompleteError(
                f"some draws failed: {lost(writer.run)}",
                where=str(folder),
                hint=again(writer.run),
            )
        return writer.run


def _names(run: Run, task: Task, targets: dict[str, list[Target]]) -> list[str]:
    """The targets asked for, then those that the run was scored against before, but for others of the same name."""
    asked = [spelled(t, task, task.attributes[a]) for a, found in targets.items() for t in found]
    names = {t.name for found in targets.values() for t in found}
    before = [one.spelled for one in scored_before(run) if one.name not in names]
    return list(dict.fromkeys([*asked, *before]))


def looks(settings: Settings) -> list[int]:
    """Draws per prompt after each block: all at once, or doubling up to n where a width is to be reached.

    Few looks, and a stop that depends on how far the limits lie from the estimate and hardly on where it lies, cost
    little coverage. ``tests.benchmarks.stopping`` measures it.
    """
    if settings.until is None:
        return [settings.n]
    blocks = [FIRST_LOOK * 2**i for i in range(40) if FIRST_LOOK * 2**i < settings.n]
    return [*blocks, settings.n]


def tight(scores: Scores, halfwidth: float) -> bool:
    """Whether the mean TV of every attribute and target is known to within the half-width."""
    found = [result.table.aggregate.scores["tv"] for result in scores.results]
    return all(
        enough(tv.low, tv.estimate, tv.high, tv.floor95, halfwidth) for tv in found if not math.isnan(tv.high)
    )


def enough(low: float, estimate: float, high: float, floor95: float, halfwidth: float) -> bool:
    """Whether draws may stop: neither limit is farther from the estimate than the half-width, and not by luck.

    Not half the width of the interval counts: near 0, where the lower limit can fall no further, a low estimate has
    a narrow interval. And some samples happen to lie so near to the target that even their upper limit is low. So an
    interval that holds 0 is enough only at an n at which a perfect model's TV would stay under the half-width.
    """
    near = max(high - estimate, estimate - low) <= halfwidth
    return near and (low > 0 or floor95 <= halfwidth)


def _save_prompts(writer: Writer, engine: Engine, rendered: Sequence[Rendered]) -> None:
    path = writer.run.folder / PROMPTS
    if path.is_file():
        return
    first = rendered[0]
    shown = engine.render(Request(first.context, first.prompt, 0, 1, 0, first.messages, first.text))
    say(f"first prompt as the model sees it:\n{shown}")
    rows = tuple(
        PromptRecord(
            context=r.context,
            prompt=r.prompt,
            messages=tuple(TurnRecord(role=m.role, content=m.content) for m in r.messages),
            text=r.text,
        )
        for r in rendered
    )
    write(path, Prompts(first_rendered=shown, prompts=rows))


def _draw(
    engine: Draws, writer: Writer, task: Task, rendered: Sequence[Rendered], settings: Settings
) -> None:
    run = writer.run
    writer.drop_failed()
    plan = grow(run.plan, settings.n, engine.max_chunk)
    if sum(plan) > settings.n:
        say(f"the run already holds {sum(plan)} draws per prompt; all of them are used")
    part = slice(settings.shard[0] - 1, None, settings.shard[1]) if settings.shard else slice(None)
    requests = missing(plan, rendered[part], run.chunks(), seed_of(run.identity))
    if _unproven(run, engine):
        writer.note(probe=_probe(engine, rendered, settings, task))
    if requests:
        writer.note(plan=tuple(plan), state="drawing")
        _stream(engine, writer, task, requests, settings)
    # A run may have been stopped after its last draw: what follows depends on what is on the disk alone.
    found = independence_of(run, settings.effective(task))
    done = f"shard {settings.shard[0]}/{settings.shard[1]}" if settings.shard else "complete"
    failed = any(d.finish == "failed" for c in run.chunks() for d in c.draws)
    writer.note(independence=found, state="incomplete" if failed else done)


def _stream(
    engine: Draws, writer: Writer, task: Task, requests: Sequence[Request], settings: Settings
) -> None:
    run, start = writer.run, time.monotonic()
    ahead = engine.left if isinstance(engine, Foretells) else None
    progress = Progress(f"{run.identity.asked} on {task.name}", sum(r.n for r in requests), ahead=ahead)
    try:
        for request, draws in engine.draw(requests, settings.effective(task), reader_of(run, task).settled):
            writer.add(request, draws)
            lost = sum(d.count for d in draws if d.finish == "failed")
            progress.advance(request.n, lost, sum(d.count * d.tokens for d in draws))
    finally:
        progress.close()
        writer.flush()
        spent = round(run.manifest.seconds + time.monotonic() - start, 3)
        writer.note(seconds=spent, tokens=run.manifest.tokens + progress.tokens)
        card = engine.card()
        if card.server is not None:  # what it takes and who answered is known by now
            writer.note(engine=engine_record(card), server=card.server)


def _unproven(run: Run, engine: Draws) -> bool:
    """Whether the engine's seeds have to be probed: a new run of an engine of others, or a probe that got no draws."""
    if proven(engine.card()):
        return False
    probed = run.manifest.probe
    return run.manifest.state == "new" if probed is None else not probed.drawn


def _probe(engine: Draws, rendered: Sequence[Rendered], settings: Settings, task: Task) -> ProbeRecord:
    """Before a run on an engine whose randomness is not ours: same seed twice, two seeds once."""
    with phase(f"first, {FIRST} draws that are not counted, to see whether seeds are honoured"):
        one, other = (missing([PROBE_DRAWS], rendered[:PROBED], [], settings.seed + i) for i in (1, 2))
        found = probe(engine, one, other, settings.effective(task))
    if not found.drawn:
        say(
            f"{found.reason}; the run is marked as unproven and will not be ranked until the same command probes it"
        )
    elif not found.passed:
        say(f"the engine does not give independent draws: {found.reason}; the run goes on and will be marked")
    return ProbeRecord(
        ok=found.passed,
        drawn=found.drawn,
        repeatable=found.repeatable,
        reason=found.reason,
        draws=found.draws,
    )


def independence_of(run: Run, sampling: Sampling) -> IndependenceRecord:
    """After a run: do its draws repeat one another more than independent draws would?"""
    if sampling.temperature == 0:
        return IndependenceRecord(ok=True, p=None, reason="not tested: greedy")
    chunks: dict[tuple[str, str], list[Counter[str]]] = {}
    for chunk in run.chunks():
        chunks.setdefault((chunk.context, chunk.prompt), []).append(outputs(chunk.draws))
    found = duplicates(chunks.values())
    probed = run.manifest.probe
    if not found.passed:
        say(f"independence: {found.reason}; the run is marked and will not be ranked")
    return IndependenceRecord(
        ok=found.passed and (probed is None or probed.ok),
        p=float(f"{found.p:.4g}"),
        reason=found.reason or (probed.reason if probed else ""),
    )


def _measure(
    engine: Engine, writer: Writer, task: Task, rendered: Sequence[Rendered], settings: Settings
) -> bool:
    """Measure what is missing; true where it was interrupted once every prompt had its bounds."""
    start = time.monotonic()
    with phase(f"{settings.chosen(task)} measure of {len(rendered)} prompts"):
        asked, interrupted = measure(engine, task, rendered, writer, settings, reader_of(writer.run, task))
    if not asked and writer.run.manifest.state == "complete":
        return False  # a finished run stays as it is
    spent = round(writer.run.manifest.seconds + time.monotonic() - start, 3)
    writer.note(seconds=spent, state="complete")
    return interrupted


def again(run: Run) -> str:
    """What can be done about the draws that failed."""
    if all(reason.startswith(TOO_LONG) for reason in failures(run)):
        return (
            "leave these prompts out with --contexts or --paraphrases, or take a model with a longer window"
        )
    return "the same command draws them again; what was drawn is kept"


def failures(run: Run) -> dict[str, int]:
    """Why draws failed, and how many of them."""
    reasons: dict[str, int] = {}
    for chunk in run.chunks():
        for draw in chunk.draws:
            if draw.finish == "failed":
                reasons[draw.error] = reasons.get(draw.error, 0) + draw.count
    return reasons


def lost(run: Run) -> str:
    """How many draws failed and why, the commonest reason first."""
    reasons = failures(run)
    worst = sorted(reasons.items(), key=lambda r: -r[1])[:3]
    return f"{sum(reasons.values())} ({'; '.join(f'{n} x {clip(reason, 120)}' for reason, n in worst)})"
