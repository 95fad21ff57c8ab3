"""When an enumeration of outputs ends, how much it does in a step, and when it reports its progress."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from harness.progress import Heartbeat, remaining, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.sampling.base import Limit
    from harness.sampling.hf.cache import Forward

TOKENS, STEP_SECONDS = 1024, 1.0
"""What the first step reads, and what a step takes, about."""


class Clock:
    """When an enumeration ends, and when it says how far it is."""

    def __init__(self, forward: Forward, limit: Limit) -> None:
        self._forward, self._first = forward, forward.calls
        self._start = time.monotonic()
        self._pace = Heartbeat()
        self._end = math.inf if limit.seconds is None else self._start + limit.seconds
        self._last = math.inf if limit.forwards is None else limit.forwards
        self._until, self._most = self._end, self._last
        self.tokens = float(TOKENS)
        """That one step may read: about so many as take a second, so that it can end and say how far it is."""

    @property
    def forwards(self) -> int:
        """Forward passes so far."""
        return self._forward.calls - self._first

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start

    def share(self, part: float) -> None:
        """From now on, end after so large a part of what the limit leaves."""
        now = time.monotonic()
        self._until = now + part * (self._end - now)
        self._most = self.forwards + part * (self._last - self.forwards)

    def over(self) -> bool:
        """Whether the limit is reached."""
        return time.monotonic() >= self._until or self.forwards >= self._most

    def still(self, seconds: float | None) -> str:
        """How long still, in words: so many seconds (None is unknown), or to the limit."""
        left = self._end - time.monotonic()
        if math.isfinite(left) and (seconds is None or seconds >= left):
            return f"the limit ends it in {max(left, 0):,.0f} s"
        return remaining(seconds)

    def timed(self, step: Callable[[], None], read: int) -> None:
        """Take a step that reads so many tokens; from how long that took follows what the next may read."""
        start = time.monotonic()
        step()
        seconds = max(time.monotonic() - start, 1e-3)
        self.tokens = max(1.0, min(read / seconds * STEP_SECONDS, 2 * self.tokens)) if read else self.tokens

    def tell(self, what: Callable[[], str]) -> None:
        """Say something, if it is time for it."""
        if self._pace.due():
            say(what())
