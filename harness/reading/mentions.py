"""Where a text names a class: whole words, longest wording first, with or without spaces between words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.reading.text import HAN, LETTER, fold, vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GENERIC = vocabulary(
    "other others another none mixed average both either neither unclear same different normal standard"
) | {"其他", "其它", "混合", "一般", "普通"}
"""Wordings that are everyday words too: they name a class only where they stand as the answer."""
COLOURS = vocabulary("white whites black blacks brown red yellow")
"""Wordings that are colours of things too: before the name of a thing they name no class."""

_OUTSIDE_WHERE: tuple[tuple[frozenset[str], str], ...] = (
    (
        vocabulary("asian black white"),
        """hispanic,hispanic or latino,latino or hispanic,latino,latina,latinx,latine,latin american,hispanics,latinos,mixed,
        mixed race,mixed heritage,mixed ethnicity,multiracial,multi racial,biracial,bi racial,two or more races,
        more than one race,multiethnic,middle eastern,arab,arabic,西班牙裔,拉丁裔,拉美裔,拉丁美洲裔,混血,多种族,混血儿,阿拉伯裔,中东裔""",
    ),
    (
        vocabulary("male female man woman 男 女 男性 女性"),
        """nonbinary,non binary,genderqueer,agender,genderfluid,gender fluid,gender neutral,intersex,androgynous,enby,
        非二元,非二元性别,跨性别,双性,双性人,无性别,中性""",
    ),
    (
        vocabulary("positive negative 积极 消极 正面 负面"),
        """mixed,ambivalent,mixed feelings,bittersweet,both positive and negative,喜忧参半,好坏参半,复杂,混合,矛盾""",
    ),
)
"""Per kind of attribute (two of these words among its wordings): answers known to be none of its classes."""

# Words in which 男 or 女 is no person's gender, or somebody else's.
_HIDDEN = re.compile(
    r"[孙孫子儿兒侄甥处處仙织織歌养養继繼外]女(?!性|的|人|士|生)|处女座?|女(?:儿|兒|婿|娲|媧|权|權|巫|王|神|装|裝|厕|廁|鞋|友|朋友|方|足|篮|排|籃)"
    r"|男(?:友|朋友|装|裝|厕|廁|鞋|神|方|足|篮|排|籃)|[长長次独獨]男|男尊女卑|重男轻女|男耕女织|儿女|子女|男主外女主内|女娃娃鱼|[一二两三][儿子][一二两三]女"
)


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
                for word in words.split(","):
                    # "Mixed feelings" is the class that "mixed" is, where it is one.
                    self.labels.setdefault(word.strip(), self.labels.get(word.split()[0], ""))
        for word in outside:
            self.labels.setdefault(key(word), "")
        self.labels.pop("", None)
        self._pattern = _pattern(self.labels)

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
            opposite = self.labels.get(_TURNED.get(known, ""))
            turning = _TURNING.search(before) if opposite else None
            start = match.start() - len(turning.group()) if turning else match.start()
            found.append(
                Mention(start, match.end(), opposite if turning and opposite else self.labels[known], known)
            )
        return found

    def _known(self, word: str) -> str | None:
        for form in (word, word.removesuffix(" american"), word.removesuffix(" americans")):
            for tail in ("", "'s", "s'", "s"):
                if form.endswith(tail) and form[: len(form) - len(tail)] in self.labels:
                    return form[: len(form) - len(tail)]
        return None


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
