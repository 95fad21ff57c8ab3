"""``score``: computes counts and scores from the draws on disk, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.errors import IncompleteError, UserError
from harness.files import write_atomic
from harness.labels import as_seen, labels_of, take
from harness.labels import scored as labelled
from harness.likeness import Likeness, compared
from harness.metrics.base import About, Said, Texts
from harness.reading import make_reader, quality
from harness.readings import readings
from harness.records import write
from harness.runs.folder import AGAIN, Run
from harness.runs.manifest import MANIFEST, PROMPTS
from harness.runs.plan import lacking, told
from harness.runs.source import task_of
from harness.scores import (
    SCORES,
    ReaderRecord,
    Result,
    SampleRecord,
    ScoredTarget,
    Scores,
    SourceRecord,
    scored_targets,
)
from harness.scoring import measured
from harness.scoring.correction import corrected_shares
from harness.scoring.outcomes import (
    Certain,
    Counts,
    measure_outcomes,
    over_wordings,
    read_certain,
    rescaled,
    score_outcomes,
    tally,
    to_csv,
)
from harness.tasks.target import Target, check_names, spelled, targets_of
from harness.telling import told as told_by
from harness.terms import READERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from harness.contract import Contract
    from harness.labels import AttributeLabels, Utterance
    from harness.readings import ReadDraw
    from harness.tasks.task import Attribute, Task


def score(
    run: Run | str | Path,
    targets: Sequence[str] = (),
    task: str | Task = "",
    *,
    labels: Sequence[str | Path] = (),
    attribute: str = "",
) -> Scores:
    """Read the draws of a run again, count, and score against targets; writes ``counts.csv`` and ``scores.json``.

    Args:
        run: a run or its folder.
        targets: target names; empty is the targets it was scored against before, else all that the task lists.
        task: the task, by name or loaded; '' is the one the manifest names.
        labels: filled-in sheets of ``distalign label``, which are kept beside the run; of two people at most.
        attribute: what the labels are of; '' is the task's first.

    Raises:
        IncompleteError: a run that was complete lacks draws of its plan; what is there is scored nevertheless.
    """
    opened = run if isinstance(run, Run) else Run.open(run)
    loaded = task_of(opened, task)
    check_names(targets)
    if labels:
        take(opened, loaded.named(attribute), [Path(sheet) for sheet in labels])
    chosen = targets_of(loaded, targets or scored_targets(opened))
    tables: Mapping[str, Counts | Certain]
    texts: Mapping[str, Texts] = {}
    found: Mapping[str, Read] = {}
    if opened.identity.measure == "draws":
        found = read(opened, loaded)
        tables = {name: one.counts for name, one in found.items()}
        texts = {name: one.texts for name, one in found.items()}
        write_atomic(opened.folder / "counts.csv", to_csv([one.counts for one in found.values()]))
    else:
        tables = {c.attribute: c for c in read_certain(opened.folder / "shares.csv")}
    results = []
    likenesses: dict[str, Likeness] = {}
    for name, targets_ in chosen.items():
        asked, said = loaded.attributes[name], texts.get(name)
        for target in targets_:
            likeness = None
            if said is not None and target.people is not None and not opened.contract.labels:
                # the same of every attribute: it is of the texts
                about = _about(opened, loaded, asked)
                likeness = likenesses.get(target.hash) or compared(said, target.people, about)
                likenesses[target.hash] = likeness
            result = _result(opened, loaded, asked, tables[name], said, target, likeness)
            by_hand = found[name].by_hand if name in found else None
            results.append(_with_labels(result, by_hand) if by_hand else result)
    scores = Scores(
        run=opened.manifest.run,
        task=loaded.name,
        task_version=loaded.version,
        task_hash=loaded.hash,
        reader_version=READERS,
        as_drawn=loaded.hash == opened.identity.task_hash,
        results=tuple(results),
        told=told_by(opened.prompts(), loaded),
    )
    write(opened.folder / SCORES, scores)
    _refuse_lacking(opened, next(iter(tables.values())))
    return scores


class Read(NamedTuple):
    """The draws of a run as one attribute's reader reads them."""

    counts: Counts
    texts: Texts
    by_hand: ByHand | None
    """Where texts of the run were labelled."""


class ByHand(NamedTuple):
    """Labels of one attribute, and all draws as they are read now."""

    labels: AttributeLabels
    said: Mapping[Utterance, int]


def read(run: Run, task: Task) -> dict[str, Read]:
    """Read every draw of a run with each attribute's reader, and count."""
    keys = run.prompts().keys()
    rows = list(readings(run, task))
    _refuse_strangers(run, keys, rows)
    people = {p.id: (p.reference,) for p in task.prompts if p.reference is not None}
    references = {key: people[key[1]] for key in keys if key[1] in people}
    known = {p.id: p.conversation for p in task.prompts if p.conversation}
    talks = {key: known[key[1]] for key in keys if key[1] in known}
    by_hand = labels_of(run).attributes
    found = {}
    for name, attribute in task.attributes.items():
        heard: dict[tuple[str, str], list[Said]] = {}
        for r in rows:
            one = Said(r.draw.text, r.readings[name].label, r.draw.count)
            heard.setdefault((r.context, r.prompt), []).append(one)
        # In an order that does not tell when each was drawn: what is computed with random numbers depends on it.
        said = {key: sorted(heard[key]) for key in keys if key in heard}
        outcomes = ((key, one.label, one.draws) for key, all_ in said.items() for one in all_)
        classes = tuple(attribute.classes)
        counts = tally(name, classes, keys, outcomes)
        steering = _steering(run.contract, task, attribute)
        labels = by_hand.get(name)
        seen = ByHand(labels, as_seen(run, attribute, rows)) if labels and labels.labels else None
        found[name] = Read(counts, Texts(task.language, classes, said, steering, references, talks), seen)
    return found


def _steering(contract: Contract, task: Task, attribute: Attribute) -> tuple[str, ...]:
    """The tokens that steer to a class of this attribute."""
    about = contract.attribute or next(iter(task.attributes))
    return contract.strip_leading if about == attribute.name else ()


def _refuse_lacking(run: Run, found: Counts | Certain) -> None:
    """A run that is called complete and does not hold what its plan says is complete no longer."""
    lacks = lacking(run.prompts().keys(), run.planned, found.held())
    if run.manifest.state != "complete" or not lacks:
        return
    run.manifest = run.manifest.model_copy(update={"state": "incomplete"})
    write(run.folder / MANIFEST, run.manifest)
    raise IncompleteError(
        told(lacks),
        where=str(run.folder),
        expected=f"{run.planned} of each prompt",
        hint=f"{AGAIN}: it draws exactly what is missing; what is there was scored",
    )


def _refuse_strangers(run: Run, keys: Sequence[tuple[str, str]], rows: Sequence[ReadDraw]) -> None:
    known = set(keys)
    strange = next((r for r in rows if (r.context, r.prompt) not in known), None)
    if strange is not None:
        raise UserError(
            "draws of a prompt that is not among the run's",
            where=str(run.folder / PROMPTS),
            found=f"{strange.context}/{strange.prompt}",
            expected="every prompt that was drawn",
            hint=f"rm {run.folder / PROMPTS}, then {AGAIN}",
        )


def _result(
    run: Run,
    task: Task,
    attribute: Attribute,
    found: Counts | Certain,
    texts: Texts | None,
    target: Target,
    likeness: Likeness | None,
) -> Result:
    contexts = found.contexts
    matrix, sizes = target.matrix(task, attribute, contexts), target.sizes(attribute, contexts)
    about = _about(run, task, attribute)
    others = measure_outcomes(found, matrix, sizes, about)
    positions = np.array(attribute.positions) if attribute.positions else None
    if likeness is not None:
        others |= likeness.mean
    if texts is not None and not run.contract.labels:
        others |= measured.of_texts(texts, about)
    table = score_outcomes(found, matrix, sizes, positions)
    others |= rescaled(found, matrix, table.aggregate.scores["tv"])
    result = Result(
        attribute=attribute.name,
        classes=tuple(attribute.classes),
        positions=attribute.positions,
        context_ids=tuple(contexts),
        target=describe(task, attribute, target, contexts, matrix),
        table=table,
        metrics=others,
        people={c: dict(each) for c, each in likeness.contexts.items()} if likeness is not None else None,
        wordings=over_wordings(found, matrix, sizes, table.aggregate.scores["tv"]),
        totals=found.totals() if isinstance(found, Counts) else {},
    )
    if isinstance(found, Certain) or run.contract.labels or not (attribute.examples or attribute.blind):
        return result
    return _with_reader(result, task, attribute, found.folded()[:, :-1])


def _with_labels(result: Result, by_hand: ByHand) -> Result:
    """With what hand labels say, over the contexts that have draws."""
    drawn = {seen.context for seen in by_hand.said}
    rows = [i for i, context in enumerate(result.context_ids) if context in drawn]
    sample = result.target.sample
    found = labelled(
        by_hand.labels,
        by_hand.said,
        result.classes,
        [result.context_ids[i] for i in rows],
        np.array(result.target.shares)[rows],
        np.full(len(rows), np.inf) if sample is None else np.array(sample.independent)[rows],
        np.array(result.positions) if result.positions else None,
    )
    return result.model_copy(update={"labelled": found})


def _about(run: Run, task: Task, attribute: Attribute) -> About:
    return About(task.name, attribute.name, tuple(attribute.classes), task.language, run.identity.measure)


def _with_reader(result: Result, task: Task, attribute: Attribute, valid: NDArray[np.int64]) -> Result:
    """With the reader's confusion on labelled texts, and the class shares per context with it taken out.

    Texts that were kept blind show the reader's errors; where there are none, the examples have to serve.
    """
    reader = make_reader(attribute.reader, attribute.classes, task.language)
    classes = list(attribute.classes)
    read_as = {
        name: quality.measure(reader, texts, classes)
        for name, texts in (("reader", attribute.examples), ("blind", attribute.blind))
        if texts
    }
    told = {
        name: ReaderRecord(n=q.n, accuracy=q.accuracy, outcomes=q.outcomes, confusion=q.matrix)
        for name, q in read_as.items()
    }
    unseen = read_as.get("blind", read_as.get("reader"))
    found = corrected_shares(valid, np.array(unseen.confusion(classes))) if unseen else None
    known = (valid.sum(axis=1) > 0) & (found is not None)
    nothing = np.zeros_like(valid, dtype=np.float64)
    estimate, low, high = found or (nothing, nothing, nothing)
    by_class = [dict(zip(classes, row, strict=True)) for row in estimate.tolist()]
    limits = np.stack([low, high], axis=-1).tolist()
    between = [{c: (a, b) for c, (a, b) in zip(classes, row, strict=True)} for row in limits]
    return result.model_copy(
        update={
            **told,
            "corrected_shares": tuple(
                row if any_ else None for row, any_ in zip(by_class, known, strict=True)
            ),
            "corrected_limits": tuple(
                row if any_ else None for row, any_ in zip(between, known, strict=True)
            ),
        }
    )


def describe(
    task: Task, attribute: Attribute, target: Target, contexts: Sequence[str], matrix: NDArray[np.float64]
) -> ScoredTarget:
    """The target with its provenance and its figures in these contexts."""
    samples = target.samples(attribute, contexts)
    name = spelled(target, task, attribute)
    return ScoredTarget(
        name=target.name,
        found_by=name if name != target.name else "",
        title=target.title,
        kind=target.kind,
        hash=target.hash,
        smoothing=target.smoothing,
        provenance=SourceRecord(**target.provenance.model_dump()) if target.provenance else None,
        shares=tuple(map(tuple, matrix.tolist())),
        sample=SampleRecord(
            replies=tuple(s.replies for s in samples), independent=tuple(s.independent for s in samples)
        )
        if samples
        else None,
    )
