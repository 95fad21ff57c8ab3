"""What the exact measure knows of a request: the mass of each outcome, and the prefixes that are undecided."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from harness.sampling.base import Shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


ROOM = 4
"""Leaves are sorted out once there are so many times as many as can still be expanded."""


class Leaves:
    """Undecided prefixes: the tokens of a parent, one more token, and the mass.

    Only the heaviest ``most`` are kept, as many as may be expanded in all: memory is bounded, and what is dropped
    stays undecided.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.mass = 0.0
        """Of all that were added and not taken, dropped ones included."""
        self.cut = 0.0
        """Lighter leaves are not among the heaviest ``most``."""
        self._parents: list[bytes] = []
        self._blocks: list[tuple[Ints, Ints, Floats]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, parent: NDArray[np.int64], tokens: Ints, mass: Floats) -> None:
        """The light children of one prefix."""
        if not len(tokens):
            return
        self.mass += float(mass.sum())
        kept = mass >= self.cut
        self._blocks.append((np.full(int(kept.sum()), len(self._parents)), tokens[kept], mass[kept]))
        self._parents.append(parent.tobytes())
        self._count += int(kept.sum())
        if self._count > ROOM * self.most:
            self._keep(*self._joined())

    def take(self, need: float, least: int, most: int) -> tuple[list[tuple[tuple[int, ...], float]], float]:
        """Remove the heaviest leaves whose masses sum to ``need``, within limits; also the lightest's mass."""
        parent, token, mass = self._joined()
        count = int(np.searchsorted(np.cumsum(mass), need)) + 1
        count = min(max(count, least), most)
        taken = [
            ((*np.frombuffer(self._parents[p], np.int64).tolist(), t), m)
            for p, t, m in zip(*(x[:count].tolist() for x in (parent, token, mass)), strict=True)
        ]
        self.mass = max(0.0, self.mass - float(mass[:count].sum()))
        self._keep(parent[count:], token[count:], mass[count:])
        return taken, taken[-1][1]

    def _joined(self) -> tuple[Ints, Ints, Floats]:
        """All leaves, the heaviest first."""
        parent, token, mass = (np.concatenate(x) for x in zip(*self._blocks, strict=True))
        order = np.argsort(-mass, kind="stable")
        return parent[order], token[order], mass[order]

    def _keep(self, parent: Ints, token: Ints, mass: Floats) -> None:
        """Keep the heaviest of sorted leaves, and their parents alone."""
        if len(mass) > self.most:
            self.cut = float(mass[self.most - 1])
            parent, token, mass = parent[: self.most], token[: self.most], mass[: self.most]
        used, parent = np.unique(parent, return_inverse=True)
        self._parents = [self._parents[p] for p in used.tolist()]
        self._blocks, self._count = [(parent, token, mass)], len(mass)


@dataclass(slots=True)
class Tree:
    """What is known about one request."""

    limit: int
    leaves: Leaves
    decided: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    weight: float = 0.0
    """Prefixes at least this heavy go on within the pass."""
    expanded: int = 0
    told: bool = False
    """Its result was given."""

    def result(self, *, ended: bool) -> Shares:
        """What is known, once: the leaves are given up."""
        self.told, self.leaves = True, Leaves(1)
        return Shares(dict(self.decided), self.undecided, ended)

    @property
    def undecided(self) -> float:
        """Mass without an outcome yet."""
        return max(0.0, 1.0 - math.fsum(self.decided.values()))


@dataclass(frozen=True, slots=True)
class Heavy:
    """Prefixes of one depth that a pass expands."""

    owner: Ints
    mass: Floats
    tokens: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.owner)

    @property
    def depth(self) -> int:
        """Generated tokens of each row."""
        return int(self.tokens.shape[1])

    def take(self, index: Ints | slice) -> Heavy:
        """Some of the rows."""
        return Heavy(self.owner[index], self.mass[index], self.tokens[index])
