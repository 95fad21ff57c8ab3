"""What two runs are compared on: one attribute against one target, in the contexts that both have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.scoring.compare import Difference, Distances, difference
from harness.scoring.outcomes import (
    by_wording,
    distances_of,
    distances_of_valid,
    read_certain,
    read_counts,
    with_none,
)
from harness.scoring.wordings import WordingDifference, difference_over_wordings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.metrics.base import FloatArray
    from harness.runs.folder import Run
    from harness.scoring.outcomes import Certain, Counts
    from harness.tasks.target import Target
    from harness.tasks.task import Attribute, Task


def outcomes_of(run: Run) -> Mapping[str, Counts | Certain]:
    """Of each attribute."""
    drawn = run.identity.measure in ("", "draws")
    found: Sequence[Counts | Certain] = (
        read_counts(run.folder / "counts.csv") if drawn else read_certain(run.folder / "shares.csv")
    )
    return {one.attribute: one for one in found}


def valid_share(found: Counts | Certain) -> float:
    """Share of the draws that name a class, or of the mass that is decided, in the mean over contexts."""
    table = found.folded().astype(np.float64)
    total = table.sum(axis=1)
    return float((table[total > 0, :-1].sum(axis=1) / total[total > 0]).mean())


@dataclass(frozen=True, slots=True)
class ComparedOn:
    """What two models are compared on: the contexts that both have, in their order."""

    task: Task
    attribute: Attribute
    target: Target
    contexts: Sequence[str]

    def differences(
        self, first: Counts | Certain, second: Counts | Certain, positions: FloatArray | None
    ) -> tuple[Difference, Difference]:
        """Among all draws, and among those that name a class."""
        among_all, among_valid = (
            difference(*(self.distances(of, found, positions) for found in (first, second)))
            for of in (distances_of, distances_of_valid)
        )
        return among_all, among_valid

    def over_wordings(self, first: Counts | Certain, second: Counts | Certain) -> WordingDifference | None:
        """For wordings like these, where both have enough of the same and the contexts are the same."""
        one, two = by_wording(first), by_wording(second)
        if one is None or two is None or one.wordings != two.wordings or first.contexts != second.contexts:
            return None
        matrix = self.target.matrix(self.task, self.attribute, first.contexts)
        return difference_over_wordings(one, two, with_none(matrix))

    def distances(
        self,
        of: Callable[[Counts | Certain, FloatArray, FloatArray, FloatArray | None], Distances],
        found: Counts | Certain,
        positions: FloatArray | None,
    ) -> Distances:
        """One model's, in the contexts that are asked about."""
        own = found.contexts
        matrix = self.target.matrix(self.task, self.attribute, own)
        each = of(found, matrix, self.target.sizes(self.attribute, own), positions)
        place = [own.index(c) for c in self.contexts]
        shift = None if each.shift is None else each.shift[place]
        return Distances(each.value[place], each.variance[place], shift)
