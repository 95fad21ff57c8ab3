"""Counts equal outputs: single draws become distinct outputs with counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.terms import Draw, Finish


def merged(draws: Iterable[Draw]) -> list[Draw]:
    """One draw per text, finish and error, in the order of first sight; token counts are the first one's."""
    first: dict[tuple[str, Finish, str], Draw] = {}
    counts: Counter[tuple[str, Finish, str]] = Counter()
    for draw in draws:
        key = (draw.text, draw.finish, draw.error)
        first.setdefault(key, draw)
        counts[key] += draw.count
    return [replace(first[key], count=count) for key, count in counts.items()]
