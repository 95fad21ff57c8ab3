"""The difference of two methods of which several checkpoints were trained: for contexts and trainings like these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from harness.scoring.compare import possible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.metrics.base import FloatArray
    from harness.scoring.compare import Distances


@dataclass(frozen=True, slots=True)
class OverSeeds:
    """Mean TV of the checkpoints of A minus that of B's; negative = A's are closer."""

    estimate: float
    low: float
    high: float
    p: float
    contexts: int
    """In which every checkpoint has draws."""
    each: tuple[tuple[float, ...], tuple[float, ...]]
    """Mean TV of each checkpoint."""
    between: tuple[float, float]
    """Standard deviation of these, without what the draws add; nan of one checkpoint."""
    draws: float
    """Share of the variance of the difference that the draws explain."""


def over_seeds(a: Sequence[Distances], b: Sequence[Distances]) -> OverSeeds:
    """The difference of two methods, each with some checkpoints that could have been others.

    Three things vary: the draws, the training, and how contexts differ. The means of the checkpoints vary by draws and
    training, with as many degrees of freedom as a t distribution for two samples has. What contexts add to that is their
    spread less the chance of the draws. A method with one checkpoint is taken to vary as the other does.
    """
    used = np.asarray(~np.isnan(np.stack([d.value for d in (*a, *b)])).any(axis=0))
    contexts = int(used.sum())
    if not contexts:
        nan = float("nan")
        nothing = tuple(tuple(nan for _ in side) for side in (a, b))
        return OverSeeds(nan, nan, nan, nan, 0, (nothing[0], nothing[1]), (nan, nan), nan)
    values, variances = (
        [np.stack([getattr(d, key)[used] for d in side]) for side in (a, b)] for key in ("value", "variance")
    )
    means = [value.mean(axis=1) for value in values]
    chance = [variance.sum(axis=1).mean() / contexts**2 for variance in variances]
    draws = sum(c / len(m) for c, m in zip(chance, means, strict=True)) + _target(a, b, used)
    off = values[0].mean(axis=0) - values[1].mean(axis=0)
    spread = off.var(ddof=1) / contexts if contexts > 1 else 0.0
    parts = [*_trainings(means), (max(spread - draws, 0.0), max(contexts - 1, 1))]
    total = max(sum(part for part, _ in parts), draws + parts[-1][0])
    loose = sum(part**2 / free for part, free in parts)
    error, freedom = np.sqrt(total), total**2 / loose if loose else np.inf
    estimate = float(off.mean())
    half = float(stats.t.ppf(0.975, freedom) * error)
    value, low, high = possible(np.array([estimate, estimate - half, estimate + half])).tolist()
    return OverSeeds(
        value,
        low,
        high,
        float(2 * stats.t.sf(abs(estimate) / error, freedom)) if error else float(estimate == 0),
        contexts,
        (tuple(means[0].clip(0.0, 1.0).tolist()), tuple(means[1].clip(0.0, 1.0).tolist())),
        (_between(means[0], chance[0]), _between(means[1], chance[1])),
        float(draws / total) if total else 1.0,
    )


def _trainings(means: Sequence[FloatArray]) -> list[tuple[float, int]]:
    """Variance of each side's mean by draws and training, with its degrees of freedom."""
    several = [m for m in means if len(m) > 1]
    if len(several) == 1:
        (only,) = several
        return [(float(only.var(ddof=1)) * sum(1 / len(m) for m in means), len(only) - 1)]
    return [(float(m.var(ddof=1)) / len(m), len(m) - 1) for m in means]


def _between(means: FloatArray, chance: float) -> float:
    return float(np.sqrt(max(means.var(ddof=1) - chance, 0.0))) if len(means) > 1 else float("nan")


def _target(a: Sequence[Distances], b: Sequence[Distances], used: NDArray[np.bool_]) -> float:
    """The variance that a sampled target adds: what it does not move alike on both sides."""
    sides = []
    for side in (a, b):
        shifts = [d.shift[used] for d in side if d.shift is not None]
        if not shifts:
            return 0.0
        sides.append(np.mean(shifts, axis=0))
    return float(((sides[0] - sides[1]) ** 2).sum()) / int(used.sum()) ** 2
