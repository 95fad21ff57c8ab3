"""Reads answers like those on a form (ticked box, letter of an option, initial), and finds lists that are no answer."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.reading.mentions import Mention

_FAR = 40
_TICK = r"\[\s*[x✓✔√]\s*\]|\(\s*[x✓✔√]\s*\)|[☑☒✅✔✓√■●🗹🔘◉]"
_EMPTY = r"\[\s*_?\s*\]|\(\s*\)|[☐□▢○◯⬜❌✗✘]"
_BEFORE = re.compile(rf"(?:(?P<on>{_TICK})|(?P<off>{_EMPTY}))\s*[\"']?$")
_AFTER = re.compile(rf"^[\"']?\s*:?\s*(?:(?P<on>{_TICK})|(?P<off>{_EMPTY}))")
_OPTION = re.compile(r"(?:^|[\s(\[,;])([a-h1-9])[.):]\s*[\"']?$")
_LETTER_ANSWER = re.compile(
    r"(?:answer|choice|option|pick|choose|select|go with|answer is|答案|选择?)\s*(?:is|是|:|=|为)*\s*[\"'(\[]?([a-h1-9])\b(?!\s*%)[\"')\]]?"
)

_FIELD = re.compile(r"^\W*[^\W\d_]{2,12}[\s\"']*[:：=](?=.{0,8}$)", re.S)
"""The name of a form's field, before a few characters."""
_LETTER = re.compile(r"[\s.\"'()*:{}\[\]]*([^\W\d_])(?:[\s.\"'()*:{}\[\]]*$|\s*[,(\n]|\s+[-–—]\s)")
"""A letter that is the whole answer, or has an explanation behind it."""
_SHE_HE = re.compile(
    r"^\W*(?:(?P<subject>she|he)\b|(?P<owner>her|his) (?:name|gender|sex|age|job|occupation)\b"
    r"|(?P<alone>she|her|hers|he|him|his)\W*$|(?P<han>她|他)(?=\W|$|是|今年|叫|大?约))"
    r"|(?:[:\n–—-]|\bis|\banswer)\s*[\"']?(?P<last>she|her|hers|he|him|his)[\"']?\W*$"
)
_SHE, _HE = re.compile(r"\b(?:she|hers?)\b"), re.compile(r"\b(?:he|him|his)\b")


class Choice(NamedTuple):
    """A class chosen on a form, and where."""

    label: str
    at: int


def chosen(text: str, mentions: Sequence[Mention]) -> list[Choice]:
    """The classes that a folded text chooses by a mark: a tick, or the letter of an option it has spelled out."""
    return [*_ticked(text, mentions), *_lettered(text, mentions)]


def _ticked(text: str, mentions: Sequence[Mention]) -> list[Choice]:
    """*[x] Male [ ] Female*: the boxes stand before the options or behind them, as the first one does."""
    if not mentions or not re.search(f"{_TICK}|{_EMPTY}", text):
        return []
    first = mentions[0]
    before = _BEFORE.search(text[max(0, first.start - _FAR) : first.start]) is not None
    marks = [
        (_BEFORE.search(text[max(0, m.start - _FAR) : m.start]), m)
        if before
        else (_AFTER.search(text[m.end : m.end + _FAR]), m)
        for m in mentions
    ]
    on = [m for mark, m in marks if mark and mark.group("on")]
    off = any(mark and mark.group("off") for mark, _ in marks)
    one = len({m.label for m in on}) == 1
    return [Choice(on[0].label, on[0].start)] if one and off else []


def _lettered(text: str, mentions: Sequence[Mention]) -> list[Choice]:
    """*Answer: B*, where the text itself says what B stands for."""
    options: dict[str, str] = {}
    for mention in mentions:
        letter = _OPTION.search(text[max(0, mention.start - _FAR) : mention.start])
        if letter:
            options.setdefault(letter.group(1), mention.label)
    return [
        Choice(options[m.group(1)], m.start())
        for m in _LETTER_ANSWER.finditer(text)
        if len(options) > 1 and m.group(1) in options
    ]


def is_roll(text: str, mentions: Sequence[Mention]) -> bool:
    """*Male Female Male Female*: several answers in a row, with nothing between them, and not one answer repeated."""
    return (
        sum(times > 1 for times in Counter(m.label for m in mentions).values()) > 1
        and all(
            re.fullmatch(r"[^\w%>→=?]*(?:\d{1,2}[.)]\s*)?", text[a.end : b.start])
            for a, b in pairwise(mentions)
        )
        and not re.search(rf"[?/|]|{_TICK}|{_EMPTY}", text)
    )


def initial(text: str, labels: Iterable[str]) -> str:
    """The class that an answer of one letter means, *F* or *Gender: F*.

    '' where two classes begin with this letter, or where the options are called by letters.
    """
    letter = _LETTER.match(_FIELD.sub("", text))
    found = [c for c in set(labels) if letter and c.startswith(letter[1])]
    return found[0] if letter and letter[1] > "e" and len(found) == 1 else ""


def pronoun(text: str) -> str:
    """*male* or *female* where a short answer tells of somebody by one pronoun, *She.* or *He is 35*; '' for none."""
    found = _SHE_HE.search(text)
    both = (_SHE.search(text) and _HE.search(text)) or ("她" in text and "他" in text)
    if found is None or both:
        return ""
    word = next(w for w in found.groups() if w)
    return "female" if word in ("she", "her", "hers", "她") else "male"
