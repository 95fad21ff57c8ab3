"""Limits of time and memory for what a model brings along and we run: its chat template."""

from __future__ import annotations

import ctypes
import resource
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


SIZE = Path("/proc/self/statm")
"""Where Linux tells the size of a process, in pages."""
AGAIN = 1.0
"""Seconds after which an alarm rings again."""


@contextmanager
def growing(most: int) -> Iterator[None]:
    """Raise ``MemoryError`` where the block would make this process larger by more bytes; no limit but on Linux."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    if not SIZE.exists():
        yield
        return
    size = int(SIZE.read_text().split()[0]) * resource.getpagesize() + most
    soft, hard = before
    resource.setrlimit(
        resource.RLIMIT_AS, (size if soft == resource.RLIM_INFINITY else min(size, soft), hard)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise ``TimeoutError`` in this thread where the block takes longer.

    A process of its own would cost more than most templates. It ends a loop of Python code, such as a template is
    compiled to, and in the main thread also a search for a regular expression; not every long call into C.
    """
    main = threading.current_thread() is threading.main_thread()
    with _alarm(seconds) if main else _strike(seconds):
        yield


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """For the main thread: an alarm of the system, which may ring within another's time.

    It rings again each second: what is raised while memory is tidied up is lost.
    """

    def ring(*_: object) -> None:
        raise TimeoutError

    begin, handler = time.monotonic(), signal.signal(signal.SIGALRM, ring)
    left, every = signal.getitimer(signal.ITIMER_REAL)
    signal.setitimer(signal.ITIMER_REAL, min(seconds, left) if left else seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - begin), 1e-3), every)


@contextmanager
def _strike(seconds: float) -> Iterator[None]:
    """For other threads, which no alarm reaches."""
    me, guard, over = threading.get_ident(), threading.Lock(), threading.Event()

    def strike() -> None:
        with guard:
            if not over.is_set():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(me), ctypes.py_object(TimeoutError))

    timer = threading.Timer(seconds, strike)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with guard:
            over.set()
        timer.cancel()
