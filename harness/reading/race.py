"""Reads the race of a story's main person, from the words of the story and, if the task asks for it, the surname."""

from __future__ import annotations

import csv
import functools
import re
from importlib import resources
from typing import TYPE_CHECKING

from harness.reading import lists, people
from harness.reading.base import Reading
from harness.reading.cast import Cast
from harness.reading.cues import AGENT, FUNCTION, PERSONS
from harness.reading.grammar import STARTERS
from harness.reading.mentions import COLOURS, GENERIC, Lexicon
from harness.reading.story import StoryReader
from harness.reading.text import LETTER, clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.reading.mentions import Mention
    from harness.reading.person import Person

_NEAR = 300
_SENTENCE_END = re.compile(r"[.!?;\n]")
SURE = 80.0
"""Per cent of a surname's bearers that must be of one race before the name tells."""

_LISTS = lists.load("en/race")
_PEOPLES = {label: _LISTS.wordings(label) for label in ("asian", "other", "black", "white")}
"""Peoples that belong to one class of the census, beside the class's own wordings."""
_GROUPS = _LISTS.words("groups")
_BODY = _LISTS.words("body")
_SINGLED = _LISTS.pattern("singled", flags=re.I)
_SUBJECT_IS = _LISTS.pattern("subject_is", flags=re.I, letter=LETTER)
_NATION = _LISTS.pattern("nation", flags=re.I)
_LISTED = _LISTS.pattern("listed", flags=re.I, letter=LETTER)
"""*Jin, 28, Asian,* and *the clerk, white and in her forties,*: what follows a person between commas."""
_DENIED = _LISTS.pattern("denied", flags=re.I)
_NAME_BEFORE = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|Miss|Prof|Officer|Professor|Captain|Judge|Sir|Nurse|Coach|Chef)\.?\s+$"
)
_FIELD = re.compile(r"\b(?:race|ethnicity)\b\s*(?:[:=,]|is|was|as)\s*$", re.I)
_APPOSED = re.compile(rf"({LETTER}+),\s*(?:an?|the)\s+(?:(?:{LETTER}|-)+\s+){{0,3}}$", re.I)
_OWNED = rf"\b(?:his|her|my|their|our|{LETTER}+'s)\b"
_BRINGS = re.compile(r"^\W*(?:an?|another|one)\s+(?:[\w-]+\s+){0,2}$", re.I)
_OF_STORY = re.compile(
    r" (?:of|in) (?:this|the|our|my) (?:short |little )?(?:story|tale|scene|anecdote|sketch)\b", re.I
)
_HALF = re.compile(r"\b(?:half|part|quarter|mixed|biracial|multiracial)\b[\s-]*$", re.I)


class StoryRaceReader(StoryReader):
    """Reads an explicit word for the main person's race; ``names`` adds the surname's statistics as a last resort."""

    def __init__(self, classes: Mapping[str, Iterable[str]], names: bool = False) -> None:
        wordings = {label: list(ws) for label, ws in classes.items()}
        for label, more in _PEOPLES.items():
            if label in wordings:
                wordings[label] += more
        self.lexicon = Lexicon(wordings, outside=_LISTS.wordings("foreign"))
        self.classes = list(wordings)
        self.names = names

    def tell(self, text: str) -> Reading:
        """The main person's race."""
        plain = clean(re.sub(r"[*_`#]+", "", text))
        spoken = re.sub(r"\"[^\"\n]*\"", lambda m: " " * len(m.group()), plain)
        named = self.lexicon.find(spoken.lower())
        lead = Cast(plain).leading() if named else None
        found = [m for m in named if self._describes_lead(spoken, m) and not _of_another(spoken, m, lead)]
        if len({m.label for m in found}) > 1 and lead:
            found = (
                [m for m in found if _of_named(spoken, m)]
                or [m for m in found if _beside(spoken, m, lead)]
                or found
            )
        labels = {m.label for m in found}
        if len(labels) == 1 and "" not in labels:
            return Reading(labels.pop(), "said in the story")
        if labels:
            return Reading("unparsed", "none of the classes" if labels == {""} else "more than one race")
        return (self.names and self._by_surname(spoken)) or Reading("unparsed", "not said")

    def _describes_lead(self, text: str, mention: Mention) -> bool:
        """Is this word said of a person, and is that person the story's main one?"""
        before = _before(text, mention)
        if mention.word in GENERIC or _DENIED.search(before) or _is_name(text, mention):
            return False
        sentence = _OF_STORY.sub("", re.split(r"[.!?;\n]", before)[-1])
        if _FIELD.search(before) or _HALF.search(before) or _NATION.search(before):
            return True
        opening = _opens(text, mention)
        apposed = _APPOSED.search(sentence)
        if apposed and apposed.group(1).lower().removesuffix("s") in people.OTHER_ROLES | people.KIN:
            return opening and not re.search(rf"{_OWNED}|\bof\b", sentence, re.I)
        return self._said_of_lead(sentence, mention, _noun(_after(text, mention)), opening=opening)

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
            listed = _LISTED.search(sentence)
            if listed and word in ("", "and", "but", "himself", "herself"):
                who = listed.group("who")
                own = re.search(rf"{_OWNED}\s+(?:\w+\s+)?$", sentence[: listed.start("who")], re.I)
                return not own and (
                    who.lower() in people.first_names() or _person(who.lower()) or who[0].isupper()
                )
            if word in ("", "and", "in") and re.match(r"\W*being\s+$", sentence, re.I):
                return True  # "Being Black and six foot four, he..."
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
        owned = re.search(rf"(?<!our )(?!our ){_OWNED}\s+(?:\w+\s+)?$", sentence[: subject.start()], re.I)
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


def _before(text: str, mention: Mention) -> str:
    return text[max(0, mention.start - _NEAR) : mention.start]


def _after(text: str, mention: Mention) -> str:
    return text[mention.end : mention.end + _NEAR]


def _opens(text: str, mention: Mention) -> bool:
    """Does it stand in the first sentence?"""
    return _SENTENCE_END.search(text, 0, mention.start) is None


def _of_another(text: str, mention: Mention, lead: Person | None) -> bool:
    """*A white patient*, where the story is about somebody with a name: a newcomer, unless the name follows."""
    word = _noun(_after(text, mention))
    apposed = _APPOSED.search(_before(text, mention))
    role = apposed.group(1).lower() if apposed else ""
    if role in people.OTHER_ROLES and lead is not None and lead.kind == "person" and lead.head != role:
        return True
    if lead is None or not lead.named or word == lead.head or not _person(word):
        return False
    sentence = re.split(r"[.!?;\n]", _before(text, mention))[-1]
    rest = re.split(r"[.!?;\n]", _after(text, mention))[0].lower()
    name = any(
        re.search(rf"\b(?:named|called|is|was) (?:\w+ )?{re.escape(n)}\b", rest) for n in lead.named.split()
    )
    other = word in people.OTHER_ROLES or not _opens(text, mention)
    return other and _BRINGS.match(sentence) is not None and not name


def _of_named(text: str, mention: Mention) -> bool:
    """*Lena, a Black welder*: is the word said of a name?"""
    apposed = _APPOSED.search(_before(text, mention))
    return apposed is not None and apposed.group(1)[0].isupper()


def _beside(text: str, mention: Mention, lead: Person) -> bool:
    """Does the lead's name or role stand in the words around the mention?"""
    clause = text[max(0, mention.start - 60) : mention.start].lower()
    words = {*lead.named.split(), lead.head} - {""}
    return _noun(_after(text, mention)) == lead.head or any(
        re.search(rf"\b{re.escape(w)}\b", re.split(r"[.!?;\n]", clause)[-1]) for w in words
    )


def _is_name(text: str, mention: Mention) -> bool:
    """*Mr. White*, *Jack Black*: a surname."""
    if mention.word not in COLOURS or not text[mention.start].isupper():
        return False
    if re.match(
        r"[ -](?!American|Woman|Man|Male|Female|British|Caribbean|Latin|Jew|I\b)[A-Z][a-z]",
        text[mention.end : mention.end + 20],
    ):
        return True  # "Black Bear Diner"
    before = _before(text, mention)
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
