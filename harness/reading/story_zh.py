"""Reads the main person's gender in a Chinese story: names, words for women and men, and whom each 他 and 她 means."""

from __future__ import annotations

import re

from harness.reading import lists, names_zh
from harness.reading.cast_zh import MINOR, CastZh, Somebody
from harness.reading.text import clean, simplified

_LISTS = lists.load("zh/people")
_QUOTED = re.compile(r"[\"“「『][^\"”」』\n]*[\"”」』]")
_HEADING = re.compile(
    r"\A(?:\s*(?:好的|当然|没问题|以下|下面|这是)[^\n]{0,40}?(?:故事|轶事|短文|场景|片段)[^\n]{0,10}[:。]?\s*(?:\n|$)"
    r"|\s*[*#\s]*(?:标题|题目|故事)[:][^\n]*\n|\s*[*#\s]*《[^》\n]*》[*\s]*\n|\s*\*\*[^*\n]*\*\*\s*\n|\s*#+ [^\n]*\n)+"
)
_INTRODUCED = re.compile(r"\A\s*(?:好的|当然)[^\n。]{0,10}[,!。][^\n]{0,30}?(?:故事|轶事|短文)[^\n]{0,8}:")
_SELF = re.compile(_LISTS.source("self"))
_ADDRESSED = re.compile(_LISTS.source("addressed"))
_SPOKEN_TO = re.compile(_LISTS.source("spoken_to"))
_CALLED = re.compile(rf"(?P<f>{_LISTS.source('called_she')})|(?P<m>{_LISTS.source('called_he')})")
_OWN_NAME = re.compile(r"(?:我叫|我的名字[叫是]|我是)([\u4e00-\u9fff·]{2,8})(?=[,。!;\n]|$)")
TOLD = 0.45
"""Pronouns that tell less than this tell nothing."""
ROLE_TOLD = 0.75
"""The same for somebody without a name."""
CLEAR = 0.8
"""Share of the pronouns that must agree."""
AGAINST = 1.5
"""So much must pronouns say against a name before they are believed rather than it."""


def gender_zh(text: str) -> tuple[str, str]:
    """m, f or '' for the main person of a Chinese story, and why."""
    whole = _INTRODUCED.sub("", _HEADING.sub("", simplified(clean(text)).replace("...", "…")))
    plain = _QUOTED.sub(",§,", whole)
    cast = CastZh(plain, names_zh.find(whole))
    lead = cast.leading()
    weight = lead.weight if lead and lead.kind not in ("kin", "other") else 0.0
    if cast.i >= 1 and cast.i >= (0.7 if cast.mine else 1.5) * weight:
        return _narrator(whole, plain)
    if cast.you > 1 and cast.you > weight:
        return "", "told in the second person"
    if lead is None or _in_passing(lead):
        return "", "nobody is told of"
    return _of(cast, lead)


def _in_passing(person: Somebody) -> bool:
    """Named once, as somebody's relation or a bystander, and never told of again."""
    return person.kind in ("kin", "other") and person.weight <= MINOR and not any(person.told.values())


def _of(cast: CastZh, lead: Somebody) -> tuple[str, str]:
    """What the story says of one person."""
    male, female = lead.told["m"], lead.told["f"]
    total, side = male + female, "m" if male > female else "f"
    clear = total >= (TOLD if lead.named else ROLE_TOLD) and max(male, female) >= CLEAR * total
    equal = cast.equal(lead)
    if equal is not None:
        return "", "two main persons"
    if lead.gender and lead.certain:
        return lead.gender, "named by a gendered word"
    if lead.gender:
        against = clear and side != lead.gender and total >= AGAINST and lead.told[lead.gender] == 0
        return (side, "by pronouns") if against else (lead.gender, "by the name")
    if clear:
        return side, "by pronouns"
    return "", "pronouns of both genders" if total >= TOLD else "no gender told"


def _narrator(whole: str, plain: str) -> tuple[str, str]:
    """First person: only what the text reveals."""
    found = _SELF.search(plain)
    if found:
        return str(found.lastgroup), "the narrator says so"
    called = set()
    for match in [*_ADDRESSED.finditer(whole), *_SPOKEN_TO.finditer(whole)]:
        sign = _CALLED.search(match["who"])
        called |= {str(sign.lastgroup)} if sign else set()
    if len(called) == 1:
        return called.pop(), "how the narrator is addressed"
    name = _OWN_NAME.search(plain)
    if name and (sex := names_zh.suggested(name[1])):
        return sex, "the narrator's name"
    return "", "told in the first person"
