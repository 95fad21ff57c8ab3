"""How much halves of a corpus of replies differ, and how many independent replies the corpus is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Counts = Sequence[Sequence[int]] | NDArray[np.float64]

_BLOCKS = 2000
"""Conversations are split one by one up to this number, and in so many random blocks where there are more."""


@dataclass(frozen=True, slots=True)
class Halves:
    """One half of the people against the other."""

    tv: float
    """Total variation between the halves."""
    floor: float
    """What 95 of 100 random halves of the same conversations stay below."""

    @property
    def within(self) -> bool:
        """The instrument does not tell people from people."""
        return self.tv <= self.floor


def halves(conversations: Counts, second: Sequence[bool] | NDArray[np.bool_], splits: int = 1000) -> Halves:
    """Compares two halves of the people.

    Whole conversations go to one half or the other: replies of one conversation resemble each other, so halves
    differ by more than as many independent replies would.

    Args:
        conversations: Per conversation, the number of replies in each class.
        second: Per conversation, whether it belongs to the second half.
        splits: Random halves that the floor is taken from.
    """
    counts = np.asarray(conversations, dtype=float)
    given = np.asarray(second, dtype=bool)
    rng = np.random.default_rng(np.random.SeedSequence([len(counts), int(counts.sum())]))
    blocks = _blocks(counts, rng)
    chosen = rng.random((splits, len(blocks))) < 0.5
    one = np.vstack([counts[~given].sum(axis=0), ~chosen @ blocks])
    two = np.vstack([counts[given].sum(axis=0), chosen @ blocks])
    both = (one.sum(axis=1) > 0) & (two.sum(axis=1) > 0)
    if not both[0]:
        return Halves(0.0, 1.0)
    one, two = one[both], two[both]
    tv = np.abs(one / one.sum(axis=1, keepdims=True) - two / two.sum(axis=1, keepdims=True)).sum(axis=1) / 2
    return Halves(float(tv[0]), float(np.quantile(tv[1:], 0.95)))


def _blocks(counts: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Conversations, summed by random blocks where they are many: random halves of either vary alike."""
    if len(counts) <= _BLOCKS:
        return counts
    blocks = np.zeros((_BLOCKS, counts.shape[1]))
    np.add.at(blocks, rng.permutation(len(counts)) % _BLOCKS, counts)
    return blocks


def independent(conversations: Counts) -> int:
    """As how many independent replies those of ``conversations`` count.

    The variance of the shares between conversations (their linearised ratio estimate), summed over the classes,
    against that of as many independent replies: the design effect of Kish (1965). Never more than there are
    replies; as many as conversations where all replies are of one class, so that no variance can be seen.
    """
    counts = np.asarray(conversations, dtype=float)
    sizes = counts.sum(axis=1, keepdims=True)
    n, clusters = sizes.sum(), len(counts)
    shares = counts.sum(axis=0) / n
    alone = (shares * (1 - shares)).sum() / max(n - 1, 1)
    if clusters == 1 or alone == 0:
        return clusters
    together = ((counts - sizes * shares) ** 2).sum() / n**2 * clusters / (clusters - 1)
    return int(np.rint(np.clip(n * alone / max(together, 1e-300), 1, n)))
