"""Finds where a text names a class: whole words, the longest wording first; in Chinese, characters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.reading import lists
from harness.reading.numbers import Numbers, is_number
from harness.reading.text import HAN, LETTER, fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LISTS = lists.load("outside")
GENERIC = _LISTS.words("generic")
"""Wordings that are everyday words too: they name a class only where they stand as the answer."""
COLOURS = _LISTS.words("colours")
"""Wordings that are colours of things too: before the name of a thing they name no class."""
_HIDDEN = _LISTS.pattern("hidden")
_SENSES = lists.load("en/senses")
"""Expressions in which a word means something else than the class it may name."""
_OUTSIDE_WHERE = tuple(
    (_LISTS.words(f"{kind}_signs"), _LISTS.wordings(kind)) for kind in ("race", "gender", "sentiment")
)
"""Per kind of attribute (two of these words among its wordings): answers known to be none of its classes."""
_FAR = 40
_TURNED = {
    "happy": "unhappy", "good": "bad", "optimistic": "pessimistic", "content": "unhappy", "cheerful": "unhappy", "bad": "good",
}  # fmt: skip
"""Wordings that, denied, are a way to say the opposite: *not happy*."""
_TURNING = re.compile(
    r"\b(?:not|(?:is|are|do|does|was|were|ai)n't)(?: (?:very|really|so|too|all|that|particularly|exactly|feel|feeling|look|quite))*\s$"
)
_TESTED = re.compile(r"\b(?:test(?:ed|s|ing)?|came back|results? (?:is|was|are))\s$")


@dataclass(frozen=True, slots=True)
class Mention:
    """One naming of a class, in a folded text."""

    start: int
    end: int
    label: str
    """The class; '' for an answer known to be none of them."""
    word: str
    """The wording that was found, as the lexicon has it."""
    everyday: bool = False
    """It names the class only where it stands as the answer."""


class Lexicon:
    """The wordings of an attribute's classes, compiled."""

    def __init__(self, classes: Mapping[str, Iterable[str]], outside: Iterable[str] = ()) -> None:
        """``outside``: answers known to be none of the classes, beside those that go with such classes anyway."""
        self.labels: dict[str, str] = {}
        for label, wordings in classes.items():
            for wording in (label, *wordings):
                self.labels.setdefault(key(wording), label)
        names = set(self.labels)
        for sign, words in _OUTSIDE_WHERE:
            if len(sign & names) >= 2:
                for word in words:
                    # "Mixed feelings" is the class that "mixed" is, where it is one.
                    self.labels.setdefault(word, self.labels.get(word.split()[0], ""))
        for word in (*outside, *_both(self.labels)):
            self.labels.setdefault(key(word), "")
        self.labels.pop("", None)
        self._numbers = Numbers(self.labels)
        self.counts = bool(self._numbers.labels)
        """Some classes are numbers."""
        self._senses = {word: _SENSES.pattern(word) for word in _SENSES.groups if word in self.labels}
        self._pattern = _pattern(word for word in self.labels if not is_number(word))

    def find(self, folded: str) -> list[Mention]:
        """Every mention in a folded text, in order."""
        text = _HIDDEN.sub(lambda m: "\ue000" * len(m.group()), folded)
        found = []
        for match in self._pattern.finditer(text):
            word = key(match.group())
            known = self._known(word)
            before = text[max(0, match.start() - 40) : match.start()]
            if known is None or (known in ("positive", "negative") and _TESTED.search(before)):
                continue
            if known in self._senses and self._means_other(folded, match, known):
                continue
            opposite = self.labels.get(_TURNED.get(known, ""))
            turning = _TURNING.search(before) if opposite else None
            start = match.start() - len(turning.group()) if turning else match.start()
            found.append(
                Mention(
                    start,
                    match.end(),
                    opposite if turning and opposite else self.labels[known],
                    known,
                    known in GENERIC,
                )
            )
        return self._with_numbers(folded, found)

    def _with_numbers(self, text: str, found: list[Mention]) -> list[Mention]:
        """Also the classes that are numbers, unless a wording holds the number: *four stars*."""
        numbers = [
            Mention(n.start, n.end, n.label, _spelled(text, n.start, n.end), n.everyday)
            for n in self._numbers.find(text)
            if not any(m.start < n.end and n.start < m.end for m in found)
        ]
        return sorted([*found, *numbers], key=lambda m: m.start) if numbers else found

    def _means_other(self, text: str, match: re.Match[str], word: str) -> bool:
        """*She left the room*: is the word part of an expression in which it names no class?"""
        around = self._senses[word].finditer(text, max(0, match.start() - _FAR), match.end() + _FAR)
        return any(sense.start() <= match.start() and match.end() <= sense.end() for sense in around)

    def _known(self, word: str) -> str | None:
        for form in (word, word.removesuffix(" american"), word.removesuffix(" americans")):
            for tail in ("", "'s", "s'", "s"):
                if form.endswith(tail) and form[: len(form) - len(tail)] in self.labels:
                    return form[: len(form) - len(tail)]
        return None


def _both(labels: Mapping[str, str]) -> list[str]:
    """Chinese wordings that name two classes in one: 左手 and 右手 make 左右手."""
    han = [word for word in labels if len(word) > 1 and is_han(word)]
    return [
        first[0] + second
        for first in han
        for second in han
        if first[1:] == second[1:] and labels[first] != labels[second]
    ]


def _spelled(text: str, start: int, end: int) -> str:
    """A number as found; with the character before it where that is Chinese, by whose rules it is then read."""
    before = text[:start].rstrip()[-1:]
    return (before if is_han(before) else "") + text[start:end]


def key(wording: str) -> str:
    """The form under which wordings are compared: hyphens are spaces, spaces are single."""
    return " ".join(re.sub(r"(?<=\w)[-‑/](?=\w)", " ", fold(wording)).split())


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    """One pattern for all wordings, the longest first; a wording that begins or ends in a letter stands alone."""
    kinds: dict[tuple[bool, bool], list[str]] = {}
    for word in sorted(words, key=len, reverse=True):
        ends = (re.match(LETTER, word) is not None, re.search(rf"{LETTER}\Z", word) is not None)
        kinds.setdefault(ends, []).append(r"(?:[ \t]+|\s*[-/]\s*)".join(map(re.escape, word.split())))
    left = rf"(?<!{LETTER})(?<!{LETTER}['-])"
    right = rf"(?:'s|s'|s)?(?:[ -]americans?)?(?!{LETTER})(?!['-]{LETTER})"
    parts = [
        f"{left if begins else ''}(?:{'|'.join(bodies)}){right if ends else ''}"
        for (begins, ends), bodies in kinds.items()
    ]
    return re.compile("|".join(parts) or r"(?!)")


def is_han(word: str) -> bool:
    """True for a wording written in Han characters."""
    return re.search(rf"[{HAN}]", word) is not None
