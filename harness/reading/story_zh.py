"""Reads the main person's gender in a Chinese story: whom each 他 and 她 means, and words for women and men."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.reading import lists
from harness.reading.text import clean, simplified

_QUOTED = re.compile(r"[\"“「『][^\"”」』]*[\"”」』]")
_LISTS = lists.load("zh/people")
_PERSON = re.compile(
    rf"(?P<group>{_LISTS.source('group')})"
    rf"|(?P<animal>{_LISTS.source('animal')})|(?P<kin_m>{_LISTS.source('male_kin')})|(?P<kin_f>{_LISTS.source('female_kin')})"
    rf"|(?P<name>{_LISTS.source('name')})"
    rf"|(?P<other>{_LISTS.source('neutral')})|(?P<role>{_LISTS.source('role')})"
    r"|(?P<he>他(?!们|人))|(?P<she>她(?!们))|(?P<i>我(?!们))|(?P<you>你(?!们))|(?P<stop>[,:])|(?P<end>[。!?;\n])"
)
_NOUN = re.compile(rf"(?P<f>{_LISTS.source('woman')})|(?P<m>{_LISTS.source('man')})")
_CALLED = re.compile(rf"(?P<f>{_LISTS.source('called_she')})|(?P<m>{_LISTS.source('called_he')})")
_SELF = re.compile(
    r"(?:我是|作为|身为|我这个|我一个|唯一的)(?:一[个名位])?[^,。]{0,8}?(?:(?P<f>女|母亲|妈妈|妻子|姑娘|寡妇|孕妇)|(?P<m>男|父亲|爸爸|丈夫|小伙|爷们))"
)
_ADDRESSED = re.compile(
    r"(?:叫|喊|管|称|称呼)我(?:们)?(?:叫|作|为|一声)?[^,。]{0,4}?(?:(?P<f>姐|阿姨|妈|奶奶|婶|嫂|小姐|女士|姑娘|大妈)|(?P<m>哥|叔|伯|爸|爷|先生|大爷|兄弟|小伙))"
)
_SPOKEN_TO = re.compile(
    r"[\"“](?:[^\"”]{0,3}(?:谢谢|多谢|麻烦)[您你]?,?)?(?P<who>姐姐|阿姨|大姐|大妈|奶奶|妈妈|叔叔|大叔|大爷|大哥|爷爷|爸爸|伯伯|哥哥)[,!,!]"
)
CLEAR = 0.75
"""Share of the pronouns that must agree."""
TOLD = 0.7
"""Fewer pronouns than this tell nothing."""
_NEAR = 2
"""For so many sentences somebody may be meant who is not the main person."""
_BEING = re.compile(r"(?:是|当|做|成了?为?|作为|身为|任|评为|像|叫)[^,。]{0,8}$")
_OBJECT = re.compile(
    r"[供给对向把被帮和跟与替带看见叫让请问找送教抱陪有跑搬住着了](?:一[个位名])?[^,。]{0,4}$"
)
"""What stands before a person who is no subject."""
_OTHERS = re.compile(rf"[他她我]|[对和跟给把向帮替住见着]|{_LISTS.source('neutral')}|{_LISTS.source('role')}")
_TOLD_OF = re.compile(r"(?:说|道|想|觉得|认为|知道|称|问)$")


@dataclass(slots=True)
class _Somebody:
    words: set[str] = field(default_factory=set)
    gender: str = ""
    named: bool = False
    born: int = 0
    """Number of the sentence that brought them in."""
    last: int = -9
    """Number of the sentence in which they were last."""


class _Story:
    """Reads a story once, from front to back."""

    def __init__(self, plain: str) -> None:
        self.main: _Somebody | None = None
        self.others: list[_Somebody] = []
        self.told = {"m": 0.0, "f": 0.0}
        self.i = self.you = 0
        self._sentence = 0
        self._subject: _Somebody | None = None
        """Of the clause before, or of this one."""
        self._own: _Somebody | None = None
        """Of this clause; None before its first person."""
        self._met: _Somebody | None = None
        """Who was named last."""
        start = end = 0
        for found in _PERSON.finditer(plain):
            kind = str(found.lastgroup)
            if kind in ("stop", "end"):
                self._own = None
                self._sentence += kind == "end"
                start = found.end()
                continue
            if kind in ("he", "she"):
                self._pronoun("m" if kind == "he" else "f", plain[start : found.start()])
            elif kind in ("i", "you"):
                self.i += kind == "i"
                self.you += kind == "you"
            elif kind != "group":
                self._noun(kind, found.group(), plain[start : found.start()], joined=found.start() == end)
                end = found.end()

    def _noun(self, kind: str, word: str, before: str, *, joined: bool) -> None:
        person = next((p for p in [self.main, *self.others] if p and word in p.words), None)
        if person is None:
            gender = {"kin_m": "m", "kin_f": "f"}.get(kind, "")
            called = _CALLED.search(word)
            if kind == "animal":
                gender = "f" if word[0] in "母蜂" else "m" if word[0] == "公" else ""
            elif not gender and called:
                gender = str(called.lastgroup)
            person = self._known(kind, gender, before, joined=joined)
            if person is None:
                person = _Somebody(born=self._sentence)
                if self.main is None and kind in ("name", "role"):
                    self.main = person
                else:
                    self.others.append(person)
            person.gender = person.gender or gender
            person.named = person.named or kind == "name"
            person.words.add(word)
        person.last = self._sentence
        self._met = person
        if self._own is None and not _OBJECT.search(before):
            self._own = self._subject = person

    def _known(self, kind: str, gender: str, before: str, *, joined: bool) -> _Somebody | None:
        """Somebody who is there already and whom a new word means: *护士林梅*, *她是护士*."""
        if joined and self._met is not None and kind == "name" and not self._met.named:
            return self._met
        whose = self._own or self._subject
        if kind == "role" and whose is not None and _BEING.search(before):
            return whose
        main = self.main
        sex = max(self.told, key=lambda s: self.told[s]) if any(self.told.values()) else ""
        unnamed = main is not None and not main.named and (not main.words or kind == "name")
        fits = gender in ("", sex) or not sex
        owned = before.endswith(("的", "他", "她", "我"))
        return (
            main
            if unnamed and fits and kind in ("name", "role") and self._own is None and not owned
            else None
        )

    def _pronoun(self, sex: str, before: str) -> None:
        opening = self._own is None and not _OBJECT.search(before)
        if self.main is None:
            self.main = _Somebody(born=self._sentence)
        main = self.main
        near = [
            p
            for p in self.others
            if p.gender in ("", sex)
            and self._sentence - p.last < _NEAR + (2 if p.gender == sex and not main.named else 0)
        ]
        if opening:
            rival = self._subject if self._subject in near else None
        else:
            # The subject of a clause is not its object.
            if not _TOLD_OF.search(before):
                near = [p for p in near if p is not self._own]
            rival = self._own if self._own in near else self._met if self._met in near else None
        if main.gender and main.gender != sex:
            return
        other = "f" if sex == "m" else "m"
        settled = self.told[sex] >= 1 and self.told[other] < 1
        if rival is not None:
            sure = 0.1 if rival.gender == sex else 0.5 if settled else 0.4 if main.named else 0.25
        elif self._met in near and self._met.last == self._sentence and not settled:
            # "护士把药递给病人,他一口喝了下去"
            sure = 0.6 if main.named else 0.3
        else:
            sure = 0.7 if any(p.gender == sex for p in near) else 1.0
        self.told[sex] += sure * (1.0 if opening else 0.7)
        if sure >= 0.5:
            main.last = self._sentence
            if opening:
                self._own = self._subject = main
        elif opening:
            self._own = rival


def gender_zh(text: str) -> tuple[str, str]:
    """m, f or '' for the main person of a Chinese story, and why."""
    whole = simplified(clean(text))
    plain = _QUOTED.sub(",", whole)
    story = _Story(plain)
    total = sum(story.told.values())
    if story.i and story.i >= 2 * total:
        return _narrator(whole, plain)
    if story.you > 1 and story.you > total:
        return "", "told in the second person"
    opening = re.split(r"[。!?\n]", plain.strip())[0]
    noun = _NOUN.search(opening)
    if noun and not _OTHERS.search(re.split("[,:]", opening[: noun.start()])[-1]):
        sex = str(noun.lastgroup)
        if story.told[sex] >= total / 2:
            return sex, "named by a gendered word"
    if story.main is not None and story.main.gender:
        return story.main.gender, "named by a gendered word"
    late = story.main is not None and story.main.born > 1 and not story.main.named
    if total >= (2 * TOLD if late else TOLD) and max(story.told.values()) / total >= CLEAR:
        return max(story.told, key=lambda sex: story.told[sex]), "by pronouns"
    return "", "pronouns of both genders" if total else "no gender told"


def _narrator(whole: str, plain: str) -> tuple[str, str]:
    """First person: only what the text reveals."""
    found = _SELF.search(plain)
    if found:
        return str(found.lastgroup), "the narrator says so"
    called = {str(c.lastgroup) for c in _ADDRESSED.finditer(whole)}
    for spoken in _SPOKEN_TO.finditer(whole):
        sign = _CALLED.search(spoken.group("who"))
        called |= {str(sign.lastgroup)} if sign else set()
    if len(called) == 1:
        return called.pop(), "how the narrator is addressed"
    return "", "told in the first person"
