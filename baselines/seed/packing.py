"""Puts a question and all its answers into one row, so that the question is computed once.

Each answer sees the question and itself, at the positions that it would have alone; an answer that occurs more
than once stands once with its number as weight. The loss is the same as of the conversations one by one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.sampling.hf.padding import filled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LONGEST = 256
"""Tokens of a row at most; further answers go into rows of their own, a longer one stands alone."""
Conversation = tuple[tuple[int, ...], tuple[int, ...]]
"""Token ids of what is given, and of what is learned."""
Batch = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class PackedRow:
    """A question and some of its answers."""

    ids: list[int]
    positions: list[int]
    branches: list[int]
    """0 in the question, 1 and up in an answer."""
    at: list[int]
    """Where each learned token is predicted."""
    labels: list[int]
    weights: list[float]


def rows(conversations: Iterable[Conversation]) -> list[PackedRow]:
    """Rows of every question, in the order in which questions first occur."""
    answers: dict[tuple[int, ...], Counter[tuple[int, ...]]] = {}
    for question, answer in conversations:
        answers.setdefault(question, Counter())[answer] += 1
    made = []
    for question, counted in answers.items():
        room: list[tuple[tuple[int, ...], int]] = []
        used = len(question)
        for answer, count in counted.items():
            if room and used + len(answer) - 1 > LONGEST:
                made.append(_row(question, room))
                room, used = [], len(question)
            room.append((answer, count))
            used += len(answer) - 1
        made.append(_row(question, room))
    return made


def _row(question: Sequence[int], answers: Sequence[tuple[Sequence[int], int]]) -> PackedRow:
    n = len(question)
    row = PackedRow(list(question), list(range(n)), [0] * n, [], [], [])
    for branch, (answer, count) in enumerate(answers, 1):
        first = len(row.ids)
        # The last token is only predicted: nothing follows it.
        row.ids.extend(answer[:-1])
        row.positions.extend(range(n, n + len(answer) - 1))
        row.branches.extend([branch] * (len(answer) - 1))
        row.at.extend([n - 1, *range(first, first + len(answer) - 1)])
        row.labels.extend(answer)
        row.weights.extend([float(count)] * len(answer))
    return row


def batch(chosen: Sequence[PackedRow], pad: int) -> Batch:
    """Rows beside each other; ``at`` counts through all of them."""
    ids = filled([r.ids for r in chosen], pad)
    width = ids.shape[1]
    return {
        "input_ids": ids,
        "position_ids": filled([r.positions for r in chosen], 0),
        "branches": filled([r.branches for r in chosen], -1),
        "at": torch.tensor([i * width + a for i, r in enumerate(chosen) for a in r.at]),
        "labels": torch.tensor([label for r in chosen for label in r.labels]),
        "weights": torch.tensor([w for r in chosen for w in r.weights]),
    }


def sight(branches: torch.Tensor) -> torch.Tensor:
    """Which token sees which (rows x 1 x from x to): earlier ones of the question or of its own answer."""
    one, other = branches.unsqueeze(2), branches.unsqueeze(1)
    width = branches.shape[1]
    earlier = torch.ones(width, width, dtype=torch.bool).tril()
    return ((other == 0) | (one == other) & (other > 0)).logical_and(earlier).unsqueeze(1)
