"""Ranks with their uncertainty: ranges of ranks and bands of ties, from paired comparisons.

Each pair of models is compared as ``distalign compare`` does it. Holm's procedure over all pairs keeps the chance that
*any* two equal models are told apart at 5%, so all ranges of a column hold together with 95% confidence (Holm, 1979;
Mogstad, Romano, Shaikh and Wilhelm, 2024, for ranges of ranks from such pairs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.scoring.compare import LEVEL, adjusted, pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.scoring.compare import Differences, Distances

    Floats = NDArray[np.float64]


class Ranking(NamedTuple):
    """For each model what is not contradicted of its rank, and the pairs behind it."""

    low: NDArray[np.int64]
    """The least rank."""
    high: NDArray[np.int64]
    """The greatest rank."""
    band: NDArray[np.int64]
    """Band of ties, 0 is the best."""
    pairs: Differences
    """Every model less every other."""
    apart: NDArray[np.bool_]
    """Which pairs are told apart, all together at ``LEVEL``."""
    order: NDArray[np.int64]
    """Models, best first by the number that is shown."""


def joint(low: Floats, value: Floats, high: Floats) -> tuple[float, float, float]:
    """Mean of several measures that err independently, and its 95% interval: value, low, high.

    Errors add up by their squares. A limit at 0 says nothing of how far below its value the truth may lie, and an
    estimate that cannot fall below 0 is too high on average near it: the distance upwards stands for it then.
    """
    below = np.where(low > 0, value - low, np.maximum(value - low, high - value))
    down, up = (float(np.sqrt((d**2).sum())) / len(value) for d in (below, high - value))
    mean = float(value.mean())
    return mean, max(mean - down, 0.0), mean + up


def rank(columns: Sequence[Sequence[Distances]], order_by: Floats) -> Ranking:
    """Rank models over one column, or by the mean over several.

    Args:
        columns: for each column the TVs of every model.
        order_by: one number per model that orders them inside a band: the one that is shown.
    """
    models = len(order_by)
    found = pairs(columns)
    upper = np.triu_indices(models, 1)
    apart = np.zeros((models, models), dtype=np.bool_)
    apart[upper] = np.array(adjusted(np.nan_to_num(found.p[upper], nan=1.0))) < LEVEL
    apart |= apart.T
    worse = (apart & (found.value > 0)).sum(axis=1)
    better = (apart & (found.value < 0)).sum(axis=1)
    order = np.argsort(order_by, kind="stable")
    return Ranking(1 + worse, models - better, _bands(apart, order), found, apart, order)


def _bands(apart: NDArray[np.bool_], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """A band is its best model and all after it, up to the first that is told apart from the best."""
    band = np.zeros(len(order), dtype=np.int64)
    leader = order[0] if len(order) else 0
    current = 0
    for model in order:
        if apart[leader, model]:
            leader, current = model, current + 1
        band[model] = current
    return band
