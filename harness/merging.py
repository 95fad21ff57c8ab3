"""``merge``: joins the shards of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import IncompleteError, UserError
from harness.files import write_atomic
from harness.records import to_text
from harness.rescore import score
from harness.runs.folder import Run, find_runs, writing
from harness.runs.identity import same_server
from harness.runs.manifest import PROMPTS
from harness.runs.plan import missing
from harness.tasks.prompts import Rendered
from harness.terms import Message, Request

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def merge(shards: Sequence[str], out: Path, targets: Sequence[str] = ()) -> list[Run]:
    """Unite every run found under ``shards`` with its other parts, score it, and return the whole runs.

    Raises:
        IncompleteError: a run still misses draws after all shards are in; it is written nevertheless.
    """
    groups: dict[str, list[Run]] = {}
    for run in find_runs(list(shards)):
        groups.setdefault(run.manifest.run, []).append(run)
    if not groups:
        raise UserError(
            "no run under these folders",
            found=", ".join(shards),
            expected="folders of 'evaluate --shard I/K'",
        )
    whole, short = [], []
    for runs in groups.values():
        run, left = _merge(runs, out, targets)
        whole.append(run)
        if left:
            short.append(f"{run.folder} misses {left} draws")
    if short:
        raise IncompleteError(
            "; ".join(short),
            expected="every shard I/K",
            hint="merge again with the missing shards, or evaluate without --shard",
        )
    return whole


def _merge(runs: list[Run], out: Path, targets: Sequence[str]) -> tuple[Run, int]:
    first = runs[0]
    plans = {tuple(r.plan) for r in runs}
    if len(plans) > 1:
        raise UserError(
            "shards of different n",
            where=str(first.folder),
            found=", ".join(str(sum(p)) for p in sorted(plans)),
            expected="one n",
        )
    for run in runs[1:]:
        same_server(first, run.manifest)
    folder = out / first.folder.parent.parent.name / first.folder.parent.name / first.folder.name
    with writing(folder, first.manifest.model_copy(update={"state": "merging"})) as writer:
        present = {(c.context, c.prompt, c.chunk) for c in writer.run.chunks()}
        write_atomic(folder / PROMPTS, to_text(first.prompts()))
        for run in runs:
            if run.folder.resolve() == folder.resolve():
                continue
            for chunk in run.chunks():
                if (chunk.context, chunk.prompt, chunk.chunk) not in present:
                    present.add((chunk.context, chunk.prompt, chunk.chunk))
                    request = Request(chunk.context, chunk.prompt, chunk.chunk, chunk.n, chunk.seed)
                    writer.add(request, list(chunk.draws))
        writer.flush()
        left = missing(first.plan, _rendered(writer.run), writer.run.chunks(), 0)
        writer.note(
            state="incomplete" if left else "complete",
            seconds=sum(r.manifest.seconds for r in runs),
            tokens=sum(r.manifest.tokens for r in runs),
        )
        score(writer.run, targets)
        return writer.run, sum(r.n for r in left)


def _rendered(run: Run) -> list[Rendered]:
    return [
        Rendered(p.context, p.prompt, tuple(Message(m.role, m.content) for m in p.messages), p.text)
        for p in run.prompts().prompts
    ]
