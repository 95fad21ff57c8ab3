"""A model's replies against people's, as a page: ``python -m tests.benchmarks.people_model OUT.json NAME=RUN [NAME=RUN …]``.

The runs are of a task that ``distalign target import reference --task`` wrote and measured with ``distalign utility
--replies TASK --encoder ENCODER --run RUN``. OUT.json gets the figures, and a page of the same name beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.files import write_atomic
from harness.metrics.catalog import METRICS
from harness.records import Number, Record, write
from harness.retained.record import utility_of
from harness.runs.folder import Run
from harness.scores import scores_of

if TYPE_CHECKING:
    from harness.scores import Result
    from harness.scoring.measured import Measured


class Figure(Record):
    """One metric of a run."""

    value: Number
    low: Number
    high: Number
    floor: Number
    """What 95 of 100 halves of people do at least as well as, or a perfect model's mean; none where there is neither."""
    people: Number
    """What one half of people scores against the other, on average; none where nothing is compared with people."""


class PeopleRow(Record):
    """One run."""

    model: str
    task: str
    n: int
    prompts: dict[str, int]
    """Context -> prompts."""
    tv: dict[str, Figure]
    """Attribute -> in the mean over contexts."""
    metrics: dict[str, Figure]
    """In the mean over contexts, bits per byte of people's held-out replies among them."""
    lengths: dict[str, dict[str, tuple[float, float]]]
    """Context -> length -> share of the model and of people."""


def row_of(name: str, run: Run) -> PeopleRow:
    """The figures of a run, under the name that the page has."""
    results = scores_of(run).results
    tv: dict[str, Figure] = {}
    metrics: dict[str, Figure] = {}
    for result in results:
        mean = result.table.aggregate.scores["tv"]
        tv[result.attribute] = Figure(
            value=mean.estimate, low=mean.low, high=mean.high, floor=mean.floor, people=float("nan")
        )
        metrics |= {key: _figure(one) for key, one in result.metrics.items()}
    found = utility_of(run.folder)
    if found and found.encoded:
        metrics |= {key: _figure(one) for key, one in found.encoded.metrics.items()}
    if found and found.replies:
        bits, none = found.replies.mean, float("nan")
        metrics["bits per byte"] = Figure(
            value=bits.bits, low=bits.low, high=bits.high, floor=none, people=none
        )
    prompts: dict[str, int] = {}
    for one in run.prompts().prompts:
        prompts[one.context] = prompts.get(one.context, 0) + 1
    (length,) = (r for r in results if r.attribute == "length")
    return PeopleRow(
        model=name,
        task=run.identity.task,
        n=run.n,
        prompts=prompts,
        tv=tv,
        metrics=metrics,
        lengths=_lengths(length),
    )


def _figure(one: Measured) -> Figure:
    return Figure(value=one.value, low=one.low, high=one.high, floor=one.floor, people=one.people)


def _lengths(result: Result) -> dict[str, dict[str, tuple[float, float]]]:
    rows = zip(result.context_ids, result.table.contexts, result.target.shares, strict=True)
    return {
        context: {
            name: (share.value, own)
            for name, share, own in zip(result.classes, score.shares, people, strict=True)
        }
        for context, score, people in rows
    }


HIGHER = {metric.key for metric in METRICS if metric.better == "higher"}
HEAD = """\
# A real model's replies against people's

Made by `python -m tests.benchmarks.people_model` from [{name}]({name}). Do not edit.

English people of four published corpora (Topical-Chat, MultiWOZ, self-instruct's human part; Dolly within lengths alone), cut
by conversation. The target is of the training split. The prompts are those of held-out people, with their history; the
corpora are not part of distalign. Each model gave {n} replies to a prompt.

The *floor* of a metric of people is what 95 of 100 halves of people do at least as well as; that of a TV is a perfect
model's mean. A value that misses its floor is set in bold. *People* is what one half of people scores against the
other on average. [statistics.md](../statistics.md) says what each metric is.
"""


def page(rows: list[PeopleRow], name: str) -> str:
    """The page of the rows."""
    lines = [HEAD.format(name=name, n=" or ".join(sorted({str(r.n) for r in rows})))]
    prompts = ", ".join(f"{n} of {c}" for c, n in rows[0].prompts.items())
    lines += [f"Prompts: {prompts}.\n", "| | floor | people | " + " | ".join(r.model for r in rows) + " |"]
    lines.append("|---|--:|--:|" + "--:|" * len(rows))
    for attribute in rows[0].tv:
        lines.append(_line(f"TV of {attribute}", [r.tv[attribute] for r in rows], lower=True))
    for key in rows[0].metrics:
        if all(key in r.metrics for r in rows):
            lines.append(_line(key, [r.metrics[key] for r in rows], lower=key not in HIGHER))
    lines += [
        "",
        "Shares of each length:\n",
        "| context | length | people | " + " | ".join(r.model for r in rows) + " |",
    ]
    lines.append("|---|---|--:|" + "--:|" * len(rows))
    for context, lengths in rows[0].lengths.items():
        for length, (_, people) in lengths.items():
            shares = " | ".join(f"{r.lengths[context][length][0]:.2f}" for r in rows)
            lines.append(f"| {context} | {length} | {people:.2f} | {shares} |")
    return "\n".join(lines) + "\n"


def _line(label: str, figures: list[Figure], *, lower: bool) -> str:
    first = figures[0]
    cells = []
    for one in figures:
        told = f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"
        missed = one.value > one.floor if lower else one.value < one.floor
        cells.append(f"**{told}**" if missed else told)
    return f"| {label} | {_number(first.floor)} | {_number(first.people)} | {' | '.join(cells)} |"


def _number(value: float) -> str:
    return f"{value:.3f}" if value == value else "–"  # noqa: PLR0124  # nan


class PeopleModels(Record):
    """All runs."""

    rows: tuple[PeopleRow, ...]


def main() -> None:
    """Read the runs, write both files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    given = parser.parse_args()
    named = [one.partition("=") for one in given.runs]
    rows = [row_of(name, Run.open(Path(folder))) for name, _, folder in named]
    write(given.out, PeopleModels(rows=tuple(rows)))
    write_atomic(given.out.with_suffix(".md"), page(rows, given.out.name))


if __name__ == "__main__":
    main()
