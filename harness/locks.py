"""Lets one process at a time work in a folder, by a lock on its file ``.lock``."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.files import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = ".lock"


@contextmanager
def held(folder: Path, problem: str) -> Iterator[None]:
    """Make a folder and hold it; where another process holds it, ``problem`` is what the user is told."""
    make_folder(folder)
    with (folder / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise UserError(
                problem,
                where=str(folder),
                found=f"process {lock.read().strip() or 'unknown'}",
                expected="one process",
                hint="wait for it, or stop it and run the same command again: nothing is lost",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
