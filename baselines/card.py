"""What a finished checkpoint says of itself to others: its model card, and an adapter's base."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, cast

from baselines.recipe import TuningRecipe
from harness.contract import FILE
from harness.files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from baselines.train import Job, Outcome


def name_base(config: Path, base: Mapping[str, str]) -> None:
    """An adapter's base by its hub id and commit, or by its full path: peft notes where it was loaded from.

    That is a folder of this machine's cache for a hub id, and for a relative path one that holds here alone.
    """
    if config.is_file():
        settings = json.loads(config.read_text(encoding="utf-8"))
        settings |= {"base_model_name_or_path": base["model"], "revision": base["revision"] or None}
        write_atomic(config, json.dumps(settings, indent=1, ensure_ascii=False) + "\n")


def model_card(job: Job, identity: Mapping[str, object], outcome: Outcome) -> str:
    """README.md of a checkpoint: what it is, how it was made, how to use it."""
    base = cast("dict[str, str]", identity["base"])
    # The hub takes nothing but its own ids for a base.
    named = "" if Path(base["model"]).is_absolute() else f"base_model: {base['model']}\n"
    library = "peft" if (outcome.final / "adapter_config.json").is_file() else "transformers"
    steering = outcome.contract.strip_leading
    strip = f" Each begins with one of {', '.join(steering)}, which is taken off." if steering else ""
    origin = f"`{base['model']}` (weights sha256 `{base['weights']}`)"
    trained = isinstance(job.recipe, TuningRecipe)
    kept = f"The weights of {origin} as they are, asked by another chat template,"
    made = f"Trained with distalign from {origin}" if trained else kept
    used = " Only its training contexts and paraphrases were used." if trained else ""
    recipe = "\n".join(f"| {k} | {v} |" for k, v in cast("dict[str, object]", identity["recipe"]).items())
    again = ["distalign", "evaluate", job.out.name, "--task", job.task.name, "--target", job.target.name]
    return f"""---
library_name: {library}
{named}tags: [distalign, {job.method}]
---
# {job.method} on {job.task.name}, target {job.target.name}

{made} so that its answers to the task
**{job.task.name}** (attribute {job.attribute.name}) follow the target **{job.target.name}**.{used}

How its outputs are read is in `{FILE}` (`contract`); `distalign evaluate` does so.{strip}

    {shlex.join(again)}

It was made to give a distribution of answers over many askings. It knows no more about any person than its
base does, and must not be used to decide or to guess anything about a real one.

| setting | value |
| --- | --- |
{recipe}
"""
