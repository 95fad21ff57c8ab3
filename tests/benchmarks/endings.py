"""Fits the weights by which the signs of a story's end decide, and tells their error: python -m tests.benchmarks.endings.

The stories were written or used to write the lists of signs, so the cross-validated error says how far the weights
carry, not how well the reader reads stories it has never seen: for that, see the blind texts of the tasks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import harness.reading
from harness.reading import outcomes, sentiment, sentiment_zh
from harness.reading.fitting import FOLDS, softmax
from harness.tasks.task import load_task
from tests.reading.cases import cases

CLAUSES = {"en": sentiment.story_clauses, "zh": sentiment_zh.story_clauses}
REPLIES = 0.3
"""Weight of a short reply, whose feeling is that of a story's end only in part."""
OLDER = 0.5
"""Weight of texts that an earlier reader was mended on."""


def stories(language: str) -> list[tuple[str, str, float]]:
    """Text, label and weight."""
    found = [(c.text, c.label.split("/")[1], 1.0) for c in cases(f"written/stories_{language}")]
    if language == "en":
        older = [
            (c.text, c.label)
            for name in ("", "blind/")
            for c in cases(f"{name}story_sentiment_us")
            if not c.cut
        ]
        examples = load_task("story_sentiment_us").attributes["sentiment"].examples
        older += [(e.text, e.label) for e in examples if not e.cut and "<think>" not in e.text]
        found += [(*pair, OLDER) for pair in older]
    else:
        names = ("reply_shape_zh.sentiment", "blind/reply_shape_zh.sentiment")
        replies = [(c.text, c.label) for name in names for c in cases(name) if c.label != "neutral"]
        found += [(*pair, REPLIES) for pair in replies]
    return [row for row in found if row[1] in outcomes.LABELS]


def main() -> None:
    """Print the error, and write the weights with --write."""
    kept: dict[str, dict[str, dict[str, float]]] = {}
    for language, clauses in CLAUSES.items():
        rows = stories(language)
        found = [outcomes.features(clauses(text), language) for text, _, _ in rows]
        names = list(found[0])
        x = np.array([[f[name] for name in names] for f in found])
        truth = np.array([outcomes.LABELS.index(label) for _, label, _ in rows])
        weight = np.array([w for *_, w in rows])
        wanted = np.eye(len(outcomes.LABELS))[truth]
        fold = np.random.default_rng(0).permutation(len(rows)) % FOLDS
        read = np.full(len(rows), -1)
        for k in range(FOLDS):
            weights, bias = softmax(x[fold != k], wanted[fold != k], weight[fold != k])
            raw = x[fold == k] @ weights + bias
            share = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
            read[fold == k] = np.where(share.max(axis=1) > outcomes.SURE, raw.argmax(axis=1), -1)
        own = weight == 1
        right, wrong = (read == truth)[own].mean(), ((read != truth) & (read >= 0))[own].mean()
        sys.stdout.write(
            f"{language}: {own.sum()} stories, {right:.1%} right, {wrong:.1%} as a wrong class\n"
        )
        weights, bias = softmax(x, wanted, weight)
        kept[language] = {
            label: {"bias": round(float(bias[i]), 3)}
            | {n: round(float(weights[j, i]), 3) for j, n in enumerate(names)}
            for i, label in enumerate(outcomes.LABELS)
        }
    if "--write" in sys.argv:
        path = Path(harness.reading.__file__).parent / "data" / "endings.json"
        path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
