"""``board check``: whether submitted archives may go on a board. Every number is computed again from what is in them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import UserError
from harness.plaintext import line
from harness.rescore import score
from harness.runs.folder import Run
from harness.runs.identity import seed_of
from harness.runs.plan import missing
from harness.runs.seeds import chunk_seed
from harness.runs.source import task_of
from harness.scores import scores_of
from harness.scoring.outcomes import read_counts
from harness.tasks import prompts
from harness.tasks.prompts import Rendered
from harness.terms import SLOT, Message
from reports.archive import SUFFIX, archives, unpack
from reports.check import check, first_difference
from reports.load import entries
from reports.packing import portable
from reports.samples import NEEDS_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.runs.folder import Chunk
    from harness.tasks.task import Task

NEEDED = ("model", "task_hash", "prompts_hash", "split", "paraphrases")
"""Fields of an identity that every run has."""
PACKAGES = ("python", "distalign")
"""Versions that every manifest has."""


class Judged(NamedTuple):
    """What was found of one archive."""

    archive: str
    problem: str = ""
    """Why it is refused; '' where it is not."""
    run: str = ""
    """Model, task and size, as the archive says them."""
    note: str = ""
    """What could not be checked; '' for nothing."""


def judge(folder: Path, known: Path | None = None) -> list[Judged]:
    """Check every archive under a folder.

    Args:
        folder: the archives.
        known: those that are on the board already: what stands there unchanged is not checked again, and none of
            them may be changed or taken away.
    """
    there = {str(path.relative_to(known)): path for path in archives([known])} if known else {}
    found = {str(path.relative_to(folder)): path for path in archives([folder])}
    made = [
        Judged(name, "it is on the board, and is taken away") for name in sorted(there.keys() - found.keys())
    ]
    for name, path in found.items():
        if name not in there:
            made.append(verdict(name, path))
        elif there[name].read_bytes() != path.read_bytes():
            made.append(Judged(name, "another run is on the board under this name: give yours a new one"))
    return made


def verdict(name: str, path: Path) -> Judged:
    """Check one archive."""
    if path.is_symlink() or not path.is_file():
        return Judged(name, f"no file: a link, or a folder that is named {SUFFIX}")
    with tempfile.TemporaryDirectory() as scratch:
        told = note = ""
        try:
            run = Run.open(unpack(path, Path(scratch)))
            told = f"{run.identity.asked}, {run.identity.task}, n = {run.n}"
            task = task_of(run)
            note = _unseen(run, task)
            problem = _complete(run) or _asked(run, task) or _drawn(run) or _counted(run, task)
        except UserError as err:
            problem = _without(err, scratch)
        return Judged(name, problem, told, note)


def _without(err: UserError, scratch: str) -> str:
    """A message on one line, without the folder that was unpacked into."""
    parts = (
        err.problem,
        err.where and f"in {err.where}",
        f"found {err.found}" if err.found is not None else "",
    )
    told = "; ".join(filter(None, (*parts, err.expected and f"expected {err.expected}")))
    return told.replace(scratch, "")


def _unseen(run: Run, task: Task) -> str:
    """What nobody can check here."""
    notes = []
    if not run.identity.weights:
        named = _stranger(run, run.chunks()) is not None
        notes.append(
            "the weights were not seen" + (", nor the name that the model was asked by" if named else "")
        )
    if run.identity.measure != "draws":
        notes.append("the shares were computed by the model and are believed")
    elif _by_model(task):
        notes.append("a model reads these texts: the counts are believed")
    return "; ".join(notes)


def _by_model(task: Task) -> bool:
    return any(about.reader.get("name") in NEEDS_MODEL for about in task.attributes.values())


def _complete(run: Run) -> str:
    """What the manifest lacks."""
    who, manifest, scores = run.identity, run.manifest, scores_of(run)
    lacks = [name for name in NEEDED if not getattr(who, name)]
    lacks += [f"version of {name}" for name in PACKAGES if name not in manifest.versions]
    lacks += ["engine"] * (not manifest.engine.name)
    if who.measure == "draws":
        lacks += ["seed"] * (who.seed is None) + ["plan"] * (not run.plan) + ["reader"] * (who.reader is None)
    if manifest.state != "complete":
        return f"the run is not complete: {manifest.state}"
    if portable(manifest).model_copy(update={"run": manifest.run}) != manifest:
        return "the manifest names paths or addresses of a machine"
    if lacks:
        return "the manifest does not say: " + ", ".join(lacks)
    if scores.run != manifest.run:
        return f"manifest.json is of run {manifest.run}, scores.json of run {line(scores.run, 40)}"
    return ""


def _asked(run: Run, task: Task) -> str:
    """Whether the prompts are those of the manifest, and of the task."""
    who = run.identity
    if prompts.fingerprint(_prompts(run)) != who.prompts_hash:
        return "prompts.json does not have the prompts of the manifest"
    if run.manifest.prompts_file:
        return ""
    contexts, wordings = prompts.select(task, who.split, who.paraphrases)
    slot = {"choice": SLOT} if who.measure == "choices" else None
    asked = prompts.render(task, prompts.named(contexts, who.contexts, "contexts"), wordings, slot)
    if prompts.fingerprint(prompts.framed(asked, who.system, who.continue_from)) != who.prompts_hash:
        return f"the prompts are not those of the task {task.name}"
    return ""


def _prompts(run: Run) -> list[Rendered]:
    return [
        Rendered(p.context, p.prompt, tuple(Message(m.role, m.content) for m in p.messages), p.text)
        for p in run.prompts().prompts
    ]


def _drawn(run: Run) -> str:
    """Whether the draws are those of the plan, made with the seeds that this identity gives."""
    if run.identity.measure != "draws":
        return ""
    chunks = list(run.chunks())
    stranger = _stranger(run, chunks)
    if stranger is not None and run.identity.weights:
        where = f"{stranger.context}/{stranger.prompt}"
        return f"the draws of {where} are not those of the manifest: its model, settings and seed give other seeds"
    asked = _prompts(run)
    whole = sum(chunk.n for chunk in chunks) == run.n * len(asked)
    if not whole or missing(run.plan, asked, chunks, 0):
        return f"the draws are not those of the manifest's plan: n = {run.n} for each of {len(asked)} prompts"
    return ""


def _stranger(run: Run, chunks: Iterable[Chunk]) -> Chunk | None:
    """The first chunk whose seed is not of this identity. Weights are part of it, or else the model's name."""
    seed = seed_of(run.identity)
    return next((c for c in chunks if c.seed != chunk_seed(seed, c.context, c.prompt, c.chunk)), None)


def _counted(run: Run, task: Task) -> str:
    """Whether counts follow from draws, and scores from counts."""
    if run.identity.measure == "draws" and _by_model(task):
        return next(iter(check(entries([str(run.folder)])[0])[2].values()), "")
    claimed = scores_of(run)
    tables = read_counts(run.folder / "counts.csv") if run.identity.measure == "draws" else []
    again = score(run, [result.target.name for result in claimed.results], task)
    read = read_counts(run.folder / "counts.csv") if tables else []
    for before, after in zip(tables, read, strict=False):
        for (context, prompt), row in after.cells.items():
            for outcome, own, drawn in zip(
                after.outcomes, before.cells.get((context, prompt), ()), row, strict=False
            ):
                if own != drawn:
                    return (
                        f"counts.csv does not follow from the draws: {after.attribute}, {context}/{prompt}, "
                        f"{outcome}: {own} claimed, {drawn} drawn"
                    )
    if tables != read:
        return "counts.csv does not follow from the draws: it has other rows"
    place = first_difference(claimed.model_dump(mode="json"), again.model_dump(mode="json"))
    return f"scores.json does not follow from the counts and the texts: {place}" if place else ""


def told(verdicts: Sequence[Judged]) -> str:
    """The verdicts as Markdown. Nothing from an archive can be a link, a mention or markup: it stands in code."""
    if not verdicts:
        return "No new run.\n"
    lines = [f"| {_code(v.archive)} | {_code(v.run)} | {_said(v)} |" for v in verdicts]
    refused = sum(bool(v.problem) for v in verdicts)
    head = f"**{len(verdicts) - refused} of {len(verdicts)} runs are accepted.** Every number was computed again."
    return "\n".join([head, "", "| archive | run | verdict |", "| --- | --- | --- |", *lines]) + "\n"


def _said(one: Judged) -> str:
    note = f"; not checked: {one.note}" if one.note else ""
    return f"refused: {_code(one.problem)}" if one.problem else f"accepted{note}"


def _code(text: str) -> str:
    safe = line(text).replace("`", "'").replace("|", "¦").strip()
    return f"`{safe}`" if safe else ""
