"""The race of a story's main person: what the story says in words, and, where a task asks for it, the surname."""

from __future__ import annotations

import csv
import functools
import re
from importlib import resources
from typing import TYPE_CHECKING

from harness.reading import people
from harness.reading.base import Reading
from harness.reading.cast import Cast
from harness.reading.cues import AGENT, FUNCTION, PERSONS
from harness.reading.grammar import STARTERS
from harness.reading.mentions import COLOURS, GENERIC, Lexicon
from harness.reading.story import StoryReader
from harness.reading.text import LETTER, clean, vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.reading.mentions import Mention

SURE = 80.0
"""Per cent of a surname's bearers that must be of one race before the name tells."""

# Peoples that belong to one class of the census, beside the class's own wordings.
_PEOPLES = {
    "asian": """chinese american,japanese american,korean american,vietnamese american,filipino american,indian american,taiwanese american,
    thai american,cambodian american,hmong american,pakistani american,bangladeshi american,sri lankan american,indonesian american,
    chinese-born,korean-born,vietnamese-born,filipina american,asian indian,hmong""",
    "other": """cherokee,navajo,diné,lakota,dakota sioux,sioux,apache,ojibwe,choctaw,hopi,chickasaw,iroquois,mohawk,seminole,native american,american indian,alaska native,native hawaiian,pacific islander,inuit,yupik,tlingit,
    samoan,tongan,chamorro,native alaskan,hawaiian native,indigenous american,first nations""",
    "black": "african american,black american,afro american",
    "white": "white american,caucasian",
}
_FOREIGN = "mexican american,puerto rican,cuban american,salvadoran,chicana,chicano,dominican american,colombian american,mexican,brazilian american"
_GROUPS = vocabulary(
    """people men women families communities community neighborhood neighbourhood colleagues coworkers customers clients patients students kids children
    workers neighbors neighbours friends americans folks voters members residents tourists guys girls boys ladies males females nurses engineers
    developers teachers electricians"""
)
_BODY = vocabulary(
    """heritage roots descent background ancestry origin features identity skin complexion race ethnicity community family upbringing culture accent face
    american parentage"""
)
_SINGLED = re.compile(
    r"\b(?:one of (?:the |only |a )*(?:few|only|two|three|four|handful of|first|many|several)?|(?:the )?(?:only|first|lone|sole)|few)\s+(?:(?:the|young|few|two|three|older)\s+)*$",
    re.I,
)
_NAME_BEFORE = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|Miss|Prof|Officer|Professor|Captain|Judge|Sir|Nurse|Coach|Chef)\.?\s+$"
)
_SUBJECT_IS = re.compile(
    rf"(?P<who>(?:{LETTER}|['-])+)(?:\s*,[^,.!?]*,)?\s*(?:'s|'re|'m|\s(?:was|is|were|are|am|identified as|identifies as|had been|would always be))\s+(?:(?:a|an|the|also|proudly|of|one of the few|only|young|tall|proud|visibly|himself|herself|in (?:his|her) \w+,?)\s+)*$",
    re.I,
)
_FIELD = re.compile(r"\b(?:race|ethnicity)\b\s*(?:[:=,]|is|was|as)\s*$", re.I)
_APPOSED = re.compile(rf"({LETTER}+),\s*(?:an?|the)\s+(?:(?:{LETTER}|-)+\s+){{0,3}}$", re.I)
_OWNED = rf"\b(?:his|her|my|their|our|{LETTER}+'s)\b"
_HALF = re.compile(r"\b(?:half|part|quarter|mixed|biracial|multiracial)\b[\s-]*$", re.I)
_DENIED = re.compile(r"\b(?:not|never|no|non|n't)\b[\w\s]{0,12}$|n't[\w\s]{0,12}$|\bnon-$", re.I)


class StoryRaceReader(StoryReader):
    """Reads an explicit word for the main person's race; ``names`` adds the surname's statistics as a last resort."""

    def __init__(self, classes: Mapping[str, Iterable[str]], names: bool = False) -> None:
        wordings = {label: list(ws) for label, ws in classes.items()}
        for label, more in _PEOPLES.items():
            if label in wordings:
                wordings[label] += [w.strip() for w in more.split(",")]
        self.lexicon = Lexicon(wordings, outside=_FOREIGN.split(","))
        self.classes = list(wordings)
        self.names = names

    def tell(self, text: str) -> Reading:
        """The main person's race."""
        plain = clean(re.sub(r"[*_`#]+", "", text))
        spoken = re.sub(r"\"[^\"\n]*\"", lambda m: " " * len(m.group()), plain)
        found = [m for m in self.lexicon.find(spoken.lower()) if self._describes_lead(spoken, m)]
        labels = {m.label for m in found}
        if len(labels) == 1 and "" not in labels:
            return Reading(labels.pop(), "said in the story")
        if labels:
            return Reading("unparsed", "none of the classes" if labels == {""} else "more than one race")
        return (self.names and self._by_surname(spoken)) or Reading("unparsed", "not said")

    def _describes_lead(self, text: str, mention: Mention) -> bool:
        """Is this word said of a person, and is that person the story's main one?"""
        before = text[: mention.start]
        if mention.word in GENERIC or _DENIED.search(before) or _is_name(text, mention):
            return False
        sentence = re.split(r"[.!?;\n]", before)[-1]
        if _FIELD.search(before) or _HALF.search(before):
            return True
        opening = sentence == before
        apposed = _APPOSED.search(sentence)
        if apposed and apposed.group(1).lower().removesuffix("s") in people.OTHER_ROLES | people.KIN:
            return opening and not re.search(rf"{_OWNED}|\bof\b", sentence, re.I)
        return self._said_of_lead(sentence, mention, _noun(text[mention.end :]), opening=opening)

    def _said_of_lead(self, sentence: str, mention: Mention, word: str, *, opening: bool) -> bool:
        """``word`` is the noun that the race describes, '' for none."""
        if word in _GROUPS or (word.endswith("s") and _person(word[:-1])):
            return _SINGLED.search(sentence) is not None
        if word in _BODY and mention.word not in COLOURS:
            return not re.search(r"\b(?:neighborhood|city|street|wife|husband|boss|friend)\b", sentence, re.I)
        if not _person(word):
            return self._predicate(sentence, mention, word, opening=opening)
        owned = re.search(rf"{_OWNED}\s+(?:\w+\s+)?$", sentence, re.I)
        other = word in people.OTHER_ROLES or word in people.KIN
        return not owned and (not other or opening or _SUBJECT_IS.search(sentence) is not None)

    def _predicate(self, sentence: str, mention: Mention, word: str, *, opening: bool) -> bool:
        """*She was Black*, *of Asian descent*: the subject decides whom it is said of."""
        subject = _SUBJECT_IS.search(sentence)
        if subject is None:
            return (
                mention.word not in COLOURS
                and not word
                and re.search(r"\b(?:as|a|an)\s+$", sentence) is not None
            )
        who = subject.group("who").lower()
        if word and word not in ("and", "but", "from", "in", "with", "like", "as", "or", "by", "who"):
            return False
        if mention.word in COLOURS and word == "with":
            return False
        named = subject.group("who")[0].isupper() and who not in STARTERS
        known = (
            named or who in ("he", "she", "i", "they", "who") or who in people.first_names() or _person(who)
        )
        owned = re.search(rf"{_OWNED}\s+(?:\w+\s+)?$", sentence[: subject.start()], re.I)
        return known and not owned and (opening or who not in people.OTHER_ROLES) and who not in people.KIN

    def _by_surname(self, text: str) -> Reading | None:
        lead = Cast(text).leading()
        names = lead.named.split() if lead and len(lead.named.split()) > 1 else []
        shares = _surnames().get(names[-1]) if names else None
        if not shares:
            return None
        label, share = max(shares.items(), key=lambda s: s[1])
        if share < SURE or label not in self.classes:
            return None
        return Reading(label, f"name statistics: {share:.0f} % of bearers of the surname")


def _is_name(text: str, mention: Mention) -> bool:
    """*Mr. White*, *Jack Black*: a surname."""
    if mention.word not in COLOURS or not text[mention.start].isupper():
        return False
    before = text[: mention.start]
    first = re.search(r"([A-Z][a-z]+)\s+$", before)
    return _NAME_BEFORE.search(before) is not None or (
        first is not None and first.group(1).lower() in people.first_names()
    )


def _noun(after: str) -> str:
    """The noun that the word describes: the next word, or the person at the end of a compound (*software developer*)."""
    run = re.match(
        rf"(?:[- ](?:american|young|old|middle-aged|\w+-year-old))*((?:[ -](?:{LETTER}|['-])+){{0,3}})",
        after,
        re.I,
    )
    words = run.group(1).lower().split() if run else []
    for word in words:
        if word in FUNCTION:
            break
        if _person(word):
            return word
    return words[0].strip("-") if words else ""


def _person(word: str) -> bool:
    return word in PERSONS or bool(AGENT.fullmatch(word)) or people.noun_gender(word) is not None


@functools.cache
def _surnames() -> dict[str, dict[str, float]]:
    text = resources.files("harness.reading").joinpath("data/surnames.csv").read_text("utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row.pop("surname"): {k: float(v) for k, v in row.items()} for row in rows}
