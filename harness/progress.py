"""Progress on standard error: a bar on a terminal, a line a minute in a log."""

from __future__ import annotations

import sys
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.plaintext import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

LONGEST_LINE = 20_000
"""Characters of one message."""
LOG_SECONDS = 60.0
FIRST_SECONDS = 5.0
RECENT_SECONDS = 120.0
"""How far back the rate is taken that the remaining time is told by."""
BURST_SECONDS = 1.0
"""What comes within this came at one moment."""


class Heartbeat:
    """When to say how far something is: first after a few seconds, then ever more rarely, down to once a minute."""

    def __init__(self, first: float | None = None) -> None:
        self._said, self._wait = time.monotonic(), FIRST_SECONDS if first is None else first

    def due(self) -> bool:
        """Whether to say it now."""
        if time.monotonic() - self._said < self._wait:
            return False
        self._said, self._wait = time.monotonic(), min(2 * self._wait, LOG_SECONDS)
        return True


class Outlook:
    """How long the rest takes at the recent rate.

    Many draws may come at one moment, after a long while without any. So what comes now does not count before it is
    followed by something later, and the time since the last that counts is taken off what is left.
    """

    def __init__(self) -> None:
        self._opened = time.monotonic()
        self._marks: deque[tuple[float, int]] = deque([(self._opened, 0)])

    def reach(self, done: int) -> None:
        """Note how much is done now."""
        now = time.monotonic()
        if len(self._marks) > 1 and now - self._opened < BURST_SECONDS:
            self._marks[-1] = now, done
        else:
            self._opened = now
            self._marks.append((now, done))
        while len(self._marks) > 3 and now - self._marks[1][0] > RECENT_SECONDS:
            self._marks.popleft()

    def left(self, total: int) -> float | None:
        """Seconds until all is done; None where nothing tells yet."""
        (begun, before), (at, done) = self._marks[0], self._marks[max(len(self._marks) - 2, 0)]
        if done <= before:
            return None
        return max((total - done) * (at - begun) / (done - before) - (time.monotonic() - at), 0.0)


class Progress:
    """Counts draws, or what else, as they come and says how far they are."""

    def __init__(
        self, label: str, total: int, unit: str = "draws", ahead: Callable[[], float | None] | None = None
    ) -> None:
        """``ahead`` tells how many seconds are left, where one knows better than those that came can tell."""
        self.label, self.total, self.unit = label, total, unit
        self._ahead = ahead
        self.done = self.failed = self.tokens = 0
        self.start = self.said = time.monotonic()
        self._outlook = Outlook()
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        if sys.stderr.isatty():
            self._open_bar()

    def _open_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichBar
        from rich.table import Column

        bar = RichBar(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=24)),
            BarColumn(),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
            transient=True,
        )
        bar.start()
        self._bar, self._task = bar, bar.add_task(self.label, total=self.total, rate="", left="")

    def advance(self, draws: int, failed: int = 0, tokens: int = 0) -> None:
        """Count more draws."""
        self.done += draws
        self.failed += failed
        self.tokens += tokens
        self._outlook.reach(self.done)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self.done, rate=self._rate(), left=self._left())
        elif time.monotonic() - self.said >= LOG_SECONDS:
            self.said = time.monotonic()
            say(f"{self.label}: {self.done}/{self.total} {self.unit}, {self._rate()}, {self._left()}")

    def _rate(self) -> str:
        seconds = max(time.monotonic() - self.start, 1e-9)
        failed = f", {self.failed} failed" if self.failed else ""
        tokens = f", {self.tokens / seconds:,.0f} tokens/s" if self.unit == "draws" else ""
        rate = self.done / seconds
        return f"{rate:,.{0 if rate >= 10 else 2}f} {self.unit}/s{tokens}{failed}"

    def _left(self) -> str:
        return remaining(self._ahead() if self._ahead else self._outlook.left(self.total))

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.stop()


class Steps:
    """Says how far a phase is and how long still, at a heartbeat."""

    def __init__(self, label: str, total: int, unit: str = "steps", done: int = 0) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.first = self.done = done
        self.start, self.heart = time.monotonic(), Heartbeat()

    def reach(self, done: int, note: str = "") -> None:
        """So many are done."""
        self.done = done
        if not self.heart.due():
            return
        left = (self.total - done) * (time.monotonic() - self.start) / max(done - self.first, 1)
        say(f"{self.label}: {done}/{self.total} {self.unit}, {note}{remaining(left)}")


def remaining(seconds: float | None) -> str:
    """How long still, in words."""
    return "how long still is not known yet" if seconds is None else f"about {seconds:,.0f} s left"


def say(line: str) -> None:
    """One line to standard error, with nothing in it that commands a terminal."""
    sys.stderr.write(show(line, LONGEST_LINE) + "\n")
    sys.stderr.flush()


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Say what begins, and how long it took when it took longer than a moment."""
    start = time.monotonic()
    say(f"{name} …")
    yield
    seconds = time.monotonic() - start
    if seconds >= 1:
        say(f"{name}: {seconds:.1f} s")
