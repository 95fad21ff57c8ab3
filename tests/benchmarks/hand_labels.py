"""The page of runs that were checked by hand: ``python -m tests.benchmarks.hand_labels [NAME=RUN ...]``.

Each RUN is a run folder that was scored with ``distalign score RUN --labels``. Its figures are kept in
``docs/results/hand_labels.json``; without a run the page is made from that again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.records import SCHEMA, Number, Record, read, write
from harness.scores import SCORES, Scores
from harness.scoring.table import Interval

FOLDER = Path(__file__).parents[2] / "docs" / "results"
RECORD, PAGE = FOLDER / "hand_labels.json", FOLDER / "hand_labels.md"


class Checked(Record):
    """One run against its first target."""

    name: str
    """What the model is called on the page."""
    target: str
    """Against what it was scored."""
    draws: int
    """Its draws."""
    labels: int
    """Draws that a person labelled."""
    classes: tuple[str, ...]
    """The classes; what is no class comes last in the shares."""
    read: tuple[Number, ...]
    """Shares as the reader read them."""
    shares: tuple[Interval, ...]
    """Shares as the person would label all draws."""
    counted: Number
    """TV of the counts."""
    tv: Interval
    """TV with the reader's error in it."""
    error: Number
    """Share of the draws that the reader reads otherwise than the person."""


class HandLabels(Record):
    """The file."""

    schema_version: Literal[1] = Field(1, alias=SCHEMA)
    """Version of this file's form."""
    runs: tuple[Checked, ...]
    """In the order of the page."""


HEAD = """\
# Scores checked by hand

Made by `python -m tests.benchmarks.hand_labels` from [hand_labels.json](hand_labels.json). Do not edit.

Two models told stories (`story_gender_us`: one prompt, the first ten occupations, ten draws of each, at most 110 tokens).
All 100 stories of each were read by eye, and the main person's gender was written down before anybody looked at what
the reader had made of them. The commands, for each model:

```bash
distalign evaluate MODEL --task story_gender_us --paraphrases validation --contexts A,B,... -n 10 --max-tokens 110
distalign label RUN -n 100 -o labels.csv
distalign score RUN --labels labels.csv
```

*Counted* is the plain TV of the reader's counts. *With labels* takes the reader's errors out and has its 95% interval.
"""
TAIL = """\

## What did the correction do?

- **SmolLM2-135M-Instruct** at temperature 1 seldom writes a tidy story. The reader found no main person in many texts in
  which a person finds one, mostly men. These texts counted as off the target, so the model looked farther from it than
  it is. With the labels the TV falls, because most of the errors were missing classes, not wrong ones.
- **The tiny model** often gives one person both pronouns ("Mark ... she ... he"). After reading, a script labelled
  these stories by what most of their words say, name included, and a tie is none. The reader reads 12 of 100 otherwise and never says *none*. Its errors
  fall on both sides, so the TV hardly moves, but the shares do: 5% of the stories tell nothing.
- In both, **the reader errs more often on these texts than its own examples say** (97% of them right). That is why
  `evaluate` asks for labels where the blind texts of a task show a doubtful reader. The reader was mended afterwards on
  what the texts of SmolLM2 had shown; the figures here are from before that.
"""


def checked(name: str, folder: Path) -> Checked:
    """The figures of a scored run."""
    scores = read(folder / SCORES, Scores, hint="distalign score RUN --labels labels.csv")
    result = scores.results[0]
    if result.labelled is None:
        raise SystemExit(f"{folder}: nobody labelled texts of this run")
    total = sum(result.totals.values())
    found = [result.totals[label] / total for label in result.classes]
    return Checked(
        name=name,
        target=result.target.name,
        draws=total,
        labels=result.labelled.texts,
        classes=result.classes,
        read=(*found, 1 - sum(found)),
        shares=result.labelled.shares,
        counted=result.table.aggregate.scores["tv"].plugin,
        tv=result.labelled.tv,
        error=result.labelled.error.value,
    )


def _told(found: Interval) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def page(record: HandLabels) -> str:
    """Both tables."""
    lines = [
        HEAD,
        "\n| model | target | draws | labelled | the reader errs on | TV, counted | TV, with labels |\n|---|---|---|---|---|---|---|\n",
    ]
    lines += [
        f"| {r.name} | {r.target} | {r.draws} | {r.labels} | {r.error:.0%} | {r.counted:.3f} | {_told(r.tv)} |\n"
        for r in record.runs
    ]
    lines.append("\n| model | share of | as read | as labelled |\n|---|---|---|---|\n")
    lines += [
        f"| {r.name} | {label} | {own:.3f} | {_told(share)} |\n"
        for r in record.runs
        for label, own, share in zip((*r.classes, "no class"), r.read, r.shares, strict=True)
    ]
    return "".join([*lines, TAIL])


def main() -> None:
    """Keep the figures of the runs given, and make the page."""
    pairs = [argument.partition("=") for argument in sys.argv[1:]]
    if pairs:
        write(RECORD, HandLabels(runs=tuple(checked(name, Path(folder)) for name, _, folder in pairs)))
    PAGE.write_text(
        page(read(RECORD, HandLabels, hint="python -m tests.benchmarks.hand_labels NAME=RUN")), "utf-8"
    )


if __name__ == "__main__":
    main()
