"""The draws of a run as a log of Inspect: a sample is a prompt, an epoch is a draw, a score is the class that was read."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from harness import __version__
from harness.errors import UserError
from harness.files import make_folder, write_atomic
from harness.metrics.catalog import METRICS
from harness.progress import say
from harness.readings import readings
from harness.runs.folder import Run
from harness.runs.manifest import MANIFEST
from harness.runs.source import task_of
from reports.board import build
from reports.export import scored
from reports.packing import public
from reports.standing import asked
from reports.tables import records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import JsonValue

    from harness.readings import ReadDraw
    from harness.runs.manifest import PromptRecord, SamplingRecord

MOST = 10_000
"""Samples of a log; each is about a thousand bytes."""
STOPS = {"stop": "stop", "length": "max_tokens", "settled": "stop", "failed": "unknown"}

Json = dict[str, "JsonValue"]


def write(folder: str | Path, out: Path) -> Path:
    """Write the log of one run as JSON. A run of more draws than a log holds is sampled; its metrics are of all draws."""
    run = Run.open(folder)
    if run.identity.measure != "draws":
        raise UserError(
            "a log is of draws, and this run has none",
            where=str(run.folder),
            found=f"the {run.identity.measure} measure",
        )
    prompts = run.prompts().prompts[:MOST]
    epochs = min(run.n, MOST // len(prompts))
    if epochs < run.n or len(prompts) < len(run.prompts().prompts):
        say(
            f"the log has {len(prompts):,} prompts with {epochs:,} of {run.n:,} draws each, chosen at random: "
            f"a log holds {MOST:,} samples"
        )
    drawn: dict[tuple[str, str], list[ReadDraw]] = {}
    for one in readings(run, task_of(run)):
        drawn.setdefault((one.context, one.prompt), []).append(one)
    samples: list[JsonValue] = [
        sample for prompt in prompts for sample in _samples(run, prompt, drawn, epochs)
    ]
    log: Json = {
        "version": 2,
        "status": "success" if run.manifest.state == "complete" else "cancelled",
        "eval": _spec(run, prompts, epochs),
        "plan": {"name": "distalign", "steps": [], "config": {}},
        "results": {
            "total_samples": len(samples),
            "completed_samples": len(samples),
            "scores": _scores(run),
        },
        "stats": {"started_at": "", "completed_at": "", "model_usage": {}},
        "samples": samples,
    }
    make_folder(out.parent)
    write_atomic(out, json.dumps(log, ensure_ascii=False, allow_nan=False, indent=1) + "\n")
    return out


def _model(run: Run) -> str:
    return public(asked(run))


def _spec(run: Run, prompts: tuple[PromptRecord, ...], epochs: int) -> Json:
    who = run.identity
    # A run does not note the time of its draws: its manifest is written when it ends.
    ended = datetime.fromtimestamp((run.folder / MANIFEST).stat().st_mtime, UTC)
    return {
        "eval_id": run.manifest.run,
        "run_id": run.manifest.run,
        "created": ended.isoformat(timespec="seconds"),
        "task": who.task,
        "task_id": f"{who.task}@{who.task_version}",
        "task_version": who.task_version,
        "dataset": {
            "name": who.task,
            "samples": len(prompts),
            "sample_ids": [_id(prompt) for prompt in prompts],
        },
        "model": _model(run),
        "model_generate_config": _sampling(who.sampling, who.seed),
        "config": {"epochs": epochs},
        "packages": {"distalign": __version__},
        "metadata": {
            "weights_sha256": who.weights,
            "engine": run.manifest.engine.name,
            "draws_per_prompt": run.n,
            "system": who.system,
            "begun": who.continue_from,
        },
    }


def _sampling(sent: SamplingRecord, seed: int | None) -> Json:
    config: Json = {"temperature": sent.temperature, "top_p": sent.top_p, "max_tokens": sent.max_tokens}
    config |= {"top_k": sent.top_k} if sent.top_k else {}
    config |= {"stop_seqs": list(sent.stop)} if sent.stop else {}
    return config | ({"seed": seed} if seed is not None else {})


def _id(prompt: PromptRecord) -> str:
    return f"{prompt.context}/{prompt.prompt}"


def _samples(
    run: Run, prompt: PromptRecord, drawn: dict[tuple[str, str], list[ReadDraw]], epochs: int
) -> Iterator[Json]:
    """Draws of a prompt in random order: which epoch a draw is says nothing."""
    rows = drawn.get((prompt.context, prompt.prompt), [])
    counts = np.array([row.draw.count for row in rows], dtype=np.int64)
    rng = np.random.default_rng([run.identity.seed or 0, *_id(prompt).encode()])
    chosen = rng.multivariate_hypergeometric(counts, min(epochs, int(counts.sum())), method="marginals")
    asked_: list[JsonValue] = [{"role": m.role, "content": m.content} for m in prompt.messages]
    asked_ = asked_ or [{"role": "user", "content": prompt.text}]
    order = rng.permutation(np.repeat(np.arange(len(rows)), chosen))
    for epoch, i in enumerate(order.tolist(), start=1):
        row = rows[i]
        said: Json = {"role": "assistant", "content": row.draw.text, "source": "generate"}
        yield {
            "id": _id(prompt),
            "epoch": epoch,
            "input": asked_ if prompt.messages else prompt.text,
            "target": "",
            "messages": [*asked_, said],
            "output": {
                "model": _model(run),
                "choices": [{"message": said, "stop_reason": STOPS[row.draw.finish]}],
            },
            "scores": {
                name: {"value": read.label, "answer": read.label, "explanation": read.reason}
                for name, read in row.readings.items()
            },
            "metadata": {"context": prompt.context, "prompt": prompt.prompt, "finish": row.draw.finish},
        }


def _scores(run: Run) -> list[JsonValue]:
    """Every metric of every attribute and target, of all draws."""
    made: list[JsonValue] = []
    for row in records(build(scored([str(run.folder)])), {}):
        metrics: Json = {}
        for metric in METRICS:
            for key in (metric.key, f"{metric.key}_low", f"{metric.key}_high"):
                if math.isfinite(row.number(key)):
                    metrics[key] = {"name": key, "value": row.number(key)}
        made.append({"name": f"{row.attribute}, {row.target}", "scorer": row.attribute, "metrics": metrics})
    return made
