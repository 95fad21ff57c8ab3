"""How often people's replies score below a model's, with an interval that knows that turns of a conversation are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import t

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.natural.scaled import Floats


class Auc(NamedTuple):
    """An area under the curve with its 95% interval."""

    value: float
    low: float
    high: float


def auc(people: Floats, model: Floats, strata: Sequence[object], groups: Sequence[object]) -> Auc:
    """The chance that a person's reply scores below a model's of the same stratum; a tie is half.

    The interval is that of DeLong et al. (1988) for replies in groups (Obuchowski 1997): each group's share in the
    estimate's error, and the t distribution of one degree of freedom less than groups.

    Args:
        people: score of the person's reply of each pair.
        model: of the model's.
        strata: only pairs with the same one are compared.
        groups: of each pair; replies of one group are not independent.
    """
    numbers: dict[object, int] = {}
    group = np.array([numbers.setdefault(g, len(numbers)) for g in groups])
    rows: dict[object, list[int]] = {}
    for i, stratum in enumerate(strata):
        rows.setdefault(stratum, []).append(i)
    wins, pairs = np.zeros(len(people)), np.zeros(len(people))
    for members in rows.values():
        at = np.array(members)
        one, two = people[at], model[at]
        # twice: each comparison is counted for the person's reply and for the model's
        wins[at] = _above(one, two) + len(at) - _above(two, one)
        pairs[at] = 2 * len(at)
    value = float(wins.sum() / pairs.sum())
    errors = np.bincount(group, (wins - value * pairs) / (pairs.sum() / 2))
    count = len(errors)
    if count < 2:
        return Auc(value, 0.0, 1.0)
    half = float(t.ppf(0.975, count - 1) * np.sqrt(count / (count - 1) * np.square(errors).sum()))
    return Auc(value, max(value - half, 0.0), min(value + half, 1.0))


def _above(these: Floats, others: Floats) -> Floats:
    """For each of ``these`` how many of ``others`` are above it, ties as halves."""
    ordered = np.sort(others)
    low, high = (np.searchsorted(ordered, these, side=side) for side in ("left", "right"))
    return np.asarray(len(others) - (low + high) / 2)
