"""What the benchmark of PolyAlign found, as a record and as a page. ``python -m tests.benchmarks.polyalign_page FILE.json``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from harness.files import write_atomic
from harness.reading.style import OUTCOMES
from harness.records import Number, Record, read, write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ARMS = ("base", "full_sft", "bucket_sft", "dpo", "hdpo", "hdpo_features")
PAIRS = (
    ("full_sft", "base"),
    ("bucket_sft", "full_sft"),
    ("dpo", "full_sft"),
    ("hdpo", "bucket_sft"),
    ("hdpo", "dpo"),
    ("hdpo", "hdpo_features"),
)
"""Arms whose difference says something: what a stage adds, and what the paper claims."""
SHOWN = ("natural_w1", "natural_w1_length", "support_gap", "clipped_coverage", "f1", "rouge_l")
"""Metrics that the table shows; the JSON has all."""
RARE = 2
"""Contexts with the fewest replies, in which weights by bucket are to help."""


class Found(Record):
    """One trained model on one task."""

    arm: str
    seed: int
    task: str
    seconds: float
    """Of the training; a first stage that another arm shares is counted there alone."""
    valid: Number
    n: int = 0
    """Draws per prompt; 0 where it was not noted, and is that of the command."""
    tv: dict[str, dict[str, Number]]
    """Context -> attribute -> TV to the target, corrected for the number of draws."""
    law_tv: dict[str, dict[str, Number]]
    """The same to the stated law, as counted."""
    lengths: dict[str, dict[str, Number]]
    """Context -> share of each length."""
    metrics: dict[str, Number]
    """In the mean over contexts."""
    people: dict[str, dict[str, Number]]
    """Context -> metric."""
    bits: dict[str, Number]
    """Context -> bits per byte of people's held-out replies."""
    auc: tuple[float, float, float] | None = None
    """Of the score, with its 95% interval."""

    @property
    def near(self) -> dict[str, dict[str, float]]:
        """TV to the stated law, or where there is none to the target."""
        return self.law_tv or self.tv


class Weighting(Record):
    """Length under one weighting of the loss: TVs in the mean over contexts."""

    weights: str
    task: str
    model_to_prediction: Number
    prediction_to_people: Number
    model_to_law: Number


class PolyalignRecord(Record):
    """All that was found."""

    command: str
    model: str
    stated: bool
    """Whether the people are generated, so that their law is known."""
    contexts: dict[str, dict[str, int]]
    """Task -> context -> people's replies behind the target."""
    found: tuple[Found, ...] = ()
    weightings: tuple[Weighting, ...] = ()

    def of(self, arm: str, seed: int) -> list[Found]:
        """One model on every task."""
        return [one for one in self.found if (one.arm, one.seed) == (arm, seed)]


HEAD = """\
# PolyAlign, measured: {model}

Made from [{name}]({name}) by `python -m tests.benchmarks.polyalign_page`. Do not edit. The figures are of

    {command}

{people} TVs are in the mean over contexts. Bits per byte are of people's held-out replies to the same prompts;
no draw is used for them. Seconds are of the training, on a machine that was busy with other work, and those of *dpo* and *hdpo*
are without the first stage. Every metric by context is in the JSON.
"""
STATED = "The people are generated (`baselines.seed.people`), and TV is to their *stated* law, as counted: a perfect model would not be at 0."
REAL = "TV is to the training split's people, corrected for the number of draws."
PAIRED = """\
**Differences**, arm by arm: the first less the second, seed by seed; then the mean over seeds, with its 95% interval by Student's t
over seeds where there are at least two. A difference whose interval holds 0 is not shown to exist. *Rare* is bits per byte in the {rare}
contexts with the fewest replies.
"""

WEIGHTED = """\
**Length under four weightings of the loss**, TV in the mean over contexts. The *prediction* is what a loss is least at,
computed from the training rows."""


def mean_of(tv: Mapping[str, Mapping[str, float]], attribute: str) -> float:
    """In the mean over contexts."""
    return float(np.mean([of[attribute] for of in tv.values()])) if tv else float("nan")


def mean_tv(one: Found) -> float:
    """In the mean over attributes and contexts."""
    return float(np.mean([mean_of(one.near, name) for name in OUTCOMES]))


def bits(one: Found, contexts: Sequence[str]) -> float:
    """Bits per byte, in the mean over these contexts."""
    return float(np.mean([one.bits[c] for c in contexts])) if one.bits else float("nan")


def rare(record: PolyalignRecord, task: str) -> list[str]:
    """The contexts with the fewest replies."""
    sizes = record.contexts[task]
    return sorted(sizes, key=lambda c: sizes[c])[:RARE]


def shown(value: float, sign: str = "") -> str:
    """Three digits, or nothing."""
    return "" if np.isnan(value) else f"{value:{sign}.3f}"


def arms_table(record: PolyalignRecord) -> list[str]:
    """Every arm, seed and task."""
    heads = [*(f"TV {name}" for name in OUTCOMES), "bits per byte", *SHOWN, "valid", "n", "AUC", "seconds"]
    lines = ["| arm | seed | task | " + " | ".join(heads) + " |", "|---|---|---" + "|--:" * len(heads) + "|"]
    for one in record.found:
        cells = [shown(mean_of(one.near, name)) for name in OUTCOMES]
        cells.append(shown(bits(one, list(one.bits))))
        cells += [shown(one.metrics.get(name, float("nan"))) for name in SHOWN]
        cells += [
            shown(one.valid),
            str(one.n or ""),
            "{:.3f} [{:.3f}, {:.3f}]".format(*one.auc) if one.auc else "",
            f"{one.seconds:.0f}",
        ]
        lines.append(f"| {one.arm} | {one.seed} | {one.task} | " + " | ".join(cells) + " |")
    return lines


def contexts_table(record: PolyalignRecord, task: str) -> list[str]:
    """TV of length and bits by context, in the mean over seeds."""
    contexts = record.contexts[task]
    lines = [
        "| arm | seeds | " + " | ".join(f"{c} ({n:,} replies)" for c, n in contexts.items()) + " |",
        "|---|--:" + "|--:" * len(contexts) + "|",
    ]
    for arm in ARMS:
        of = [one for one in record.found if (one.arm, one.task) == (arm, task)]
        if of:
            cells = [
                f"{np.mean([one.near[c]['length'] for one in of]):.3f} ({np.mean([bits(one, [c]) for one in of]):.3f})"
                for c in contexts
            ]
            lines.append(f"| {arm} | {len(of)} | " + " | ".join(cells) + " |")
    return lines


def paired_table(record: PolyalignRecord) -> list[str]:
    """Differences of two arms."""
    measures: dict[str, Callable[[Found], float]] = {
        "mean TV": mean_tv,
        "TV length": lambda one: mean_of(one.near, "length"),
        "bits per byte": lambda one: bits(one, list(one.bits)),
        "rare": lambda one: bits(one, rare(record, one.task)),
        "natural_w1": lambda one: one.metrics.get("natural_w1", float("nan")),
        "f1": lambda one: one.metrics.get("f1", float("nan")),
        "rouge_l": lambda one: one.metrics.get("rouge_l", float("nan")),
    }
    lines = [
        "| first | less | task | seeds | " + " | ".join(measures) + " |",
        "|---|---|---|--:" + "|--:" * len(measures) + "|",
    ]
    for first, second in PAIRS:
        for task in record.contexts:
            ours = {one.seed: one for one in record.found if (one.arm, one.task) == (first, task)}
            theirs = {one.seed: one for one in record.found if (one.arm, one.task) == (second, task)}
            # the untuned model has no seed but one
            at = {s: 0 if second == "base" else s for s in ours}
            known = [(ours[s], theirs[at[s]]) for s in ours if at[s] in theirs]
            if known:
                cells = [
                    _difference([of(one) - of(other) for one, other in known]) for of in measures.values()
                ]
                lines.append(f"| {first} | {second} | {task} | {len(known)} | " + " | ".join(cells) + " |")
    return lines


def _difference(values: Sequence[float]) -> str:
    mean = float(np.mean(values))
    if len(values) < 2 or np.isnan(mean):
        return shown(mean, "+")
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}]"


def page(record: PolyalignRecord, name: str) -> str:
    """The page of a record."""
    people = STATED if record.stated else REAL
    lines = [
        HEAD.format(name=name, model=record.model, command=record.command, people=people),
        *arms_table(record),
    ]
    lines += ["", PAIRED.format(rare=RARE), *paired_table(record)]
    for task in record.contexts:
        lines += ["", f"**{task}**: TV of length, and in brackets bits per byte, in the mean over seeds.", ""]
        lines += contexts_table(record, task)
    if record.weightings:
        lines += [
            "",
            WEIGHTED,
            "",
            "| weights | task | model to prediction | prediction to people | model to the stated law |",
            "|---|---|--:|--:|--:|",
        ]
        lines += [
            f"| {w.weights} | {w.task} | {w.model_to_prediction:.3f} | {w.prediction_to_people:.3f} | {w.model_to_law:.3f} |"
            for w in record.weightings
        ]
    lines += ["", "The paper's judges, detectors and aggregate are not reproduced.", ""]
    return "\n".join(lines)


def keep(file: Path, record: PolyalignRecord) -> None:
    """Write a record and its page."""
    write(file, record)
    write_atomic(file.with_suffix(".md"), page(record, file.name))


if __name__ == "__main__":
    (given,) = map(Path, sys.argv[1:])
    keep(given, read(given, PolyalignRecord, hint="run tests.benchmarks.polyalign"))
