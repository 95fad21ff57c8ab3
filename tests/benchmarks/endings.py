"""Fits the weights of the signs by which a story's mood is read, and tells their error: python -m tests.benchmarks.endings.

Each source of stories is read with weights fitted to the other sources alone, so that an author's habits do not help;
the stories of ``written/held_*`` are fitted to never, and read with the weights that are shipped.
"""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import harness.reading
from harness.reading import outcomes, sentiment, sentiment_zh
from harness.reading.fitting import softmax
from harness.tasks.task import load_task
from tests.reading.cases import cases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

CLAUSES = {"en": sentiment.story_clauses, "zh": sentiment_zh.story_clauses}
LISTED = 0.7
"""Scale of what the lists say: the smaller, the more the fit holds their weights down."""
TERMS = 1.2
"""Scale of the terms."""
LEAST = 3
"""A term must be in so many stories."""
KEPT = 1500
"""Terms that are kept, by how much they tell."""
HEAD = (
    "# How much each sign of a story speaks for each mood: *name is what a list says (harness/reading/outcomes.py), the\n"
    "# others are words, pairs of words or pairs of characters. Made by python -m tests.benchmarks.endings --write.\n"
)


class Story(NamedTuple):
    """A labelled story and where it is from."""

    source: str
    text: str
    label: str


def stories(language: str) -> list[Story]:
    """The stories that the weights are fitted to."""
    names = {"written": f"written/stories_{language}", "ordinary": f"written/ordinary_{language}"}
    found = [
        Story(source, c.text, c.label.split("/")[1]) for source, name in names.items() for c in cases(name)
    ]
    found += [Story("once blind", c.text, c.label) for c in cases(f"written/once_blind_mood_{language}")]
    if language == "en":
        older = (c for name in ("", "blind/") for c in cases(f"{name}story_sentiment_us") if not c.cut)
        found += [Story("older", c.text, c.label) for c in older]
    task = load_task({"en": "story_sentiment_us", "zh": "story_sentiment_zh"}[language])
    examples = task.attributes["sentiment"].examples
    found += [Story("older", e.text, e.label) for e in examples if not e.cut and "<think>" not in e.text]
    return [story for story in found if story.label in outcomes.LABELS]


class Fit:
    """Weights fitted to stories."""

    def __init__(self, signs: Sequence[Mapping[str, float]], labels: Sequence[str]) -> None:
        often = Counter(sign for found in signs for sign in found)
        self.names = sorted(n for n, times in often.items() if n.startswith("*") or times >= LEAST)
        self.scale = np.array([LISTED if n.startswith("*") else TERMS for n in self.names])
        wanted = np.eye(len(outcomes.LABELS))[[outcomes.LABELS.index(label) for label in labels]]
        weights, self.bias = softmax(self.matrix(signs), wanted, 1.0)
        tells = np.ptp(weights, axis=1)
        listed = np.array([n.startswith("*") for n in self.names])
        weights[(tells < np.sort(tells)[-min(KEPT, len(tells))]) & ~listed] = 0
        self.weights = weights

    def matrix(self, signs: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
        """Stories x signs."""
        found: NDArray[np.float64] = np.array([[own.get(n, 0.0) for n in self.names] for own in signs])
        found *= self.scale
        return found

    def read(self, signs: Sequence[Mapping[str, float]]) -> list[str]:
        """The mood of each story."""
        raw: NDArray[np.float64] = self.matrix(signs) @ self.weights + self.bias
        share = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        return [outcomes.LABELS[s.argmax()] if s.max() > outcomes.SURE else "unparsed" for s in share]

    def table(self) -> str:
        """The weights as the reader takes them."""
        out = io.StringIO(HEAD)
        out.seek(0, io.SEEK_END)
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["sign", *outcomes.LABELS])
        rows.writerow(["*bias", *np.round(self.bias, 3)])
        for name, weights in zip(self.names, self.weights * self.scale[:, None], strict=True):
            if weights.any():
                rows.writerow([name, *np.round(weights, 3)])
        return out.getvalue()


def tell(what: str, truth: Sequence[str], read: Sequence[str]) -> None:
    """One line: right, and as a wrong class."""
    pairs = list(zip(truth, read, strict=True))
    right = sum(a == b for a, b in pairs) / len(pairs)
    wrong = sum(b not in (a, "unparsed") for a, b in pairs) / len(pairs)
    sys.stdout.write(f"{what}: {len(pairs)} stories, {right:.1%} right, {wrong:.1%} as a wrong class\n")


def main() -> None:
    """Print the error, and write the weights with --write."""
    for language, clauses in CLAUSES.items():
        rows = stories(language)
        signs = [outcomes.signs(s.text, clauses(s.text), language) for s in rows]
        for source in dict.fromkeys(s.source for s in rows):
            others = [i for i, s in enumerate(rows) if s.source != source]
            own = [i for i, s in enumerate(rows) if s.source == source]
            fit = Fit([signs[i] for i in others], [rows[i].label for i in others])
            read = fit.read([signs[i] for i in own])
            tell(f"{language}, {source}, fitted to the others", [rows[i].label for i in own], read)
        fit = Fit(signs, [s.label for s in rows])
        held = [(c.text, c.label.split("/")[1]) for c in cases(f"written/held_{language}")]
        held = [pair for pair in held if pair[1] in outcomes.LABELS]
        read = fit.read([outcomes.signs(text, clauses(text), language) for text, _ in held])
        tell(f"{language}, held", [label for _, label in held], read)
        if "--write" in sys.argv:
            path = Path(harness.reading.__file__).parent / "data" / language / "endings.csv"
            path.write_text(fit.table(), encoding="utf-8")


if __name__ == "__main__":
    main()
