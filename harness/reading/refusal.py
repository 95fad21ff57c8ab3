"""Finds out whether a text declines to answer, in English and Chinese."""

from __future__ import annotations

import re

from harness.reading import lists
from harness.reading.text import HAN, clean, simplified

_EN = lists.load("en/refusal")
_ZH = lists.load("zh/refusal")
_ENGLISH = _EN.pattern(*_EN.named("answer_"), flags=re.I | re.M)
_CHINESE = _ZH.pattern(*_ZH.named("answer_"), flags=re.I)
_TASK = re.compile(
    "|".join(group.source(name) for group in (_EN, _ZH) for name in group.named("task_")), re.I
)
_HINTS = _EN.wordings("hints")
_HAN = re.compile(rf"[{HAN}]")
_OPENING = 1200
"""How many characters may hold the first sentences of a text."""
_FIRST_PERSON_TALE = re.compile(r"[\"“「『][^\"”」』\n]*[\"”」』]")


def spans(text: str) -> list[tuple[int, int]]:
    """Where a text declines, as (start, end) in ``text`` as given (normalised text keeps its own places)."""
    lower = text.lower()
    # The patterns are dear, and most answers hold no word that any of them could begin to match.
    english = any(hint in lower for hint in _HINTS)
    patterns = [p for p, may in ((_ENGLISH, english), (_CHINESE, _HAN.search(text))) if may]
    return [m.span() for pattern in patterns for m in pattern.finditer(text)]


def declines(text: str) -> bool:
    """True when the speaker of a text, rather than someone quoted in it, declines to answer."""
    spoken = _FIRST_PERSON_TALE.sub(" ", simplified(clean(text)))
    return bool(spans(spoken))


def declines_task(text: str) -> bool:
    """True when the writer declines to write, in the first sentences of a text: a character who says *I can't* does not."""
    spoken = _FIRST_PERSON_TALE.sub(" ", simplified(clean(text))).strip()
    opening = "".join(re.findall(r"[^.!?。!?\n]+(?:[.!?。!?\n]+|$)", spoken[:_OPENING])[:2])
    found = _TASK.search(opening)
    return found is not None and len(spoken) - found.end() < 600
