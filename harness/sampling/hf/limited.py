"""Limits of time and memory for what a model brings along and we run: its chat template."""

from __future__ import annotations

import ctypes
import resource
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


SIZE = Path("/proc/self/statm")
"""Where Linux tells the size of a process, in pages."""


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

    An alarm of the system would reach the main thread alone, and a process of its own would cost more than most
    templates. It ends a loop of Python code, such as a template is compiled to, and not one long call into C.
    """
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
