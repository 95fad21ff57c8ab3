"""How well a reader reads: its confusion matrix on labelled examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harness.contract import Contract
from harness.plaintext import table
from harness.reading.pipeline import read_draws
from harness.terms import INVALID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.reading.base import Reader


DOUBTFUL = 0.1
"""A reader that errs on a greater share of texts it was not written on is marked."""


class Example(Protocol):
    """A labelled text."""

    @property
    def text(self) -> str:
        """What is read."""

    @property
    def label(self) -> str:
        """The class that a person gave it."""

    @property
    def cut(self) -> bool:
        """Whether the token cap ended it."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """An example that the reader read as something else."""

    text: str
    label: str
    read: str


@dataclass(frozen=True, slots=True)
class Quality:
    """A reader's confusion matrix and what follows from it."""

    outcomes: tuple[str, ...]
    """Classes, then the outcomes that are none."""
    matrix: tuple[tuple[int, ...], ...]
    """Rows: the label; columns: what was read."""
    mistakes: tuple[Mistake, ...] = ()

    @property
    def n(self) -> int:
        """How many examples."""
        return sum(sum(row) for row in self.matrix)

    @property
    def accuracy(self) -> float:
        """Share of examples read right; 1 without examples."""
        return sum(self.matrix[i][i] for i in range(len(self.outcomes))) / self.n if self.n else 1.0

    def precision(self, outcome: str) -> float | None:
        """Of what was read as ``outcome``, the share that is; None where nothing was."""
        i = self.outcomes.index(outcome)
        read = sum(row[i] for row in self.matrix)
        return self.matrix[i][i] / read if read else None

    def recall(self, outcome: str) -> float | None:
        """Of what is ``outcome``, the share read so; None where there is none."""
        i = self.outcomes.index(outcome)
        total = sum(self.matrix[i])
        return self.matrix[i][i] / total if total else None

    def confusion(self, classes: Sequence[str]) -> list[list[int]]:
        """The matrix of the classes alone: label x what was read."""
        index = [self.outcomes.index(c) for c in classes]
        return [[self.matrix[i][j] for j in index] for i in index]

    def lines(self, name: str) -> list[str]:
        """All that is known: the share read right, the matrix, each misread text."""
        right = sum(self.matrix[i][i] for i in range(len(self.outcomes)))
        lines = [f"{name}: {right} of {self.n} examples read right ({self.accuracy:.1%}); rows are labels"]
        lines += self.table()
        lines.extend(f"misread as {m.read}, labelled {m.label}: {m.text!r}" for m in self.mistakes)
        return lines

    def table(self) -> list[str]:
        """The matrix as text: a row per label, with recall, and precision below."""
        used = [
            i
            for i, o in enumerate(self.outcomes)
            if o not in INVALID or sum(self.matrix[i]) > 0 or any(r[i] > 0 for r in self.matrix)
        ]
        names = [self.outcomes[i] for i in used]
        rows = [[self.outcomes[i], *(str(self.matrix[i][j]) for j in used)] for i in used]
        recall = [_share(self.recall(n)) for n in names]
        return table(
            [
                ["", *names, "recall"],
                *([*row, share] for row, share in zip(rows, recall, strict=True)),
                ["precision", *(_share(self.precision(n)) for n in names), ""],
            ]
        )

    def told(self, name: str) -> str:
        """The error rate in one line, with its exact 95% interval (Clopper and Pearson, 1934)."""
        wrong, low, high = error_rate(self.accuracy, self.n)
        as_class = [i for i, o in enumerate(self.outcomes) if o not in INVALID]
        misclassed = sum(row[i] for k, row in enumerate(self.matrix) for i in as_class if i != k)
        return f"{name}: {wrong} of {self.n} misread ({wrong / self.n:.1%}, 95% {low:.1%} to {high:.1%}), {misclassed} of these as a wrong class"


def error_rate(accuracy: float, n: int) -> tuple[int, float, float]:
    """How many of n texts are misread, and the exact 95% interval of the rate."""
    from scipy.stats import binomtest

    wrong = round((1 - accuracy) * n)
    sure = binomtest(wrong, n).proportion_ci(0.95)
    return wrong, float(sure.low), float(sure.high)


def measure(reader: Reader, examples: Sequence[Example], classes: Sequence[str]) -> Quality:
    """Read labelled examples as draws are read, and count what becomes of each label."""
    outcomes = (*classes, *INVALID)
    place = {o: i for i, o in enumerate(outcomes)}
    matrix = [[0] * len(outcomes) for _ in outcomes]
    mistakes = []
    readings = read_draws([(e.text, "length" if e.cut else "stop") for e in examples], reader, Contract())
    for example, reading in zip(examples, readings, strict=True):
        matrix[place[example.label]][place[reading.label]] += 1
        if reading.label != example.label:
            mistakes.append(Mistake(example.text, example.label, reading.label))
    return Quality(outcomes, tuple(map(tuple, matrix)), tuple(mistakes))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
