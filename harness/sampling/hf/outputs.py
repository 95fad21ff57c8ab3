"""Ends prefixes and makes outputs of them: distinct texts with counts, for each request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.terms import Draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from harness.sampling.base import Settled
    from harness.sampling.hf.chat import Chat
    from harness.sampling.hf.frontier import Rows
    from harness.terms import Finish, Request

REMEMBERED = 100_000
"""Answers of ``settled`` to keep: short answers repeat over prompts."""


def due(depth: int) -> bool:
    """Whether to ask ``settled`` at this depth. To ask late costs forwards, never correctness."""
    return depth <= 16 or (depth <= 64 and depth % 4 == 0) or depth % 16 == 0


@dataclass(slots=True)
class Tally:
    """One distinct output of a request."""

    count: int = 0
    tokens: int = 0
    most: int = 0
    """Draws of the most frequent of the token sequences with this text: ``tokens`` is its length."""


class Outputs:
    """Ends prefixes and collects what they say."""

    def __init__(
        self,
        requests: Sequence[Request],
        limits: NDArray[np.int64],
        chat: Chat,
        ends: frozenset[int],
        stop: Sequence[str],
        settled: Settled | None,
    ) -> None:
        self.requests, self.limits, self.chat = requests, limits, chat
        self.ends, self.stop, self.settled = ends, tuple(s for s in stop if s), settled
        self._end_ids = np.array(sorted(ends), dtype=np.int64)
        closers = chat.closers(self.stop) if self.stop else frozenset()
        self._closers = None if closers is None else np.array(sorted(closers), dtype=np.int64)
        self._answers: dict[str, bool] = {}
        self._left = {i: r.n for i, r in enumerate(requests)}
        self._tallies: dict[int, dict[tuple[str, Finish], Tally]] = {}
        self._done: list[int] = []

    def end(self, rows: Rows) -> NDArray[np.bool_]:
        """Record the rows that end here; true for those that go on."""
        last = rows.tokens[:, -1]
        closed: NDArray[np.bool_] = (last[:, None] == self._end_ids).any(1)
        over = closed | (rows.depth >= self.limits[rows.owner])
        ask = self.settled is not None and due(rows.depth)
        stoppable = self._stoppable(last)
        read = np.flatnonzero(over | stoppable | ask)
        texts = self.chat.decode(rows.tokens[read].tolist(), self.ends)
        for row, text in zip(read.tolist(), texts, strict=True):
            at = self._stopped(text) if stoppable[row] else -1
            if at >= 0:
                self._record(rows, row, text[:at], "stop")
            elif over[row]:
                self._record(rows, row, text, "stop" if closed[row] else "length")
            elif ask and self._settled(text):
                self._record(rows, row, text, "settled")
            else:
                continue
            over[row] = True
        return ~over

    def _stoppable(self, last: NDArray[np.int32]) -> NDArray[np.bool_]:
        if not self.stop:
            return np.zeros(len(last), dtype=np.bool_)
        return np.ones(len(last), dtype=np.bool_) if self._closers is None else np.isin(last, self._closers)

    def _stopped(self, text: str) -> int:
        return min((at for at in map(text.find, self.stop) if at >= 0), default=-1)

    def _settled(self, text: str) -> bool:
        # A character that is still missing bytes is no text to judge yet.
        if self.settled is None or text.endswith("�"):
            return False
        answer = self._answers.get(text)
        if answer is None:
            if len(self._answers) >= REMEMBERED:
                self._answers.clear()
            answer = self._answers[text] = self.settled(text)
        return answer

    def _record(self, rows: Rows, row: int, text: str, finish: Finish) -> None:
        owner, count = int(rows.owner[row]), int(rows.counts[row])
        tally = self._tallies.setdefault(owner, {}).setdefault((text, finish), Tally())
        tally.count += count
        if count > tally.most:
            tally.tokens, tally.most = rows.depth, count
        self._left[owner] -= count
        if not self._left[owner]:
            self._done.append(owner)

    def complete(self) -> Iterator[tuple[Request, list[Draw]]]:
        """Requests all of whose draws have ended since the last call."""
        done, self._done = self._done, []
        for owner in done:
            tallies = sorted(self._tallies.pop(owner).items(), key=lambda item: (-item[1].count, item[0]))
            draws = [Draw(text, t.count, finish, t.tokens) for (text, finish), t in tallies]
            yield self.requests[owner], draws
