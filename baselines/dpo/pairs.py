"""Preference pairs: the answer of a row is preferred to the answer of another class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from baselines.texts import texts_of

if TYPE_CHECKING:
    from baselines.rows import Row, TrainingSet


@dataclass(frozen=True, slots=True)
class Pair:
    """A preference: the same prompt, one answer chosen and another rejected."""

    row: Row
    rejected_label: str
    rejected: str


def pairs(data: TrainingSet, seed: int) -> list[Pair]:
    """Preferences for DPO: each row's answer is chosen, the answer of another class is rejected.

    The rejected class goes evenly round the other classes. Then among pairs of classes {j, k} the one is
    preferred to the other in the ratio p_j : p_k, which is Bradley-Terry with the target as strengths.
    """
    rng = np.random.default_rng([seed, 1])
    made = []
    turn: dict[tuple[str, str], int] = {}
    for row in data.rows:
        others = [c for c in data.classes if c != row.label]
        key = (row.context, row.label)
        turn[key] = turn.get(key, -1) + 1
        label = others[turn[key] % len(others)]
        texts = texts_of(data.answers, row.context, label)
        made.append(Pair(row, label, texts[int(rng.integers(len(texts)))]))
    return made
