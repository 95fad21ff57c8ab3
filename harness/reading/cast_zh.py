"""Finds the persons of a Chinese story and whom each 他 and 她 means, by rules like those for English."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from harness.reading import lists, names_zh

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["name", "role", "other", "kin", "animal", "pronoun"]
_LISTS = lists.load("zh/people")
_WORDS = (
    rf"(?P<group>{_LISTS.source('group')})|(?P<animal>{_LISTS.source('animal')})"
    rf"|(?P<kin_m>{_LISTS.source('male_kin')})|(?P<kin_f>{_LISTS.source('female_kin')})"
    rf"|(?P<name>{_LISTS.source('name')})|(?P<other>{_LISTS.source('neutral')})|(?P<role>{_LISTS.source('role')})"
    r"|(?P<he>(?<!其)他(?!们|人|乡))|(?P<she>她(?!们))|(?P<we>我们)|(?P<i>我)|(?P<you>你(?!们))|(?P<stop>[,:、])|(?P<end>[。!?;\n…])"
)
_CALLED = re.compile(rf"(?P<f>{_LISTS.source('called_she')})|(?P<m>{_LISTS.source('called_he')})")
_SEXED = re.compile(r"(?P<f>女)|(?P<m>男)")
_BEING = re.compile(
    r"(?:(?<!的)是|当|做|成为?了?|作为|身为|任|评为|像|叫做?|名叫|名为|姓)(?!.*的是)[^,。]{0,14}$"
)
_GOES_ON = re.compile(r"是|当|作为|身为|成")
"""A clause that says what the subject before it is."""
_NAMED = re.compile(r"(?:名叫|叫做|叫作|名为|名字[叫是]|叫|姓)[做作]?\"?§?$")
_OBJECT = re.compile(
    r"(?:[供给对向把被帮和跟与替带见叫让请问找送教抱陪有住着了到为往]|看)(?:一[个位名])?[^,。]{0,6}$"
)
"""What stands before a person who is no subject."""
_TOLD_OF = re.compile(r"(?:说|道|想|觉得|认为|知道|称|问)$")
_BOTH = re.compile(r"两[个人]|他们|夫妻|一起|各自|彼此")
LEAD, FIRST, OTHER = 30.0, 10.0, 35.0
ROLE = 20.0
START = 3.0
DOUBT = 0.3
MINOR = 0.6
"""Weight of a mention of a relation or a bystander; a main person's is 1."""
NEAR = 4
"""For so many sentences a person may still be meant."""


@dataclass(slots=True, eq=False)
class Somebody:
    """A person, or an animal that a pronoun may mean."""

    kind: Kind
    gender: str = ""
    certain: bool = False
    """The gender comes from a noun or title, not from a name."""
    words: set[str] = field(default_factory=set)
    born: int = 0
    last: int = 0
    weight: float = 0.0
    told: dict[str, float] = field(default_factory=lambda: {"m": 0.0, "f": 0.0})
    paired: bool = False
    passing: bool = False
    """Brought in to say the first line: not yet whom the story is about."""

    @property
    def named(self) -> bool:
        """Whether a name is known."""
        return self.kind == "name"


class CastZh:
    """Reads a story once, from front to back."""

    def __init__(self, plain: str, names: Mapping[str, str]) -> None:
        self.people: list[Somebody] = []
        self.i = 0.0
        self.mine = False
        """The *I* came first."""
        self.you = 0
        self._fresh = True
        """A sentence begins."""
        self._names = names
        self._together = _BOTH.search(plain) is not None
        self._number = 0
        self._subject: Somebody | None = None
        """Of the clause before, or of this one."""
        self._own: Somebody | None = None
        """Of this clause; None before its first person."""
        self._met: Somebody | None = None
        """Who was named last."""
        known = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        pattern = re.compile(
            (rf"(?P<full>(?:{known})(?:{_LISTS.source('titles')})?)|" if known else "") + _WORDS
        )
        start = end = 0
        for found in pattern.finditer(plain):
            kind, before = str(found.lastgroup), plain[start : found.start()]
            if kind in ("stop", "end"):
                self._own = None
                self._fresh = kind == "end"
                self._number += kind == "end"
                start = found.end()
            elif kind in ("he", "she"):
                self._pronoun("m" if kind == "he" else "f", before, plain[found.end() : found.end() + 1])
            elif kind in ("i", "we"):
                self.mine = self.mine or not self.people
                self.i += 1.0 if not before else 0.7
            elif kind == "you":
                self.you += 1
            elif kind != "group":
                self._noun(
                    kind,
                    found.group(),
                    before,
                    plain[found.end() : found.end() + 4],
                    joined=found.start() == end,
                )
                end = found.end()

    # Nouns and names

    def _noun(self, kind: str, word: str, before: str, after: str, *, joined: bool) -> None:
        gender, certain = self._sex(kind, word)
        person = next((p for p in self.people if word in p.words), None)
        owned = re.search(r"[他她我]的?$", before) is not None or (
            kind.startswith("kin") and before.endswith("的")
        )
        if person is None and kind == "full":
            person = next(
                (
                    p
                    for p in self.people
                    if any(word.startswith(w) or w.startswith(word) for w in p.words if p.named)
                ),
                None,
            )
        if person is None and not owned:
            person = self._known(kind, gender, before, after, joined=joined)
        if person is None:
            person = Somebody(self._kind(kind), born=self._number)
            person.passing = not self.people and after[:1] in ("说", "道", "问", "喊")
            self.people.append(person)
        elif kind in ("full", "name") and person.kind in ("role", "other", "pronoun", "kin"):
            if person.kind == "pronoun" and _NAMED.search(before) and min(person.told.values()) == 0:
                # "她叫王大勇": what the name suggests does not count.
                person.gender, person.certain = max(person.told, key=lambda sex: person.told[sex]), True
            if person.kind != "kin" or joined:
                person.kind = "name"
        elif kind == "role" and person.kind == "pronoun":
            person.kind = "role"
        if gender and (not person.gender or (certain and not person.certain)):
            person.gender, person.certain = gender, certain
        person.words.add(word)
        self._mention(
            person, subject=self._own is None and not _OBJECT.search(before) and not after.startswith("的")
        )
        if re.search(r"[和与]$", before) and self._met is not None and self._met is not person:
            person.paired = self._met.paired = True
        self._met = person

    def _sex(self, kind: str, word: str) -> tuple[str, bool]:
        if kind in ("kin_m", "kin_f"):
            return kind[-1], True
        if kind == "animal":
            return ("f" if word[0] in "母蜂" else "m" if word[0] == "公" else ""), True
        sexed = _SEXED.match(word) if kind in ("role", "other") else _CALLED.search(word[1:])
        if sexed:
            return str(sexed.lastgroup), True
        return (
            self._names.get(word, "") or names_zh.suggested(word) if kind in ("full", "name") else ""
        ), False

    def _kind(self, kind: str) -> Kind:
        if kind.startswith("kin"):
            return "kin"
        if kind == "animal":
            return "animal"
        if kind == "other":
            return "other"
        return "name" if kind in ("full", "name") else "role"

    def _known(self, kind: str, gender: str, before: str, after: str, *, joined: bool) -> Somebody | None:
        """Somebody who is there already and whom a new word means: *护士林梅*, *她是护士*, *叫小刚的男孩*."""
        met, name = self._met, kind in ("full", "name")
        if met is not None and self._fits(met, gender):
            if joined and not (met.named and name):
                return met
            if before == "的" and kind.startswith("kin") and met.named and not met.gender:
                return met
        if name and _NAMED.search(before):
            near = (p for p in (self._own, met, self._subject) if p is not None)
            return next((p for p in near if not p.named and self._fits(p, gender)), None)
        if kind in ("role", "kin_m", "kin_f") and _BEING.search(before):
            whose = self._subject if _GOES_ON.match(before) else self._own
            ends = not after or after[0] in ",。!?;:的\n"
            if whose is not None and ends and self._fits(whose, gender):
                return whose
        return self._unnamed(kind, gender) if self._own is None else None

    def _unnamed(self, kind: str, gender: str) -> Somebody | None:
        """Whom pronouns or a role have meant so far, where nothing has named them yet."""
        lead, name = self.leading(), kind in ("full", "name")
        if lead is None or lead.named or not (name or kind == "role") or not self._fits(lead, gender):
            return None
        if lead.kind != "pronoun" and not (name and lead.kind == "role" and lead.born == self._number):
            return None
        told = max(lead.told, key=lambda sex: lead.told[sex])
        return lead if not gender or lead.told[told] == 0 or told == gender else None

    def _fits(self, person: Somebody, gender: str) -> bool:
        return person.kind != "animal" and (
            not gender or not person.gender or person.gender == gender or not person.certain
        )

    # Pronouns

    def _pronoun(self, sex: str, before: str, after: str) -> None:
        opening = self._own is None and not _OBJECT.search(before)
        other = "f" if sex == "m" else "m"
        found = sorted(
            (
                (self._salience(p, sex, other, opening=opening, before=before, owns=after == "的"), p)
                for p in self.people
                if not (p.certain and p.gender == other) and self._number - p.last <= NEAR
            ),
            key=lambda pair: -pair[0],
        )
        if not found or (found[0][0] < 0 and not any(p.kind == "pronoun" for p in self.people)):
            person = Somebody("pronoun", born=self._number)
            self.people.append(person)
            sure = 0.8
        else:
            person = found[0][1]
            margin = found[0][0] - (found[1][0] if len(found) > 1 else 0.0)
            sure = min(1.0, max(0.1, margin / 50))
            if len(found) > 1 and not person.gender and found[1][1].gender == sex and found[1][0] > 20:
                # A man is near whom a 他 may mean, and of this person nothing is known.
                sure *= 0.4
        if (
            person.kind == "role"
            and not person.gender
            and any(
                p is not person and p.gender in ("", sex) and p.last == self._number and p.kind != "animal"
                for p in self.people
            )
        ):
            # "厨师…。客人把菜退了回来,她说": who has just come in may well be meant.
            sure *= DOUBT
        elif self.people[-1] is not person and self._just_came(person, sex):
            sure *= DOUBT
        person.told[sex] += sure * (1.0 if opening else 0.7)
        self._mention(person, subject=opening, share=sure)

    def _just_came(self, person: Somebody, sex: str) -> bool:
        """Has this sentence brought in somebody else whom the pronoun fits, and is nothing known of the person?"""
        new = self.people[-1]
        known = person.gender or person.told[sex] >= 1
        fits = new is self._met and new.kind == "other" and new.gender in ("", sex)
        return not known and fits and new.born == self._number

    def _salience(
        self, p: Somebody, sex: str, other: str, *, opening: bool, before: str, owns: bool
    ) -> float:
        """How likely a pronoun means a person, on a scale of its own."""
        value = 50 * 0.6 ** (self._number - p.last)
        value += 40 if p is self._subject else 0
        lead = self.leading()
        sure = lead is not None and lead.named
        if p is lead:
            value += (LEAD + (FIRST if opening and self._fresh else 0)) if sure else ROLE
        value += 12 if p is self._met and p.last == self._number else 0
        if p.gender:
            value += 50 if p.gender == sex else -70
        if p.told[sex] > p.told[other]:
            value += 30
        elif p.told[other] > p.told[sex]:
            value -= 90
        value -= {"animal": 30, "other": OTHER if sure else 5, "kin": 5}.get(p.kind, 0)
        if not opening and p is self._own and not owns and not _TOLD_OF.search(before):
            value -= 90  # the subject of a clause is not its object
        if not opening and owns and p is self._own:
            value -= 30
        return value

    # Bookkeeping

    def _mention(self, person: Somebody, *, subject: bool, share: float = 1.0) -> None:
        person.last = self._number
        minor = {"other": MINOR, "kin": MINOR, "animal": 0.0}.get(person.kind, 1.0)
        person.weight += share * minor * (1.0 if subject else 0.4)
        if subject:
            self._own = self._subject = person

    def leading(self) -> Somebody | None:
        """Whom the story is about so far: the first person met has a start over the others."""
        cast = [p for p in self.people if p.kind in ("name", "role", "pronoun")] or [
            p for p in self.people if p.kind != "animal"
        ]
        first = next((p for p in cast if not p.passing), None)
        return max(cast, key=lambda p: p.weight + (START if p is first else 0.0), default=None)

    def equal(self, lead: Somebody) -> Somebody | None:
        """Somebody of another gender whom the story is as much about."""
        return next(
            (
                p
                for p in self.people
                if p is not lead
                and p.paired
                and lead.paired
                and p.named
                and p.gender
                and lead.gender
                and p.gender != lead.gender
            ),
            None,
        )
