"""Hand labels of a run: a random sample of its draws, the sheet that a person fills in, and what was filled in."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from pydantic import Field

from harness.errors import UserError, nearest
from harness.files import read_csv
from harness.metrics.w1 import W1
from harness.reading.base import Answer
from harness.reading.fitting import LabelledText
from harness.reading.judge import JudgeReader
from harness.readings import readings
from harness.records import SCHEMA, Record, read, write
from harness.scoring.labelled import AsRead, Drawn, Labelled, LabelledDraws, labelled
from harness.scoring.reference import sample_limits
from harness.scoring.table import Interval
from harness.terms import INVALID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from harness.metrics.base import FloatArray, IntArray
    from harness.readings import ReadDraw
    from harness.runs.folder import Run
    from harness.tasks.task import Attribute, Task

LABELS = "labels.json"
NONE = "none"
"""Label of a text that names no class."""
DEFINITION = "#"
"""The id of the rows of a sheet that say what is asked."""
LEAST = 5
"""Draws that are labelled of each outcome that the reader found, however rare it is, besides those of common texts."""


class SampledDraw(Record):
    """Draws of one text in one context that are in the sample."""

    id: str
    """Of the text."""
    context: str
    """Where it was drawn."""
    read: str
    """What the reader said of it when the sample was drawn: its stratum."""
    times: int
    """How many of the sampled draws it is."""


class AttributeLabels(Record):
    """The sample of one attribute, and its labels."""

    seed: int
    """The sample was drawn with."""
    common: tuple[str, ...]
    """Ids of texts that are labelled whatever chance says, since each is a large share of the draws."""
    weights: dict[str, float]
    """Share of each stratum among the run's draws, in the mean over contexts; a stratum has no common texts."""
    draws: tuple[SampledDraw, ...]
    """The sample of the other texts."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Text id -> class, or none; empty until a filled-in sheet was read."""
    second: dict[str, str] = Field(default_factory=dict)
    """The same by a second person."""
    by: dict[str, str] = Field(default_factory=dict)
    """Text id -> who gave the label where no person did: a judge model, with the hash of what it was asked."""
    second_by: dict[str, str] = Field(default_factory=dict)
    """The same of the second labels."""


class Labels(Record):
    """``labels.json`` of a run."""

    schema_version: Literal[1] = Field(1, alias=SCHEMA)
    """Version of this file's form."""
    attributes: dict[str, AttributeLabels] = Field(default_factory=dict)
    """By the attribute's name."""


class FilledSheet(NamedTuple):
    """What is filled in of a sheet, by the ids of the texts."""

    labels: dict[str, str]
    """A class, or none."""
    by: dict[str, str]
    """Who gave the label, where no person did."""


class Utterance(NamedTuple):
    """A draw's context, its text with what the run put before it, and what the reader says: a class, or none."""

    context: str
    text: str
    outcome: str


def text_id(text: str) -> str:
    """Short, and of the text alone: labels serve wherever the text recurs."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def labels_of(run: Run) -> Labels:
    """What has been sampled and labelled of a run."""
    path = run.folder / LABELS
    return (
        read(path, Labels, hint=f"rm {path}, then distalign label {run.folder}")
        if path.is_file()
        else Labels()
    )


def draw_sample(run: Run, task: Task, attribute: Attribute, n: int, seed: int) -> dict[str, str]:
    """Choose texts of a run, note the choice beside it, and return them by id, in random order.

    A text that is a share 1/n of the draws or more is always among them. The other draws are sampled with
    replacement within what the reader said, contexts weighing alike: ``LEAST`` draws of each outcome, and what is
    left of n by its share, so that rare outcomes are looked at too.
    """
    path, kept = run.folder / LABELS, labels_of(run)
    before = kept.attributes.get(attribute.name)
    if before is not None and before.labels:
        raise UserError(
            "this run has labels already",
            where=str(path),
            found=f"{len(before.labels)} labelled texts of {attribute.name}",
            expected="one sample for each attribute",
            hint=f"mv {path} {path}.old, to begin anew",
        )
    seen = as_seen(run, attribute, readings(run, task, [attribute.name]))
    if not seen:
        raise UserError("a run without draws", where=str(run.folder), expected="draws to label")
    chance = _chances(seen)
    by_text: Counter[str] = Counter()
    for s, share in chance.items():
        by_text[s.text] += share  # type: ignore[assignment]  # typeshed: a Counter counts in whole numbers
    common = {text for text, share in by_text.items() if share * n >= 1} | {""}
    rest = sorted(s for s in seen if s.text not in common)
    weights: dict[str, float] = {}
    for s in rest:
        weights[s.outcome] = weights.get(s.outcome, 0.0) + chance[s]
    rng = np.random.default_rng(seed)
    sampled: Counter[Utterance] = Counter()
    for outcome, size in sizes_of(weights, n - len(common) + 1).items():
        cells = [s for s in rest if s.outcome == outcome]
        share_ = np.array([chance[s] for s in cells])
        sampled.update(cells[i] for i in rng.choice(len(cells), size=size, p=share_ / share_.sum()))
    record = AttributeLabels(
        seed=seed,
        common=tuple(sorted(text_id(text) for text in common)),
        weights=weights,
        draws=tuple(
            SampledDraw(id=text_id(s.text), context=s.context, read=s.outcome, times=k)
            for s, k in sorted(sampled.items())
        ),
    )
    write(path, kept.model_copy(update={"attributes": kept.attributes | {attribute.name: record}}))
    texts = {text_id(text): text for text in common | {s.text for s in sampled} if text in by_text and text}
    names = sorted(texts)
    return {names[i]: texts[names[i]] for i in rng.permutation(len(names))}


def judged(texts: Mapping[str, str], task: Task, attribute: Attribute, model: str) -> FilledSheet:
    """The labels that a judge model gives texts, by id; one that it gives no allowed answer for has none."""
    reader = JudgeReader(attribute.classes, task.language, model, about=task.title)
    readings = reader.read_all([Answer(text) for text in texts.values()])
    labels = {
        name: NONE if reading.label in INVALID else reading.label
        for name, reading in zip(texts, readings, strict=True)
        if reading.label != "failed"
    }
    return FilledSheet(labels, dict.fromkeys(labels, f"judge {model}, prompt {reader.prompt_hash}"))


def read_sheet(path: Path, attribute: Attribute) -> FilledSheet:
    """A sheet, as far as it is filled in."""
    _, rows = read_csv(path, required=["id", "label"])
    known = {name.casefold(): name for name in (*attribute.classes, NONE)}
    found, by = FilledSheet({}, {})
    for row in rows:
        label = row.cells["label"].strip()
        if row.cells["id"].startswith(DEFINITION) or not label:
            continue
        if label.casefold() not in known:
            raise UserError(
                "an unknown label",
                where=f"{path}:{row.line}:label",
                found=label,
                expected=", ".join(known.values()),
                nearest=nearest(label, set(known.values())),
            )
        found[row.cells["id"]] = known[label.casefold()]
        if who := row.cells.get("by", "").strip():
            by[row.cells["id"]] = who
    return FilledSheet(found, by)


def labelled_texts(sheets: Iterable[Path], attribute: Attribute) -> tuple[list[LabelledText], int]:
    """The texts of sheets with their labels, each text once; and how many of the labels are no person's."""
    found: dict[str, tuple[LabelledText, bool]] = {}
    for path in sheets:
        labels, by = read_sheet(path, attribute)
        _, rows = read_csv(path, required=["id", "label", "text"])
        for row in rows:
            name = row.cells["id"]
            if name in labels:
                label = "unparsed" if labels[name] == NONE else labels[name]
                found[name] = (LabelledText(row.cells["text"], label), name in by)
    return [text for text, _ in found.values()], sum(judged for _, judged in found.values())


def take(run: Run, attribute: Attribute, sheets: Sequence[Path]) -> None:
    """Keep the labels of one sheet, or of two people's, beside a run; every sampled text must have one."""
    kept = labels_of(run)
    sample = kept.attributes.get(attribute.name)
    if sample is None:
        raise UserError(
            f"no sample of {attribute.name} was drawn from this run",
            where=str(run.folder),
            expected="labels of a sample",
            hint=f"distalign label {run.folder} -o labels.csv",
        )
    asked = {*sample.common, *(draw.id for draw in sample.draws)} - {text_id("")}
    read_ = []
    for path in sheets:
        labels, by = read_sheet(path, attribute)
        lacks = asked - set(labels)
        if lacks:
            raise UserError(
                f"{len(lacks)} of {len(asked)} sampled texts have no label",
                where=str(path),
                found=f"the first without: id {min(lacks)}",
                expected=f"one of {', '.join((*attribute.classes, NONE))} in every row",
                hint="labels of the easy ones alone would not be a random sample",
            )
        read_.append(FilledSheet(*({name: one[name] for name in asked & set(one)} for one in (labels, by))))
    first, second = (*read_, FilledSheet({}, {}))[:2]
    record = sample.model_copy(
        update={"labels": first.labels, "by": first.by, "second": second.labels, "second_by": second.by}
    )
    write(
        run.folder / LABELS,
        kept.model_copy(update={"attributes": kept.attributes | {attribute.name: record}}),
    )


def scored(
    sample: AttributeLabels,
    said: Mapping[Utterance, int],
    classes: Sequence[str],
    contexts: Sequence[str],
    target: FloatArray,
    sizes: FloatArray,
    positions: FloatArray | None = None,
) -> Labelled | None:
    """Scores with the labels in them; None where there are no labels.

    Args:
        sample: with its labels.
        said: every draw of the run as it is read now.
        classes: of the attribute.
        contexts: in the order of the target's rows; each has draws.
        target: shares of the classes, contexts x classes.
        sizes: as how many independent replies each row of the target counts.
        positions: of ordered classes.
    """
    if not sample.labels:
        return None
    outcomes = {name: i for i, name in enumerate((*classes, NONE))}
    place = {context: i for i, context in enumerate(contexts)}
    common = {name: sample.labels.get(name, NONE) for name in sample.common}
    read_as, counts, unknown = np.zeros((3, len(contexts), len(outcomes)), dtype=np.int64)
    misread = np.zeros(len(contexts))
    now: dict[tuple[str, str], int] = {}
    for s, k in said.items():
        c, o, name = place[s.context], outcomes[s.outcome], text_id(s.text)
        now[name, s.context] = o
        read_as[c, o] += k
        counts[c, outcomes[common.get(name, s.outcome)]] += k
        if name in common:
            misread[c] += k * (common[name] != s.outcome)
        else:
            unknown[c, o] += k
    n = counts.sum(axis=1)
    rows = [
        (outcomes[d.read], place[d.context], now[d.id, d.context], outcomes[sample.labels[d.id]])
        for d in sample.draws
        for _ in range(d.times)
        if (d.id, d.context) in now
    ]
    stratum, context, read_now, label = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    # While the reader says what it said then, the strata are as large as they are now; draws may have been added.
    same = bool((stratum == read_now).all())
    weight = (
        (unknown / n[:, None]).mean(axis=0)
        if same
        else np.array([sample.weights.get(name, 0.0) for name in outcomes])
    )
    of_draws = _means(counts, target, sizes, positions)
    before = _means(read_as, target, sizes, None)["tv"].value
    found = labelled(
        LabelledDraws(weight, stratum, context, read_now, label),
        Drawn(counts, unknown, float((misread / n).mean())),
        target,
        AsRead(of_draws["tv"], of_draws.get(W1), before),
        len(sample.labels),
        positions,
    )
    return replace(found, judged=len(sample.by))


def _means(
    counts: IntArray, target: FloatArray, sizes: FloatArray, positions: FloatArray | None
) -> dict[str, Interval]:
    full = np.concatenate([target, np.zeros((len(target), 1))], axis=1)
    found = sample_limits(counts, full, sizes, ("tv",), positions)
    return {name: Interval(*(float(part) for part in mean)) for name, (_, mean) in found.items()}


def agreement(sample: AttributeLabels) -> tuple[int, int, float]:
    """Of two people's labels: how many texts agree, of how many, and Cohen's kappa (nan where all have one label)."""
    pairs = [(sample.labels[name], sample.second[name]) for name in sample.labels if name in sample.second]
    same = sum(a == b for a, b in pairs)
    firsts, seconds = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(firsts[label] * seconds[label] for label in firsts) / len(pairs) ** 2
    return same, len(pairs), (same / len(pairs) - chance) / (1 - chance) if chance < 1 else float("nan")


def as_seen(run: Run, attribute: Attribute, rows: Iterable[ReadDraw]) -> Counter[Utterance]:
    """Draws as a labeller sees them, with how often each came. A draw that failed is an empty text that names none."""
    begun = run.identity.continue_from
    found: Counter[Utterance] = Counter()
    for row in rows:
        outcome = row.readings[attribute.name].label
        text = begun + row.draw.text if row.draw.finish != "failed" else ""
        found[Utterance(row.context, text, NONE if outcome in INVALID else outcome)] += row.draw.count
    return found


def _chances(seen: Mapping[Utterance, int]) -> dict[Utterance, float]:
    """Share of each text of a context in the mean over contexts."""
    drawn: Counter[str] = Counter()
    for s, k in seen.items():
        drawn[s.context] += k
    return {s: k / drawn[s.context] / len(drawn) for s, k in seen.items()}


def sizes_of(weights: Mapping[str, float], n: int) -> dict[str, int]:
    """How many draws of each outcome are labelled: the least for all, and what is left by shares; n in all."""
    left = max(n - LEAST * len(weights), 0)
    sizes = {outcome: LEAST + int(left * weight) for outcome, weight in weights.items()}
    by_rest = sorted(weights, key=lambda outcome: -(left * weights[outcome] % 1))
    for outcome in by_rest[: max(n - sum(sizes.values()), 0)]:
        sizes[outcome] += 1
    return sizes
