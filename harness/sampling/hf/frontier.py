"""The frontier of collapsed sampling: the distinct prefixes, each with the number of draws that begin with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.sampling.hf.pick import child_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Distinct prefixes of one length, as arrays: row i stands for ``counts[i]`` draws of request ``owner[i]``."""

    owner: Ints
    keys: NDArray[np.uint64]
    counts: Ints
    tokens: NDArray[np.int32]
    """[rows, depth]: what each has generated so far."""

    @classmethod
    def none(cls) -> Rows:
        """No rows."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing.astype(np.uint64), nothing, np.zeros((0, 0), dtype=np.int32))

    def __len__(self) -> int:
        return len(self.owner)

    @property
    def depth(self) -> int:
        """Generated tokens of each row."""
        return int(self.tokens.shape[1])

    def take(self, index: Ints | NDArray[np.bool_] | slice) -> Rows:
        """Some of the rows."""
        return Rows(self.owner[index], self.keys[index], self.counts[index], self.tokens[index])

    def grow(self, parents: Ints, tokens: Ints, counts: Ints) -> Rows:
        """The children of these rows: one per (parent, token)."""
        told = np.concatenate([self.tokens[parents], tokens.astype(np.int32)[:, None]], axis=1)
        return Rows(self.owner[parents], child_keys(self.keys[parents], tokens), counts, told)


def join(parts: Sequence[Rows]) -> Rows:
    """Rows of equal depth, together."""
    return Rows(
        np.concatenate([p.owner for p in parts]),
        np.concatenate([p.keys for p in parts]),
        np.concatenate([p.counts for p in parts]),
        np.concatenate([p.tokens for p in parts]),
    )


def in_place(parents: Ints) -> Ints:
    """An order of the children in which as many as possible stand in their parent's row.

    ``parents`` is sorted. The first child of a row takes the row's place where the new frontier has that
    place; the others fill the gaps.
    """
    size = len(parents)
    first = np.flatnonzero(np.diff(parents, prepend=-1))
    stays = first[parents[first] < size]
    order = np.full(size, -1, dtype=np.int64)
    order[parents[stays]] = stays
    rest = np.ones(size, dtype=np.bool_)
    rest[stays] = False
    order[order < 0] = np.flatnonzero(rest)
    return order


class Waiting:
    """Prefixes without a cache: prompts not begun, and what did not fit. Deepest first, so that few wait."""

    def __init__(self, fresh: Rows) -> None:
        self.parts: dict[int, list[Rows]] = {}
        self.put(fresh)

    def __bool__(self) -> bool:
        return bool(self.parts)

    def at(self) -> dict[int, int]:
        """Draws that stand on them, by depth."""
        return {depth: sum(int(rows.counts.sum()) for rows in parts) for depth, parts in self.parts.items()}

    @property
    def draws(self) -> int:
        """That stand on them."""
        return sum(self.at().values())

    def put(self, rows: Rows) -> None:
        """Set rows aside, to be the first of their depth."""
        if len(rows):
            self.parts.setdefault(rows.depth, []).insert(0, rows)

    def next(self) -> Rows:
        """All rows of the greatest depth; what is not used must be put back."""
        parts = self.parts.pop(max(self.parts))
        return join(parts) if len(parts) > 1 else parts[0]
