"""How many threads there should be, and how they wait for one another. Read before a library starts its own."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells what a container may use."""
THREADS = "OMP_NUM_THREADS"
STATED = THREADS in os.environ
"""Whether the user said how many threads there are."""


def processors() -> int:
    """Processors that this process may use: a container shows those of its machine, and a quota may be less."""
    shown = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    texts = []
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):  # version 2, version 1
        with suppress(OSError):
            texts.append(" ".join((CGROUP / name).read_text() for name in names).split())
    for quota, period in (pair for pair in texts if len(pair) == 2):
        if quota.isdecimal() and period.isdecimal() and int(period):  # neither "max" nor -1
            return max(1, min(shown, -(-int(quota) // int(period))))
    return shown


def settle(environ: MutableMapping[str, str]) -> None:
    """Set what the user has not: as many threads as processors, which do not spin for long.

    Threads that wait spin a thirtieth of the usual time, then sleep. Beside another process a thread that spins takes the
    very time that the other lacks. Alone, drawing takes a few per cent longer; if they slept at once it would take a quarter more.
    GNU's OpenMP reads this when it is loaded, and before OMP_WAIT_POLICY: who has set that is left alone.
    """
    if "OMP_WAIT_POLICY" not in environ:
        environ.setdefault("GOMP_SPINCOUNT", "10000")
    if processors() < (os.cpu_count() or 1):
        environ.setdefault(THREADS, str(processors()))
