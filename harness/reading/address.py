"""What shows a main person's gender without a pronoun: how they are addressed, and what a narrator says of themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.reading import grammar, people
from harness.reading.text import clean, vocabulary

if TYPE_CHECKING:
    from harness.reading.person import Person

_APPOSED = r"|\bi [^.!?;]{0,60}, (?:a|an|the) (?:[\w-]+ ){0,3}?"
"""*I drove home, a proud woman*."""
_SELF = (
    r"\b(?:i'm|i am|i was|as|became|becoming|being|made me|call me|called me|makes me|i've always been)\s+"
    r"(?:(?:just |only |also |still |proud to be |not just |now )*"
    r"(?:a|an|the|the only|the first|one of the (?:few|only)|\w+ months)\s+|(?=pregnant))(?:[\w-]+ ){0,3}?"
)
_MALE = (
    r"(?:male|man|guy|father|dad|husband|boy|son|brother|grandfather|widower|uncle|gentleman|fella|fellow)\b"
    r"(?! of (?:all|the) trades)"
)
_FEMALE = (
    r"(?:female|pregnant|woman|girl|mother|mom|mum|wife|lady|daughter|sister|grandmother|widow|aunt|waitress|"
    r"actress|seamstress)\b"
)
_NAMED_SELF = re.compile(
    r"\b(?i:my name is|my name's|call me|calls me|called me|i'm|i am|named me|name tag said|badge said|"
    r"introduced myself as)\s+([A-Z][a-z]+)\b"
)
_ADDRESSED = re.compile(
    r"\"[^\"]*\b(sir|mister|ma'am|madam|miss|young man|big guy|young lady|mr|mrs|ms|dad|daddy|grandpa|mom|mum|"
    r"mommy|mummy|mama|grandma|lady|son|daughter|girl|boy|buddy|bro|brother|sister|man)\b"
    r"[^\"]*\"(?!\s*,?\s*(?:i|I)\s+(?:said|asked|told|replied|answered|whispered|called|shouted|say))",
    re.I,
)
_CALLED = re.compile(
    r"\b(?:calls?|called|calling) me (?:the )?\W?(mr|mrs|ms|miss|sir|ma'am|mister|dad|mom|mum)\b", re.I
)
_ADDRESS = {
    "m": vocabulary("sir mister mr dad daddy grandpa son boy") | {"young man", "big guy"},
    "f": vocabulary("ma'am madam miss mrs ms mom mum mommy mummy mama grandma lady girl daughter")
    | {"young lady"},
}
_LIKE_ME = re.compile(r"\b(woman|girl|lady|mother|man|guy|boy|father|fellow) like me\b", re.I)
_HONORIFIC = re.compile(
    r"(?:^|,\s*|\b(?:yes|no|thank you|thanks|excuse me|sorry|please|hello|good (?:morning|evening|afternoon|night))\s+)"
    r"(sir|mister|ma'am|madam|miss|young man|young lady)(?=\s*[,.!?]|\s*$)",
    re.I,
)
_SPEECH = re.compile(r"\"([^\"]*)\"([^\".!?]*)")


def addressed(text: str, lead: Person) -> str:
    """m or f where others call the main person sir or ma'am, or by a title; '' where nobody does."""
    plain = clean(text)
    found: set[str] = set()
    for said, attribution in _SPEECH.findall(plain):
        words = re.findall(r"[a-z]+", attribution.lower())
        speaker = grammar.SAID & set(words) and not {"he", "she", "i", lead.head, *lead.named.split()} & set(
            words
        )
        for word in _HONORIFIC.findall(said) if speaker else ():
            found |= {sex for sex in "mf" if word.lower() in _ADDRESS[sex]}
    for name in lead.named.split():
        for title in re.findall(rf"\b(mr|mrs|ms|miss)\.? (?:\w+ )?{re.escape(name)}\b", plain, re.I):
            found |= {sex for sex in "mf" if title.lower() in _ADDRESS[sex]}
    return found.pop() if len(found) == 1 else ""


_BODILY = {
    "m": re.compile(
        r"\b(?:my (?:\w+ )?(?:beard|moustache|mustache|prostate|five o'clock shadow)|i (?:was shaving|shave "
        r"my face|hadn't shaved))\b",
        re.I,
    ),
    "f": re.compile(
        r"\b(?:my (?:\w+ )?(?:pregnancy|maternity leave|bra|lipstick|high heels|period|c-section)|i (?:was|"
        r"am) breastfeeding)\b",
        re.I,
    ),
}


def narrator(text: str) -> tuple[str, str]:
    """First person: only what the text reveals."""
    plain = clean(text)
    spoken = re.sub(r"\"[^\"]*\"", " ", plain)
    found = {
        sex
        for sex, noun in (("m", _MALE), ("f", _FEMALE))
        if re.search(rf"(?:{_SELF}{_APPOSED}){noun}", spoken, re.I)
    }
    if len(found) == 1:
        return found.pop(), "the narrator says so"
    told = [sex for sex, sign in _BODILY.items() if sign.search(spoken)]
    if len(told) == 1:
        return told[0], "what the narrator tells of the body"
    like = {
        sex for word in _LIKE_ME.findall(plain) for sex in "mf" if people.noun_gender(word.lower()) == sex
    }
    if len(like) == 1:
        return like.pop(), "what the narrator is called"
    for name in _NAMED_SELF.findall(plain):
        sex = people.first_names().get(name.lower(), "")
        if sex:
            return sex, "the narrator's name"
    addressed = {
        sex
        for word in [*_ADDRESSED.findall(plain), *_CALLED.findall(plain)]
        for sex in "mf"
        if word.lower() in _ADDRESS[sex]
    }
    if len(addressed) == 1:
        return addressed.pop(), "how the narrator is addressed"
    return "", "told in the first person"
