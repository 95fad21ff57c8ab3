"""How fast a server is asked: a limit of parallel requests, and growing random waits after status 429."""

from __future__ import annotations

import asyncio
import math
import random
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LONGEST_WAIT = 60.0
"""Seconds: the cap of the doubling wait between two tries."""
LONGEST_RETRY_AFTER = 600.0
"""Seconds: a server that asks for more is asked again after this."""

_JITTER = random.SystemRandom()  # waits must differ between processes, and never touch a seeded generator


def backoff(base: float, tries: int) -> float:
    """A uniform wait below ``base * 2^tries``, so that clients that failed together do not return together."""
    return _JITTER.uniform(0.0, min(LONGEST_WAIT, base * 2.0 ** min(tries, 60)))


def retry_after(value: str | None) -> float:
    """Seconds that a ``Retry-After`` header asks for (a number or an HTTP date); 0 when absent or unreadable."""
    if not value:
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return 0.0
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER) if math.isfinite(seconds) else 0.0


class Pace:
    """At most ``limit`` calls in flight: halved when the server says too many, one more per round of successes."""

    def __init__(self, ceiling: int, limit: float) -> None:
        self.ceiling = ceiling
        self.limit = limit
        self._active = 0
        self._lowered = -math.inf
        self._resume = -math.inf
        self._free = asyncio.Condition()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[float]:
        """Wait for a place among the calls in flight; gives the time at which the call starts."""
        async with self._free:
            await self._free.wait_for(lambda: self._active < self.limit)
            self._active += 1
        try:
            clock = asyncio.get_running_loop().time
            while (wait := self._resume - clock()) > 0:
                await asyncio.sleep(wait)
            yield clock()
        finally:
            self._active -= 1
            async with self._free:
                self._free.notify_all()

    def succeeded(self) -> None:
        """A call came back: let in one more after about ``limit`` of these."""
        self.limit = min(float(self.ceiling), self.limit + 1.0 / self.limit)

    def overloaded(self, started: float, wait: float) -> None:
        """A call that began at ``started`` was turned away; nobody calls for ``wait`` seconds.

        Calls that were in flight together are turned away together: they lower the limit once.
        """
        now = asyncio.get_running_loop().time()
        self._resume = max(self._resume, now + wait)
        if started > self._lowered:
            self.limit = max(1.0, self.limit / 2.0)
            self._lowered = now
