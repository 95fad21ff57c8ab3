"""The scores of many tables against one target computed again, all but what rests on simulation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.metrics.base import Divergence
from harness.metrics.catalog import of
from harness.metrics.w1 import W1
from harness.scoring import table
from harness.scoring.divergence import best_and_worst_tv, plugins, unsmoothed
from harness.scoring.reference import sample_limits
from harness.scoring.sides import EXACT_PAIRS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.metrics.base import FloatArray, IntArray
    from harness.scoring.table import AggregateScore, Score


class _Mean(NamedTuple):
    """What of a divergence's mean over contexts does not rest on simulation."""

    plugin: float
    estimate: float
    low: float
    high: float


def again(
    counts: IntArray,
    invalid: IntArray,
    target: FloatArray,
    sizes: FloatArray,
    before: Sequence[AggregateScore],
    positions: FloatArray | None = None,
) -> list[AggregateScore]:
    """The means over contexts of several tables computed again, but for what rests on simulation.

    Args:
        counts: draws of each declared class, tables x contexts x classes.
        invalid: draws that gave no declared class, tables x contexts.
        target: see ``table.score``; the same for all tables.
        sizes: see ``table.score``.
        before: scores of these tables; their floors, p and fit stay.
        positions: see ``table.score``.
    """
    contexts, classes = target.shape
    flat, none, wanted = table.checked(
        counts.reshape(-1, classes), invalid.ravel(), np.tile(target, (len(counts), 1))
    )
    names, outside = tuple(of(Divergence)), table.headline()
    shown = outside if positions is None else (*outside, W1)
    everything = np.concatenate([counts, invalid[..., None]], axis=2)
    full_target = np.concatenate([target, np.zeros((contexts, 1))], axis=1)
    inside = _means_again(names, counts, target, sizes, positions)
    over_all, some = [*inside], np.flatnonzero(invalid.any(axis=1))
    for i, found in zip(
        some, _means_again(outside, everything[some], full_target, sizes, positions), strict=True
    ):
        over_all[i] = inside[i] | found
    best, worst = (part.reshape(-1, contexts) for part in best_and_worst_tv(flat, none, wanted))
    raw = {name: unsmoothed(name, flat, wanted).reshape(-1, contexts) for name in table.smoothed()}
    return [
        replace(
            old,
            valid=table.mean_share(np.stack([counts[i].sum(axis=1), invalid[i]], axis=1)),
            scores={name: _again(over_all[i], name, old.scores) for name in dict.fromkeys((*names, *shown))},
            conditional={name: _again(inside[i], name, old.conditional) for name in shown},
            unsmoothed={name: table.mean_of(values[i]) for name, values in raw.items()},
            best_tv=table.mean_of(best[i]),
            worst_tv=table.mean_of(worst[i]),
        )
        for i, old in enumerate(before)
    ]


def _again(found: Mapping[str, _Mean], name: str, before: Mapping[str, Score]) -> Score:
    """A score with what was computed again; nothing where nothing was drawn."""
    return (
        replace(before.get(name, table.NOTHING), **found[name]._asdict()) if name in found else table.NOTHING
    )


def _means_again(
    names: tuple[str, ...],
    counts: IntArray,
    target: FloatArray,
    sizes: FloatArray,
    positions: FloatArray | None,
) -> list[dict[str, _Mean]]:
    """The divergences ``names``, of ordered classes W1 too, of each table; tables are computed together.

    A table's numbers do not depend on those beside it.
    """
    found: list[dict[str, _Mean]] = [{} for _ in counts]
    n = counts.sum(axis=2)
    for there in np.unique(n > 0, axis=0):
        alike = np.flatnonzero(((n > 0) == there).all(axis=1))
        if not there.any():
            continue
        wanted = target[there]
        for rows in _few_pairs(alike, n[:, there], wanted.shape[1]):
            drawn = counts[rows][:, there].reshape(-1, wanted.shape[1])
            full, own_sizes = np.tile(wanted, (len(rows), 1)), np.tile(sizes[there], len(rows))
            limits = sample_limits(drawn, full, own_sizes, names, positions, len(rows))
            for name, value in plugins(names, drawn, full, positions).items():
                means = value.reshape(len(rows), -1).mean(axis=1)
                for i, mean in zip(rows, zip(means, *limits[name][1], strict=True), strict=True):
                    found[i][name] = _Mean(*map(float, mean))
    return found


def _few_pairs(rows: IntArray, n: IntArray, classes: int) -> Iterator[list[int]]:
    """Tables in groups, each of so few pairs of n and target share that all of them are computed exactly."""
    group: list[int] = []
    pairs: set[tuple[int, int]] = set()
    for row in rows.tolist():
        own = set(enumerate(n[row].tolist()))
        if group and len(pairs | own) * classes > EXACT_PAIRS:
            yield group
            group, pairs = [], set()
        group.append(row)
        pairs |= own
    if group:
        yield group
