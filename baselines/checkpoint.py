"""A checkpoint folder: how it is begun, resumed and finished, with its record, model card and adapter base."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.output import BEGUN, DRAWN, STAGES, link_or_copy
from harness.contract import FILE, CheckpointRecord, Contract, read_checkpoint
from harness.errors import UserError
from harness.files import write_atomic
from harness.progress import say
from harness.records import read, write
from harness.runs.identity import versions

if TYPE_CHECKING:
    from baselines.method import Job, Trained
    from baselines.needs import Subject
    from baselines.recipe import Recipe
    from harness.contract import BaseRecord

MADE = {"data_hash", "critic", "versions", "contract"}
"""Fields of a record that a training adds; the others say what was asked."""


def is_done(out: Path, identity: CheckpointRecord) -> bool:
    """Whether the folder holds this training, finished; another one is refused. It may have been made elsewhere."""
    if not (out / FILE).is_file():
        return False
    _same(out, read_checkpoint(out), identity, MADE | {"computed"})
    return True


def begin(out: Path, identity: CheckpointRecord) -> None:
    """Write down what is trained, before it is; a training that another call began is refused."""
    record = out / STAGES / BEGUN
    work = ("*/final", "*/checkpoint-*", f"{DRAWN}/*")
    begun = any(p for pattern in work for p in record.parent.glob(pattern))
    if record.is_file() and begun:
        there = read(record, CheckpointRecord, hint="-o ANOTHER")
        _same(out, there, identity, MADE)
    else:
        record.parent.mkdir(exist_ok=True)
        write(record, identity)


def _same(out: Path, there: CheckpointRecord, asked: CheckpointRecord, apart: set[str]) -> None:
    old, new = (r.model_dump(mode="json", exclude=apart) for r in (there, asked))
    changed = [key for key in new if old[key] != new[key]]
    if changed:
        raise UserError(
            "the folder holds a training with other settings",
            where=str(out),
            found="different: " + ", ".join(changed),
            expected="the same settings, which resume it, or a new folder",
            hint="-o ANOTHER",
        )


def finish(job: Job[Recipe, Subject], identity: CheckpointRecord, trained: Trained) -> None:
    """Put the last stage's files in place, and the record last of all."""
    for path in sorted(trained.final.iterdir()):
        if path.is_file():
            link_or_copy(path, job.out / path.name)
    base = job.base()
    name_base(job.out / "adapter_config.json", base)
    write_atomic(job.out / "README.md", model_card(job, base, trained))
    stated = job.about.stated()
    made = Contract(
        method=job.method,
        attribute=stated.attribute,
        task=stated.task.name if stated.task else "",
        target=stated.target_names(),
        base=base.weights,
    )
    more = {
        "data_hash": trained.data_hash,
        "critic": trained.critic,
        "versions": versions(),
        "contract": trained.contract.over(made),
    }
    write(job.out / FILE, identity.model_copy(update=more))
    say(f"wrote {job.out}")


def name_base(config: Path, base: BaseRecord) -> None:
    """An adapter's base by its hub id and commit, or by its full path: peft notes where it was loaded from.

    That is a folder of this machine's cache for a hub id, and for a relative path one that holds here alone.
    """
    if config.is_file():
        settings = json.loads(config.read_text(encoding="utf-8"))
        settings |= {"base_model_name_or_path": base.model, "revision": base.revision or None}
        write_atomic(config, json.dumps(settings, indent=1, ensure_ascii=False) + "\n")


def model_card(job: Job[Recipe, Subject], base: BaseRecord, trained: Trained) -> str:
    """README.md of a checkpoint: what it is, how it was made, how to use it."""
    stated = job.about.stated()
    subject = stated.task.name if stated.task else "people's replies"
    # The hub takes nothing but its own ids for a base.
    named = "" if Path(base.model).is_absolute() else f"base_model: {base.model}\n"
    library = "peft" if (trained.final / "adapter_config.json").is_file() else "transformers"
    steering = trained.contract.strip_leading
    strip = f" Each begins with one of {', '.join(steering)}, which is taken off." if steering else ""
    origin = f"`{base.model}` (weights sha256 `{base.weights}`)"
    tuned = job.recipe.precision_asked() is not None
    kept = f"The weights of {origin} as they are, asked by another chat template,"
    made = f"Trained with distalign from {origin}" if tuned else kept
    used = " Only its training contexts and paraphrases were used." if tuned and stated.task else ""
    recipe = "\n".join(f"| {k} | {v} |" for k, v in job.recipe.model_dump(mode="json").items())
    return f"""---
library_name: {library}
{named}tags: [distalign, {job.method}]
---
# {job.method} on {subject}, target {stated.target_names()}

{made} so that its answers to {job.about.goal()}.{used}

How its outputs are read is in `{FILE}` (`contract`); `distalign evaluate` does so.{strip}

    distalign evaluate {shlex.quote(job.out.name)} {job.about.command()}

It was made to give a distribution of answers over many askings. It knows no more about any person than its
base does, and must not be used to decide or to guess anything about a real one.

| setting | value |
| --- | --- |
{recipe}
"""
