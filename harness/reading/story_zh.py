"""Reads the main person's gender in a Chinese story: 他 and 她 outside speech, and words for women and men."""

from __future__ import annotations

import re

from harness.reading import lists
from harness.reading.text import clean, simplified

_QUOTED = re.compile(r"[\"“「『][^\"”」』]*[\"”」』]")
_LISTS = lists.load("zh/people")
_WORD = re.compile(
    rf"(?P<m>{_LISTS.source('male_kin')})|(?P<f>{_LISTS.source('female_kin')})|(?P<n>{_LISTS.source('neutral')})"
    r"|(?P<he>他(?!们))|(?P<she>她(?!们))|(?P<stop>[,。!?;:\n])"
)
_NOUN = re.compile(rf"(?P<f>{_LISTS.source('woman')})|(?P<m>{_LISTS.source('man')})")
_SELF = re.compile(
    r"(?:我是|作为|身为)(?:一[个名位])?[^,。]{0,6}(?:(?P<f>女|母亲|妈妈|妻子|姑娘)|(?P<m>男|父亲|爸爸|丈夫|小伙))"
)


def gender_zh(text: str) -> tuple[str, str]:
    """m, f or '' for the main person of a Chinese story, and why."""
    plain = _QUOTED.sub(",", simplified(clean(text)))
    told = _told(plain)
    total = told["m"] + told["f"]
    narrator = len(re.findall(r"我(?!们)", plain))
    if narrator >= 2 * total and narrator > 0:
        found = _SELF.search(plain)
        return (str(found.lastgroup) if found else ""), "told in the first person"
    noun = _NOUN.search(re.split(r"[。!?\n]", plain.strip())[0])
    if noun and not re.search(r"(?:他|她|我|的)$", plain[: plain.find(noun.group())]):
        sex = str(noun.lastgroup)
        if told[sex] >= total / 2:
            return sex, "named by a gendered word"
    if total and max(told.values()) / total >= 0.65:
        return max(told, key=lambda sex: told[sex]), "by pronouns"
    return "", "pronouns of both genders" if total else "no gender told"


def _told(plain: str) -> dict[str, float]:
    """What the pronouns say of the main person: those that may mean somebody met since count for little."""
    told = {"m": 0.0, "f": 0.0}
    met = ""
    opening = True
    for word in _WORD.finditer(plain):
        kind = str(word.lastgroup)
        if kind == "stop":
            opening = True
            continue
        if kind in ("m", "f", "n"):
            # "她的丈夫": the pronoun before a relation is its owner's and has been counted.
            met = kind
        else:
            sex, other = ("m", "f") if kind == "he" else ("f", "m")
            theirs = met == sex or (met == "n" and told[other] > told[sex])
            told[sex] += 0.1 if theirs else 1.0 if opening else 0.6
            if not theirs and met != "n":
                met = met if met == other else ""
        opening = False
    return told
