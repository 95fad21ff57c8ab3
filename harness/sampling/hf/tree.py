"""What the exact measure knows of a request: mass per outcome, and the prefixes that are still undecided."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(slots=True)
class Leaves:
    """Undecided prefixes: the tokens of a parent, one more token, and the mass."""

    parents: list[tuple[int, ...]] = field(default_factory=list)
    blocks: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    """Parent's number, token and mass; joined when leaves are taken."""
    mass: float = 0.0

    def add(self, parent: tuple[int, ...], tokens: Ints, mass: Floats) -> None:
        """The light children of one prefix."""
        if len(tokens):
            self.blocks.append((np.full(len(tokens), len(self.parents)), tokens, mass))
            self.parents.append(parent)
            self.mass += float(mass.sum())

    def take(self, need: float, least: int, most: int) -> tuple[list[tuple[tuple[int, ...], float]], float]:
        """Remove the heaviest leaves whose masses sum to ``need``, within limits; also the lightest's mass."""
        parent, token, mass = (np.concatenate(x) for x in zip(*self.blocks, strict=True))
        order = np.argsort(-mass, kind="stable")
        count = int(np.searchsorted(np.cumsum(mass[order]), need)) + 1
        count = min(max(count, least), most)
        taken = [((*self.parents[parent[i]], int(token[i])), float(mass[i])) for i in order[:count]]
        rest = order[count:]
        self.blocks = [(parent[rest], token[rest], mass[rest])]
        self.mass = float(mass[rest].sum())
        return taken, taken[-1][1]


@dataclass(slots=True)
class Tree:
    """What is known about one request."""

    limit: int
    decided: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    leaves: Leaves = field(default_factory=Leaves)
    weight: float = 0.0
    """Prefixes at least this heavy go on within the pass."""
    expanded: int = 0

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
