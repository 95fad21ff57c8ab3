"""What people's replies are like in each context: quantiles of each feature, and a sample of feature vectors. No text."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.importers.gathered import LENGTH, split_lengths
from harness.natural.features import features, names
from harness.natural.scaled import scale, wasserstein
from harness.progress import Progress
from harness.tasks.people import QUANTILES

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.importers.gathered import Gathered, SampledReply

    Vector = tuple[SampledReply, NDArray[np.float64]]

SMALLEST = 20
"""A context with fewer replies is left out, as in PolyAlign."""
VECTORS = 1000


class PeopleFigures(NamedTuple):
    """What stands beside a target's tables."""

    quantiles: str
    """CSV: a row per context, length and feature."""
    vectors: pa.Table
    dropped: tuple[str, ...]
    """Features that do not vary in any context."""


def figures(gathered: Gathered, language: str) -> PeopleFigures:
    """Compute the features of the sampled texts."""
    columns = names(language)
    rows: list[list[str]] = []
    sampled: list[tuple[str, list[SampledReply], NDArray[np.float64]]] = []
    total = sum(len(k) for k in gathered.texts.values())
    progress = Progress("features of people's replies", total, "replies")
    by_context: dict[str, tuple[list[Vector], list[Vector]]] = {}
    for (name, by_length), kept in sorted(gathered.texts.items()):
        ordered = sorted(kept, reverse=True)
        found = []
        for begin in range(0, len(ordered), 200):
            part = ordered[begin : begin + 200]
            found += list(zip(part, features([k.text for k in part], language), strict=True))
            progress.advance(len(part))
        by_context.setdefault(name, ([], []))[by_length].extend(found)
    progress.close()
    for name, (natural, stratified) in by_context.items():
        if len(natural) >= SMALLEST:
            rows += _rows(name, "", natural, columns)
            chosen = natural[:VECTORS]
            sampled.append((name, [k for k, _ in chosen], np.array([v for _, v in chosen])))
        vector_of = {id(k): v for k, v in natural + stratified}
        for length, kept in split_lengths([k for k, _ in natural + stratified]).items():
            if len(kept) >= SMALLEST:
                rows += _rows(name, length, [(k, vector_of[id(k)]) for k in kept], columns)
    varying = {row[2] for row in rows}
    dropped = tuple(c for c in columns if c not in varying)
    return PeopleFigures(_csv(rows), _table(sampled, columns), dropped)


def _rows(context: str, length: str, replies: list[Vector], columns: tuple[str, ...]) -> list[list[str]]:
    values = np.array([v for _, v in replies])
    second = np.array([k.second for k, _ in replies])
    spread = scale(values)
    apart = (
        wasserstein(values[second], values[~second]) if 0 < second.sum() < len(second) else spread * np.nan
    )
    points = np.quantile(values, QUANTILES, axis=0)
    return [
        [context, length, name, str(len(values)), f"{spread[i]:.6g}", f"{apart[i] / spread[i]:.4f}"]
        + [f"{p:.6g}" for p in points[:, i]]
        for i, name in enumerate(columns)
        if np.isfinite(spread[i])
    ]


def _csv(rows: list[list[str]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    head = ["context", "length", "feature", "replies", "scale", "halves_w1"]
    writer.writerow(head + [f"q{100 * q:.0f}" for q in QUANTILES])
    writer.writerows(rows)
    return buffer.getvalue()


def _table(
    sampled: list[tuple[str, list[SampledReply], NDArray[np.float64]]], columns: tuple[str, ...]
) -> pa.Table:
    import pyarrow as pa

    talks = sorted({k.talk for _, kept, _ in sampled for k in kept})
    number = {talk: i for i, talk in enumerate(talks)}
    vectors = np.concatenate([v for _, _, v in sampled]) if sampled else np.zeros((0, len(columns)))
    data = {
        "context": [name for name, kept, _ in sampled for _ in kept],
        "length": [LENGTH[k.length] if k.length >= 0 else "" for _, kept, _ in sampled for k in kept],
        "conversation": [number[k.talk] for _, kept, _ in sampled for k in kept],
    }
    return pa.table(
        {
            **{name: pa.array(values) for name, values in data.items()},
            **{name: pa.array(vectors[:, i].astype(np.float32)) for i, name in enumerate(columns)},
        }
    )
