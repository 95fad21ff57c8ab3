"""``utility``: what a method cost a model. Perplexity, bits of people's replies, lm-eval tasks, metrics of its draws."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from harness.errors import UserError
from harness.likeness import encoded
from harness.metrics.base import About, OfTexts
from harness.metrics.catalog import of
from harness.progress import phase
from harness.raw import at_home
from harness.records import write
from harness.rescore import read
from harness.retained.lm_scores import lm_eval_scores
from harness.retained.perplexity import load_text, perplexity
from harness.retained.record import (
    FILE,
    BenchmarksRecord,
    EncodedRecord,
    Findings,
    Told,
    Utility,
    utility_of,
)
from harness.retained.replies import HeldReplies, reply_bits
from harness.runs.folder import Run
from harness.runs.source import task_of
from harness.scoring.measured import of_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.sampling.hf.checkpoint import Checkpoint
    from harness.tasks.task import Task


def of_draws(run: Run, task: Task) -> dict[str, float | None]:
    """What a run's own draws say: diversity, and semantic consistency where there are steering tokens."""
    found: dict[str, float | None] = {"distinct_1": None, "distinct_2": None}
    for attribute, one in read(run, task).items():
        about = About(task.name, attribute, one.texts.classes, task.language, "draws")
        values = of_texts(one.texts, about)
        found |= {key: values[key].plugin for key in of(OfTexts) if key in values}
    return found


class Loading(TypedDict, total=False):
    """How a model is loaded."""

    dtype: str
    device: str
    trust_remote_code: bool


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
    replies: str = ""
    """A task with people's replies to its prompts, by name, folder or file; '' for none."""
    encoder: str = ""
    """Folder of a sentence encoder, for runs on a task with people's replies; '' for none."""
    limit: int | None = None
    include: Path | None = None


def measure(
    model: str,
    wanted: Wanted,
    runs: Sequence[Path] = (),
    revision: str = "",
    trust_pickle: bool = False,
    **loading: Unpack[Loading],
) -> Told:
    """Measure a model, and keep what is found beside it and in its runs.

    Args:
        model: a folder or hub id.
        wanted: what to measure.
        runs: runs of this model; each also gets what its own draws are like.
        revision: of a hub id.
        trust_pickle: whether its weights may be pickles.
        **loading: how it is loaded.
    """
    from harness.sampling.hf.checkpoint import load
    from harness.sampling.hf.source import find, weights_digest

    source = find(model, revision, trust_pickle=trust_pickle)
    adapter = weights_digest(source.folder) if source.base else ""
    weights = (weights_digest((source.base or source).folder), adapter)
    opened = [Run.open(r) for r in runs]
    for run in opened:
        if (run.identity.weights, run.identity.adapter_weights) != weights:
            raise UserError("the run is of another model", where=str(run.folder), found=run.identity.model)
    held = HeldReplies.of(wanted.replies) if wanted.replies else None
    if held is not None:
        for run in opened:
            held.check(run)
    found = Findings()
    if wanted.text or wanted.tasks or held:
        found = _measured(load(source, **loading), wanted, held)
    for run in opened:
        if found.replies is not None and run.identity.template != found.replies.template:
            raise UserError(
                "the run asked with another chat template", where=str(run.folder), expected="--template auto"
            )
    if at_home(model).is_dir() and found.model_fields_set:
        save(source.folder, weights, found)
    drawn = {str(run.folder): of_draws(run, task_of(run)) for run in opened}
    meant = by_encoder(opened, wanted.encoder) if wanted.encoder else {}
    for folder, metrics in drawn.items():
        save(Path(folder), weights, found, metrics, meant.get(folder))
    return Told(**dict(found), draws=drawn or None, encoded=meant or None)


def by_encoder(runs: Sequence[Run], path: str) -> dict[str, EncodedRecord]:
    """Each run's replies beside those of people, by the vectors of a sentence encoder."""
    from harness.sampling.hf.encoder import SentenceEncoder

    if not runs:
        raise UserError("an encoder compares the replies of runs", where="--encoder", expected="--run RUN")
    encoder = SentenceEncoder(path)
    found = {}
    for run in runs:
        task = task_of(run)
        attribute, read_as = next(iter(read(run, task).items()))
        texts = read_as.texts
        if not texts.references:
            raise UserError(
                "this run's prompts have no replies of people",
                where=str(run.folder),
                found=task.name,
                expected="a task that target import reference --task wrote",
            )
        about = About(task.name, attribute, texts.classes, task.language, "draws")
        with phase(f"vectors of the replies of {run.folder}"):
            likeness = encoded(texts, encoder.encode, about)
        found[str(run.folder)] = EncodedRecord(
            encoder=encoder.weights, metrics=likeness.mean, contexts=likeness.contexts
        )
    return found


def _measured(checkpoint: Checkpoint, wanted: Wanted, held: HeldReplies | None) -> Findings:
    found = Findings()
    if wanted.text:
        words = load_text(wanted.text, wanted.column)
        value = perplexity(checkpoint, words, wanted.window, wanted.stride)
        value = value.model_copy(update={"source": wanted.text})
        found = found.model_copy(update={"perplexity": value})
    if wanted.tasks:
        scores = lm_eval_scores(checkpoint, wanted.tasks, wanted.limit, wanted.include)
        found = found.model_copy(update={"lm_eval": BenchmarksRecord(limit=wanted.limit, tasks=scores)})
    if held is not None:
        found = found.model_copy(update={"replies": reply_bits(checkpoint, held)})
    return found


def save(
    folder: Path,
    weights: tuple[str, str],
    found: Findings,
    draws: dict[str, float | None] | None = None,
    meant: EncodedRecord | None = None,
) -> None:
    """Write what was found to ``utility.json``; earlier findings on the same weights stay.

    Args:
        folder: of the model, or of a run of it.
        weights: hashes of the model's weights and its adapter's.
        found: what was measured of the model.
        draws: what the run's own draws are like.
        meant: the run's replies beside people's.
    """
    kept = utility_of(folder)
    if kept is None or (kept.weights, kept.adapter_weights) != weights:
        kept = Utility(weights=weights[0], adapter_weights=weights[1])
    new = {name: getattr(found, name) for name in Findings.model_fields} | {"draws": draws, "encoded": meant}
    update = {name: value for name, value in new.items() if value is not None}
    write(folder / FILE, kept.model_copy(update=update))
