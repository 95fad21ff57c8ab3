"""What the exact measure knows of a request: the mass of each outcome, and the prefixes that are undecided."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.sampling.base import Shares

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


NONE = np.zeros(0, dtype=np.int64)
FEWER = 0.8
"""Of the prefixes expanded now, so large a part must have been expanded at a mark that the rate is taken from."""
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

    def mark(self) -> Leaves:
        """As they are now, whatever is added or taken later."""
        now = Leaves(self.most)
        now.mass, now.cut, now._count = self.mass, self.cut, self._count
        now._parents, now._blocks = self._parents.copy(), self._blocks.copy()
        return now

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that is kept, as arrays."""
        if self._count:
            self._keep(*self._joined())
        parent, token, mass = self._blocks[0] if self._count else (NONE, NONE, NONE.astype(np.float64))
        lengths = [len(p) // NONE.itemsize for p in self._parents]
        parents = np.frombuffer(b"".join(self._parents), np.int64)
        return {
            "parent": parent,
            "token": token,
            "mass": mass,
            "parents": parents,
            "lengths": np.array(lengths, np.int64),
        }

    @classmethod
    def of(cls, most: int, arrays: Mapping[str, NDArray[Any]], mass: float, cut: float) -> Leaves:
        """Leaves from their arrays.

        Raises:
            ValueError: these are no arrays of leaves.
        """
        block = tuple(arrays[name] for name in ("parent", "token", "mass"))
        ends = [0, *np.cumsum(arrays["lengths"]).tolist()]
        parents = np.asarray(arrays["parents"], np.int64)
        count = len(block[0])
        right = (
            {a.ndim for a in arrays.values()} == {1}
            and {len(a) for a in block} == {count}
            and ends == sorted(ends)
            and ends[-1] == len(parents)
            and (count == 0 or 0 <= block[0].min() <= block[0].max() < len(ends) - 1)
            and bool(((block[2] >= 0) & (block[2] <= 1)).all())
        )
        if not right:
            raise ValueError("no such leaves")
        made = cls(most)
        made.mass, made.cut, made._count = mass, cut, count
        made._parents = [parents[a:b].tobytes() for a, b in pairwise(ends)]
        made._blocks = [(block[0], block[1], block[2])] if count else []
        return made

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
    ended: bool = False
    """It was, and no limit came first."""
    _marked: tuple[dict[str, Any], Leaves] | None = None
    _went: list[tuple[int, float]] = field(default_factory=list)
    """Prefixes expanded and mass undecided, at each mark."""

    def mark(self) -> None:
        """Nothing is under way: this is what can be kept."""
        self._went.append((self.expanded, self.undecided))
        known = {
            "limit": self.limit,
            "decided": dict(self.decided),
            "weight": self.weight,
            "expanded": self.expanded,
        }
        self._marked = (known, self.leaves.mark())

    def marked(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
        """What was known at the last mark, None without one: numbers and outcomes, and arrays."""
        if self._marked is None:
            return None
        known, leaves = self._marked
        arrays = leaves.arrays()
        return known | {"mass": leaves.mass, "cut": leaves.cut}, arrays

    def restore(self, known: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go back to what was known at a mark.

        Raises:
            ValueError, KeyError, TypeError: it is not of such a tree.
        """
        decided = {str(name): float(mass) for name, mass in known["decided"].items()}
        if known["limit"] != self.limit or not all(0 <= m <= 1 for m in decided.values()):
            raise ValueError("not of this prompt")
        leaves = Leaves.of(self.leaves.most, arrays, float(known["mass"]), float(known["cut"]))
        self.decided.update(decided)
        self.leaves, self.weight, self.expanded = leaves, float(known["weight"]), int(known["expanded"])

    def result(self, *, ended: bool) -> Shares:
        """What is known, once: the leaves are given up."""
        self.told, self.ended, self.leaves, self._marked = True, ended, Leaves(1), None
        return Shares(dict(self.decided), self.undecided, ended)

    def needed(self, epsilon: float) -> float | None:
        """About how many prefixes leave ``epsilon`` undecided; None where nothing tells yet.

        What is undecided falls as a power of their number, ever more slowly: by the power since there were half as many.
        """
        if self.ended or self.undecided < epsilon:
            return self.expanded
        before = [mark for mark in self._went if 2 * mark[0] <= self.expanded] or self._went[:1]
        if not before or not 0 < before[-1][0] <= FEWER * self.expanded:
            return None
        count, mass = before[-1]
        power = math.log(mass / self.undecided) / math.log(self.expanded / count)
        if power <= 0:
            return math.inf
        return self.expanded * math.exp(min(math.log(self.undecided / epsilon) / power, 50.0))

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
