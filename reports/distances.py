"""TV of each context and of each wording of many results, computed together where their targets are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.scoring.compare import Distances, distances
from harness.scoring.outcomes import Counts, distances_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from reports.load import Entry


def each_distance(entries: Sequence[Entry]) -> list[Distances]:
    """For each result the TV of its contexts, bias-corrected, with its chance."""
    found: dict[int, Distances] = {}
    alike: dict[tuple[int, bytes, bytes], list[int]] = {}
    for i, entry in enumerate(entries):
        if entry.certain:
            found[i] = distances_of(entry.table, entry.shares, entry.sizes)
        else:
            key = (entry.n, entry.shares.tobytes(), entry.sizes.tobytes())
            alike.setdefault(key, []).append(i)
    for group in alike.values():
        first = entries[group[0]]
        rows = [np.asarray(entries[i].rows, dtype=np.int64) for i in group]
        found |= zip(group, _together(rows, first), strict=True)
    return [found[i] for i in range(len(entries))]


def _together(rows: Sequence[NDArray[np.int64]], like: Entry) -> Iterable[Distances]:
    """Of several tables of counts, contexts x outcomes, against one target."""
    k, contexts, size = len(like.classes), len(like.contexts), len(rows)
    every = np.concatenate(rows)
    counts = np.concatenate([every[:, :k], every[:, k:].sum(axis=1, keepdims=True)], axis=1)
    full = np.concatenate([like.shares, np.zeros((contexts, 1))], axis=1)
    value, variance, shift = distances(counts, np.tile(full, (size, 1)), np.tile(like.sizes, size))
    for i in range(size):
        own = slice(i * contexts, (i + 1) * contexts)
        yield Distances(value[own], variance[own], None if shift is None else shift[own])


def by_wording(entry: Entry) -> dict[str, float]:
    """The mean TV of each wording, bias-corrected; empty where not every context was asked in the same two or more."""
    table = entry.table
    prompts = list(dict.fromkeys(prompt for _, prompt in table.cells))
    contexts = list(entry.contexts)
    if len(prompts) < 2 or len(table.cells) != len(prompts) * len(contexts):
        return {}
    if not isinstance(table, Counts):
        tables = {
            p: type(table)(table.attribute, table.classes, {(c, p): table.cells[c, p] for c in contexts})
            for p in prompts
        }
        return {p: _mean(distances_of(one, entry.shares, entry.sizes)) for p, one in tables.items()}
    rows = [np.array([table.cells[c, p] for c in contexts], dtype=np.int64) for p in prompts]
    return {p: _mean(found) for p, found in zip(prompts, _together(rows, entry), strict=True)}


def _mean(found: Distances) -> float:
    return max(float(np.nanmean(found.value)), 0.0) if not np.isnan(found.value).all() else float("nan")
