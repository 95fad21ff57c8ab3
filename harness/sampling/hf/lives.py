"""How long draws still take: a life table over the token that they are at, from the draws that went before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.sampling.base import Ahead

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FADE = 0.5
"""What a batch counts for once the next one has begun."""
ENDS, STEPS = 16, 4
"""Where no draw has been yet, draws end as often as at so many tokens before, and a step takes as long as at these. The
first step reads the prompts, so it is not one of them."""


class Lives:
    """Draws, ends and seconds at each token."""

    def __init__(self, most: int) -> None:
        """Of outputs of ``most`` tokens at most."""
        self._seen = np.zeros((3, most))
        self._draws, self._ended, self._seconds = self._seen

    @property
    def known(self) -> bool:
        """Whether enough has been seen."""
        return len(self._draws) > 0 and bool(self._draws[min(STEPS, len(self._draws) - 1)])

    def fade(self) -> None:
        """A new batch begins: what went before it counts for less."""
        self._seen *= FADE

    def step(self, at: int, draws: int, ended: int, seconds: float) -> None:
        """So many draws went on by one token, or ended with it."""
        self._draws[at] += draws
        self._ended[at] += ended
        self._seconds[at] += seconds

    def ahead(self, draws: Mapping[int, int]) -> Ahead:
        """What is still to come of draws that have so many tokens (token -> draws)."""
        ends, costs = self._rates()
        seconds = tokens = 0.0
        for at, count in draws.items():
            alive = np.cumprod(np.append(1.0, 1.0 - ends[at:-1]))
            seconds += count * float(alive @ costs[at:])
            tokens += count * float(alive.sum())
        return Ahead(seconds, tokens)

    def _rates(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """At each token, the share of draws that end and the seconds a draw takes."""
        seen = np.maximum(self._draws, np.finfo(float).tiny)
        ends, costs = self._ended / seen, self._seconds / seen
        after = int(np.flatnonzero(self._draws).max(initial=-1)) + 1
        recent, steps = (slice(max(after - k, 0), after) for k in (ENDS, STEPS))
        ends[after:] = self._ended[recent].sum() / max(self._draws[recent].sum(), 1e-300)
        costs[after:] = self._seconds[steps].sum() / max(self._draws[steps].sum(), 1e-300)
        return ends, costs
