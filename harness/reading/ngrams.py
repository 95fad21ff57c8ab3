"""A classifier that was fitted to a person's labels: word and character n-grams, TF-IDF, logistic regression.

Its file is plain JSON: nothing in it is run when it is read.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from pydantic import Field
from scipy import sparse

from harness.errors import UserError
from harness.reading.base import Answer, Reader, Reading
from harness.reading.text import HAN, fold
from harness.records import SCHEMA, Record, read
from harness.terms import INVALID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_WORD = re.compile(rf"[^\W{HAN}]+(?:'[^\W{HAN}]+)?")
_HAN = re.compile(f"[{HAN}]+")


class FittedClassifier(Record):
    """The file of a fitted classifier."""

    schema_version: Literal[1] = Field(1, alias=SCHEMA)
    """Version of this file's form."""
    labels: tuple[str, ...]
    """What it can read: classes, and unparsed where texts without a class were among the labelled ones."""
    texts: int
    """Labelled texts that it was fitted to."""
    misread: int
    """How many of them are misread when they are left out of the fit (cross-validation)."""
    terms: tuple[str, ...]
    """The n-grams that it knows."""
    rarity: tuple[float, ...]
    """Of each term: how much it weighs for being in few texts (inverse document frequency)."""
    weights: tuple[tuple[float, ...], ...]
    """Terms x labels."""
    bias: tuple[float, ...]
    """Of each label."""


def terms(text: str) -> Counter[str]:
    """The n-grams of a text: one and two words, and 1 to 4 Han characters; 3 to 5 characters within other words."""
    folded = fold(text)
    found: Counter[str] = Counter()
    words = _WORD.findall(folded)
    found.update(f"w {word}" for word in words)
    found.update(f"w {a} {b}" for a, b in pairwise(words))
    for word in words:
        edged = f"<{word}>"
        found.update(f"c {edged[i : i + n]}" for n in (3, 4, 5) for i in range(len(edged) - n + 1))
    for run in _HAN.findall(folded):
        found.update(f"c {run[i : i + n]}" for n in (1, 2, 3, 4) for i in range(len(run) - n + 1))
    return found


class Model(NamedTuple):
    """What is computed with: the file of a classifier as arrays."""

    place: Mapping[str, int]
    rarity: Floats
    weights: Floats
    bias: Floats

    def scores(self, bags: Sequence[Counter[str]]) -> Floats:
        """Texts x labels: the greater, the likelier."""
        found: Floats = matrix(bags, self.place, self.rarity) @ self.weights + self.bias
        return found


def matrix(bags: Sequence[Counter[str]], place: Mapping[str, int], rarity: Floats) -> sparse.csr_array:
    """TF-IDF of texts, each of length 1; a term's number counts by its logarithm."""
    columns: list[int] = []
    values: list[float] = []
    ends = [0]
    for bag in bags:
        own = {place[t]: (1 + np.log(k)) * rarity[place[t]] for t, k in bag.items() if t in place}
        length = float(np.sqrt(sum(v * v for v in own.values()))) or 1.0
        columns += own.keys()
        values += [v / length for v in own.values()]
        ends.append(len(columns))
    return sparse.csr_array(
        (np.array(values), np.array(columns, dtype=np.int64), np.array(ends)), shape=(len(bags), len(place))
    )


class NgramReader(Reader):
    """Reads with a fitted classifier."""

    version = "1"

    def __init__(self, classes: Mapping[str, Iterable[str]], path: Path) -> None:
        fitted = read(path, FittedClassifier, hint="distalign task fit TASK labels.csv -o reader.json")
        unknown = [label for label in fitted.labels if label not in {*classes, *INVALID}]
        if unknown:
            raise UserError(
                "the classifier reads labels that are no class of the task",
                where=str(path),
                found=", ".join(unknown),
                expected=", ".join(classes),
            )
        shape = (len(fitted.terms), len(fitted.labels))
        given = {(len(fitted.rarity), len(row)) for row in (*fitted.weights, fitted.bias)}
        if given != {shape} or len(fitted.weights) != shape[0]:
            expected = f"{shape[0]} x {shape[1]}"
            raise UserError("weights that fit no terms and labels", where=str(path), expected=expected)
        self.labels = fitted.labels
        self._model = Model(
            {term: i for i, term in enumerate(fitted.terms)},
            np.array(fitted.rarity),
            np.array(fitted.weights).reshape(shape),
            np.array(fitted.bias),
        )

    def read(self, answer: Answer) -> Reading:
        """One answer; many together are faster."""
        return self.read_all([answer])[0]

    def read_all(self, answers: Sequence[Answer]) -> list[Reading]:
        """The likeliest label of each text. A cut text has not been seen to its end: truncated."""
        best = self._model.scores([terms(a.text) for a in answers]).argmax(axis=1) if answers else []
        return [
            Reading("truncated", "cut before its end")
            if a.cut
            else Reading(self.labels[i])
            if a.text.strip()
            else Reading("unparsed", "nothing to classify")
            for a, i in zip(answers, best, strict=True)
        ]
