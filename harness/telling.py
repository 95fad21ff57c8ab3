"""What a run's prompts tell a model of the person's reply, beside what the corpus's prompts tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from harness.reading.told import Kind, ToldCount, excess, holds, names_length
from harness.scores import ToldRecord
from harness.tasks.target import targets_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.runs.manifest import Prompts
    from harness.tasks.task import Task


def told(prompts: Prompts, task: Task) -> tuple[ToldRecord, ...]:
    """Of a run on a task with people's replies; nothing of another.

    The corpus is that of the targets which the task lists, whichever the run is scored against.
    """
    replies = {p.id: p.reference for p in task.prompts if p.reference}
    asked: dict[str, list[tuple[bool, bool]]] = {}
    for one in prompts.prompts:
        if one.prompt in replies:
            text, reply = "\n".join([*(m.content for m in one.messages), one.text]), replies[one.prompt]
            asked.setdefault(one.context, []).append((holds(text, reply), names_length(text, reply)))
    if not asked:
        return ()
    own = {c: ToldCount(len(found), *map(sum, zip(*found, strict=True))) for c, found in asked.items()}
    corpus = _corpus(task)
    kinds: tuple[Kind, ...] = get_args(Kind)
    return tuple(
        ToldRecord(
            kind=kind,
            prompts=sum(t.replies for t in own.values()),
            told=sum(t.of(kind) for t in own.values()),
            corpus=_share(own, corpus, kind),
            p=excess(own, corpus, kind),
        )
        for kind in kinds
    )


def _corpus(task: Task) -> dict[str, ToldCount]:
    for found in targets_of(task, []).values():
        for target in found:
            if target.people is not None and target.people.told:
                return {context: ToldCount(*counts) for context, counts in target.people.told.items()}
    return {}


def _share(own: Mapping[str, ToldCount], corpus: Mapping[str, ToldCount], kind: Kind) -> float:
    """What the corpus has of the run's contexts, by the run's prompts of each."""
    known = {c: corpus[c] for c in own if c in corpus and corpus[c].replies}
    prompts = sum(own[c].replies for c in known)
    if not prompts:
        return float("nan")
    return sum(t.of(kind) / t.replies * own[c].replies for c, t in known.items()) / prompts
