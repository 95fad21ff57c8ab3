"""``utility``: what a method cost a model. Perplexity, lm-eval tasks, and metrics of its draws' texts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.files import read_text, write_atomic
from harness.metrics.base import About, OfTexts
from harness.metrics.catalog import of
from harness.rescore import read
from harness.retained.lm_scores import lm_eval_scores
from harness.retained.perplexity import load_text, perplexity
from harness.runs.folder import Run
from harness.runs.source import task_of
from harness.scoring.measured import of_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.tasks.task import Task

FILE = "utility.json"
SCHEMA = 1


def of_draws(run: Run, task: Task) -> dict[str, float | None]:
    """What a run's own draws say: diversity, and semantic consistency where there are steering tokens."""
    found: dict[str, float | None] = {"distinct_1": None, "distinct_2": None}
    for attribute, (_, texts) in read(run, task).items():
        about = About(task.name, attribute, texts.classes, task.language, "draws")
        values = of_texts(texts, about)
        found |= {key: values[key].plugin for key in of(OfTexts) if key in values}
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure of a model."""

    text: str = ""
    """File or data set for the perplexity; '' for none."""
    column: str = "text"
    window: int = 0
    stride: int = 0
    tasks: tuple[str, ...] = ()
    """lm-eval tasks."""
    limit: int | None = None
    include: Path | None = None


def measure(model: str, wanted: Wanted, runs: Sequence[Path] = (), **loading: object) -> dict[str, object]:
    """Measure a model, and keep what is found beside it and in its runs.

    Args:
        model: a folder or hub id.
        wanted: what to measure.
        runs: runs of this model; each also gets what its own draws are like.
        **loading: ``revision``, ``dtype``, ``device`` and ``trust_remote_code``.
    """
    from harness.sampling.hf.checkpoint import load
    from harness.sampling.hf.source import find, weights_digest

    source = find(model, str(loading.pop("revision", "")))
    adapter = weights_digest(source.folder) if source.base else ""
    weights = {"weights": weights_digest((source.base or source).folder), "adapter_weights": adapter}
    opened = [Run.open(r) for r in runs]
    for run in opened:
        if (run.identity.weights, run.identity.adapter_weights) != tuple(weights.values()):
            raise UserError("the run is of another model", where=str(run.folder), found=run.identity.model)
    found: dict[str, object] = {}
    if wanted.text or wanted.tasks:
        checkpoint = load(source, **loading)  # type: ignore[arg-type]  # checked by the loader's own names
        if wanted.text:
            words = load_text(wanted.text, wanted.column)
            value = perplexity(checkpoint, words, wanted.window, wanted.stride)
            found["perplexity"] = {"source": wanted.text, **asdict(value)}
        if wanted.tasks:
            scores = lm_eval_scores(checkpoint, wanted.tasks, wanted.limit, wanted.include)
            found["lm_eval"] = {"limit": wanted.limit, "tasks": scores}
    if Path(model).expanduser().is_dir() and found:
        save(source.folder, weights, found)
    for run in opened:
        drawn = of_draws(run, task_of(run))
        save(run.folder, weights, {**found, "draws": drawn})
        found.setdefault("draws", {})[str(run.folder)] = drawn  # type: ignore[index]  # a mapping, made here
    return found


def save(folder: Path, weights: Mapping[str, str], found: Mapping[str, object]) -> None:
    """Write what was found to ``utility.json``; earlier findings on the same weights stay."""
    path = folder / FILE
    kept: dict[str, object] = {}
    if path.is_file():
        earlier = json.loads(read_text(path))
        kept = earlier if all(earlier.get(k) == v for k, v in weights.items()) else {}
    record = {**kept, "schema": SCHEMA, **weights, **found}
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomic(path, text + "\n")
