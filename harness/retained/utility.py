"""What a remedy cost the model: perplexity on plain text, lm-eval tasks, and what its draws are like."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError, missing_package, nearest
from harness.files import read_text, write_atomic
from harness.metrics.base import About, OfTexts, Surprise
from harness.metrics.catalog import of
from harness.metrics.retained import BITS_PER_BYTE, PERPLEXITY
from harness.rescore import read
from harness.runs.folder import Run
from harness.runs.source import task_of
from harness.scoring.measured import of_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.sampling.hf.checkpoint import Checkpoint
    from harness.tasks.task import Task

FILE = "utility.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Perplexity:
    """How well a model predicts a text."""

    perplexity: float
    """``exp`` of the mean surprise of a token, in nats; comparable only between models of one tokenizer."""
    bits_per_byte: float
    """Surprise in bits over the text's UTF-8 bytes; comparable between tokenizers."""
    tokens: int
    """Tokens that were predicted: each once."""
    window: int
    stride: int
    text: str
    """sha256 of the text."""


def windows(length: int, window: int, stride: int) -> list[tuple[int, int, int]]:
    """(begin, end, first scored) of each window over ``length`` tokens.

    Every token but the first is scored in exactly one window. Windows begin ``stride`` apart, so a scored
    token sees at least ``window - stride`` tokens before it wherever the text has them.
    """
    spans = []
    scored = 1
    for begin in range(0, length, stride):
        end = min(begin + window, length)
        if end > scored:
            spans.append((begin, end, scored))
            scored = end
        if end == length:
            break
    return spans


def perplexity(checkpoint: Checkpoint, text: str, window: int = 0, stride: int = 0) -> Perplexity:
    """Perplexity of a text, by a window that slides.

    Each token counts once and with the same weight, however the windows fall. The text begins with the
    tokenizer's beginning-of-text token where it has one, so that its first token is predicted too.

    Args:
        checkpoint: a loaded causal model.
        text: what is predicted.
        window: tokens that the model sees at once; 0 is the model's own length, at most 1024.
        stride: tokens by which windows move on; 0 is half a window.
    """
    import torch

    tokenizer, model = checkpoint.tokenizer, checkpoint.model
    own = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1024
    window = window or min(own, 1024)
    stride = stride or window // 2
    if not 1 <= stride < window:
        raise UserError(
            "the stride is not smaller than the window", found=stride, expected=f"1 to {window - 1}"
        )
    ids = list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    if tokenizer.bos_token_id is not None:
        ids = [tokenizer.bos_token_id, *ids]
    if len(ids) < 2 or not text.strip():
        raise UserError("a text of fewer than two tokens has nothing to predict", found=text)

    total = 0.0
    for begin, end, first in windows(len(ids), window, stride):
        piece = torch.tensor([ids[begin:end]], device=checkpoint.device)
        keep = end - first
        with torch.inference_mode():
            logits = model(input_ids=piece).logits[0, -keep - 1 : -1].float()
        logs = logits.log_softmax(-1).gather(-1, piece[0, -keep:, None])
        total -= float(logs.double().sum())
    surprise = Surprise(total, len(ids) - 1, len(text.encode("utf-8")))
    return Perplexity(
        perplexity=PERPLEXITY.compute(surprise),
        bits_per_byte=BITS_PER_BYTE.compute(surprise),
        tokens=len(ids) - 1,
        window=window,
        stride=stride,
        text=hashlib.sha256(text.encode("utf-8")).hexdigest(),
    )


def load_text(source: str, column: str = "text") -> str:
    """The text of a file, or of a data set's column joined by empty lines.

    Args:
        source: a text file; a .jsonl, .csv or .parquet file with ``column``; or a data set of the hub as
            ``NAME[:CONFIG][@SPLIT]``.
        column: which column holds the text.
    """
    path = Path(source).expanduser()
    kinds = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
    if path.suffix not in kinds and (path.is_file() or path.suffix in (".txt", ".md")):
        return read_text(path)
    try:
        import datasets
    except ImportError as error:
        raise missing_package("a data set as text", "datasets", "train") from error
    head, _, split = source.partition("@")
    name, _, config = head.partition(":")
    try:
        if path.is_file():
            rows = datasets.load_dataset(kinds[path.suffix], data_files=str(path), split="train")
        else:
            rows = datasets.load_dataset(name, config or None, split=split or "test")
    except (OSError, ValueError, ConnectionError, datasets.exceptions.DatasetNotFoundError) as error:
        raise UserError(
            "neither a file here nor a data set that the hub gave",
            where=source,
            found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            expected="a text file, a table with a text column, or NAME[:CONFIG][@SPLIT]",
        ) from error
    if column not in rows.column_names:
        raise UserError(
            "no such column",
            where=source,
            found=column,
            expected=", ".join(rows.column_names),
            hint="--column NAME",
        )
    return "\n\n".join(str(t) for t in rows[column] if t and str(t).strip())


def lm_eval_scores(
    checkpoint: Checkpoint, tasks: Sequence[str], limit: int | None = None, include: Path | None = None
) -> dict[str, dict[str, float]]:
    """Task -> metric -> value, by lm-evaluation-harness on the loaded model.

    Args:
        checkpoint: a loaded causal model.
        tasks: lm-eval task or group names.
        limit: documents per task; None is all.
        include: a folder with tasks of your own, in lm-eval's YAML.
    """
    try:
        from lm_eval import simple_evaluate
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise missing_package("--lm-eval", error.name or "lm_eval", "lm-eval") from error
    manager = TaskManager(include_path=str(include) if include else None)
    unknown = [t for t in tasks if t not in manager.all_tasks]
    if unknown:
        raise UserError(
            "lm-eval has no such task",
            found=unknown[0],
            expected="a name that 'lm-eval ls tasks' shows",
            nearest=nearest(unknown[0], manager.all_tasks),
        )
    lm = HFLM(pretrained=checkpoint.model, tokenizer=checkpoint.tokenizer, device=str(checkpoint.device))
    found = simple_evaluate(
        model=lm,
        tasks=list(tasks),
        limit=limit,
        task_manager=manager,
        log_samples=False,
        bootstrap_iters=1000,
    )
    return {task: _numbers(metrics) for task, metrics in found["results"].items()}


def _numbers(metrics: Mapping[str, object]) -> dict[str, float]:
    return {
        k: float(v)
        for k, v in metrics.items()
        if isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v)
    }


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
