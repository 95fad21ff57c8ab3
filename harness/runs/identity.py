"""The identity of a run, known before anything is drawn: model, prompts, settings."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.files import digest
from harness.progress import say
from harness.runs.manifest import EngineRecord, GitRecord, Identity, Manifest, SamplingRecord
from harness.sampling.engines import all_packages
from harness.tasks import prompts
from harness.terms import READERS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydantic import JsonValue

    from harness.runs.folder import Run
    from harness.sampling.base import ModelCard
    from harness.settings import Settings
    from harness.tasks.prompts import Rendered
    from harness.tasks.task import Task

RECORDED = ("distalign", "numpy", "scipy", "trl")
"""Packages that can change a number, besides those of the engines."""


def identity(task: Task, rendered: Sequence[Rendered], card: ModelCard, settings: Settings) -> Identity:
    """All that decides the law of the draws, and nothing else: runs with the same identity are one run."""
    measure = settings.chosen(task)
    return Identity(
        model=card.model,
        revision=card.revision,
        weights=card.weights,
        adapter=card.adapter,
        adapter_weights=card.adapter_weights,
        files=card.files,
        dtype=card.dtype,
        device=card.device,
        template=card.template,
        contract=card.contract,
        task=task.name,
        task_version=task.version,
        task_hash=task.hash,
        language=task.language,
        prompts_hash=prompts.fingerprint(rendered),
        split=settings.split,
        paraphrases=settings.paraphrases,
        measure=measure,
        epsilon=settings.epsilon if measure == "exact" else None,
        sampling=SamplingRecord(**asdict(settings.effective(task))),
        seed=settings.seed if measure == "draws" else None,
        reader=READERS,
        system=settings.system,
        continue_from=settings.continue_from,
        contexts=tuple(dict.fromkeys(r.context for r in rendered)) if settings.contexts else (),
    )


def seed_of(who: Identity) -> int:
    """The seed of a run's chunks: the one asked for, made another for each model and each way of asking.

    With one seed for all, two checkpoints would meet the same random numbers, and their scores would vary together or
    against one another, while comparisons and ranks take them for independent. Paths have no part in it, nor has the
    machine: the same model asked the same way draws the same again elsewhere.
    """
    asked = (who.seed, *_law(who), who.prompts_hash, who.sampling.model_dump(mode="json"))
    return int(digest(list(asked))[:15], 16)


def checkpoint_of(who: Identity) -> str:
    """The same for runs of one model, wherever it lies."""
    return digest(list(_law(who)))


def _law(who: Identity) -> tuple[str, str, str, dict[str, JsonValue]]:
    """What a model's answers follow from, besides what it is asked."""
    model = who.weights or who.model
    return model, who.adapter_weights, who.template, who.contract.model_dump(mode="json")


def manifest(who: Identity, card: ModelCard, settings: Settings, *, asked: str, source: Path) -> Manifest:
    """A new run's manifest.

    Args:
        who: all that decides the law.
        card: what the engine says of the model.
        settings: how it is evaluated.
        asked: the model string, engine and all.
        source: the task's file.
    """
    engine = engine_record(card)
    return Manifest(
        run=digest([who.model_dump(mode="json"), engine.name])[:12],
        identity=who,
        model_string=asked,
        engine=engine,
        server=card.server,
        prompts_file=str(settings.prompts.resolve()) if settings.prompts else "",
        options={k: str(v) for k, v in sorted(settings.engine.items()) if v not in ("", None, False)},
        state="new",
        task_source=str(source.resolve()),
        versions=versions(),
        git=git_state(),
    )


def engine_record(card: ModelCard) -> EngineRecord:
    """What the card says of the engine, as the manifest keeps it."""
    ran = {"dtype": card.dtype, "device": card.device}
    return EngineRecord(**card.engine, **{k: v for k, v in ran.items() if v})


def same_server(run: Run, now: Manifest) -> None:
    """Refuse to join draws of two kinds of server, whose laws may differ; tell of another version.

    Args:
        run: what was drawn.
        now: the manifest of what is to be added.

    Raises:
        UserError: the kinds are known, and not the same.
    """
    before, found = run.manifest.server, now.server
    if not (before and found):
        return
    if before.kind and found.kind and before.kind != found.kind:
        raise UserError(
            "this run was begun at a server of another kind",
            where=str(run.folder),
            found=f"{found.kind} {found.version}".strip(),
            expected=f"{before.kind} {before.version}".strip(),
            hint="-o another folder",
        )
    if before.version != found.version:
        say(f"the run was begun with {before.kind} {before.version}, now {found.version} answers")


def versions() -> dict[str, str]:
    """Versions of what can change a number."""
    found = {"python": platform.python_version()}
    for name in dict.fromkeys((*RECORDED, *all_packages())):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state() -> GitRecord:
    """Commit and dirty flag of the working directory's repository; empty outside one."""

    def git(*args: str) -> str | None:
        try:
            done = subprocess.run(["git", *args], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603, S607  # fixed arguments, the user's own git
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    sha = git("rev-parse", "HEAD")
    if sha is None:
        return GitRecord()
    return GitRecord(sha=sha, dirty=bool(git("status", "--porcelain", "--untracked-files=no")))
