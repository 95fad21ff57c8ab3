"""Finds where a text names a class that is a number: in digits, in words or with its unit, not inside anything else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from harness.reading import lists

if TYPE_CHECKING:
    from collections.abc import Mapping

_LISTS = lists.load("numbers")
_ENGLISH = {word: value for value, word in enumerate(re.findall("[a-z]+", _LISTS.groups["english"].any))}
_HAN = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}  # fmt: skip
# What answers nothing is taken first, so that no number is found within it.
_NOTHING = (
    "list_item", "date", "time", "ordinal", "share", "money", "sum", "range", "scale", "labelled", "attached", "counted",
)  # fmt: skip
_NUMBER, _UNIT = _LISTS.source("number"), _LISTS.source("unit")
_ALL = re.compile(
    "|".join(
        [
            # "4/5" and "4 out of 5" before "out of 5"; but a date, a time or a sum before both.
            rf"(?P<nothing>{'|'.join(_LISTS.source(name) for name in _NOTHING[:7])})",
            rf"(?P<negative>{_LISTS.source('negative')})",
            rf"(?P<part>{_NUMBER})(?:[ ]?/[ ]?|[ ](?:out[ ])?of[ ])(?P<whole>{_NUMBER}){_UNIT}?(?![\w/])",
            rf"(?P<rest>{'|'.join(_LISTS.source(name) for name in _NOTHING[7:])})",
            rf"(?P<alone>{_NUMBER})(?P<unit>{_UNIT})?",
        ]
    )
)
_CHANCE, _ENDS, _BEGINS = (_LISTS.pattern(name) for name in ("chance", "ends", "begins"))
_ITEM = _LISTS.pattern("list_item")
_FURTHER = re.compile(r"[.:][ \t]*[^\s\d]")
"""What follows the number of an item after the first."""
_DIGITS = re.compile(r"[-+]?\d+(?:\.\d+)?")


class Found(NamedTuple):
    """A number that a text gives, and the class that it is."""

    start: int
    end: int
    label: str
    """The class; '' for a number that is none."""
    everyday: bool
    """It is an answer only where it stands as one: a number that is no class, *one*."""


class Numbers:
    """The classes of an attribute that are numbers."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        """``labels``: wording -> class; the wordings that are numbers are taken."""
        self.labels = {float(word): label for word, label in labels.items() if is_number(word)}

    def find(self, text: str) -> list[Found]:
        """Every number in a folded text that may be an answer."""
        found = []
        listed = False
        for match in _ALL.finditer(text) if self.labels else ():
            listed = listed or (bool(match["nothing"]) and _ITEM.match(text, match.start()) is not None)
            if listed and _FURTHER.match(text, match.end()) and _opens_line(text, match.start()):
                continue
            if match["part"]:
                one = self._fraction(text, match)
            elif match["alone"]:
                one = self._alone(text, match)
            elif match["negative"]:
                one = self._of(match, -_value(re.sub(r"^(?:-|minus |负 ?)", "", match["negative"])))
            else:
                one = None
            if one:
                found.append(one)
        return found

    def _of(self, match: re.Match[str], value: float, *, everyday: bool = False) -> Found:
        label = self.labels.get(value, "")
        return Found(match.start(), match.end(), label, everyday or not label)

    def _fraction(self, text: str, match: re.Match[str]) -> Found | None:
        """*4/5*, *4 out of 5*: an answer where the whole is the highest class."""
        if _CHANCE.search(text[max(0, match.start() - 80) : match.start()]):
            return None
        if _value(match["whole"]) != max(self.labels):
            return Found(match.start(), match.end(), "", True)
        return self._of(match, _value(match["part"]))

    def _alone(self, text: str, match: re.Match[str]) -> Found | None:
        word, unit = match["alone"], match["unit"]
        if word[0] in _HAN or word[0] == "十":
            before, after = (
                text[max(0, match.start() - 1) : match.start()],
                text[match.end() : match.end() + 1],
            )
            # "统一", "四川": a character of another word, unless a unit or the sentence sets it apart.
            if not unit and not (_ENDS.search(before) and _BEGINS.search(after)):
                return None
        return self._of(match, _value(word), everyday=word in ("one", "一") and not unit)


def _opens_line(text: str, at: int) -> bool:
    return text[text.rfind("\n", 0, at) + 1 : at].strip(" \t>(") == ""


def is_number(word: str) -> bool:
    """True for a wording that is a number in digits."""
    return _DIGITS.fullmatch(word) is not None


def _value(word: str) -> float:
    if word in _ENGLISH:
        return float(_ENGLISH[word])
    if word[0].isdigit():
        return float(word)
    tens, ten, ones = word.rpartition("十")
    if not ten:
        return float("".join(str(_HAN[c]) for c in word))
    return 10.0 * (_value(tens) if tens else 1) + (_value(ones) if ones else 0)
