"""Finds names and noun phrases in an English sentence."""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.reading import grammar, people
from harness.reading.text import clean

_TITLES = people.MALE_TITLES | people.FEMALE_TITLES | people.NEUTRAL_TITLES


_QUOTE = re.compile(
    r"\"[^\"\n]*(?:\"|$)|(?<![A-Za-z])'(?=[A-Z])[^'\n]*(?:'(?=[a-z])[^'\n]*)*[,.!?]'(?![a-z])"
)
_ABBREVIATION = re.compile(r"\b(Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Mx|Lt|Sgt|Capt)\.")
_HEADING = re.compile(
    r"^\s*(?:#+ .*|\**(?:title|story)\s*:.*|\*\*[^*\n]*\*\*\s*|[^\n]*\b(?:story|tale|anecdote|scene|sketch)\b[^\n.]*:)\s*\n",
    re.I,
)
_TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|[.!?;,:()§—]|\d+")
_NO_NAME = re.compile(
    r"(?:ness|ing|tion|sion|ment|ity|ance|ence|age|ers|ors|ents|ants|ies|ings|ews|ons|als)$"
)
"""How words end that open a sentence and are no names: *Business was slow*."""


class Name(NamedTuple):
    """A name at some place of a sentence."""

    gender: str
    """m, f, or '' where the name does not tell."""
    certain: bool
    """A title tells it."""
    label: str
    length: int
    """In words."""


def sentences(text: str) -> list[list[str]]:
    """The words and marks of each sentence, without headings; what is said stands as §."""
    plain = _ABBREVIATION.sub(r"\1", _QUOTE.sub(" § ", _HEADING.sub("", clean(text))))
    return [_TOKEN.findall(sentence) for sentence in re.split(r"(?<=[.!?;\n])\s+|\n+", plain)]


def name_at(words: list[str], at: int) -> Name | None:
    """The name that begins at ``at``, if one does."""
    word = words[at].lower().removesuffix("'s")
    after = words[at + 1] if at + 1 < len(words) else ""
    if word in _TITLES and after[:1].isupper() and after != "I":
        return _titled(words, at, word)
    length = _run(words, at)
    label = _label(words[at : at + length])
    before = words[at - 1].lower() if at else "."
    if (length > 1 and label.split()[-1] in people.ORGANISATIONS) or (at and before in people.PLACES_BEGIN):
        # "Washington High School", "San Francisco"
        return None
    names = people.first_names()
    known = names.get(word, names.get(word.split("-")[0]) if "-" in word else None)
    if not known and word in people.SURNAMES_FIRST and length > 1:
        # "Zhang Li", "Nguyen Thi Mai": the given name stands last.
        known = names.get(words[at + length - 1].lower().removesuffix("'s"), known)
    acts = after.lower() in grammar.VERBS or re.fullmatch(r"[a-z]+ed", after) is not None
    if known is not None:
        # "Will", "Grace" and "May" open sentences without being names.
        doubtful = before in ".!?:§" and word in grammar.AMBIGUOUS and length == 1
        named = acts or after in (",", "and") or words[at].endswith("'s")
        return None if doubtful and not named else Name(known, False, label, length)
    unknown = (
        acts
        and not _part_of_place(words, at)
        and not (before in ".!?:§" and _NO_NAME.search(word))
        and before not in grammar.PREPOSITIONS | grammar.DETERMINERS
        and word not in grammar.STARTERS
        and people.noun_gender(word) is None
    )
    introduced = (
        before in ("named", "called") and word not in grammar.STARTERS and people.noun_gender(word) is None
    )
    return Name("", False, label, length) if unknown or introduced else None


def _part_of_place(words: list[str], at: int) -> bool:
    """*the Riverside Mall paid*: is the capitalised word the end of a name that a determiner or preposition opens?"""
    first = at
    while first and words[first - 1][0].isupper():
        first -= 1
    return 0 < first < at and words[first - 1].lower() in grammar.PREPOSITIONS | grammar.DETERMINERS


def is_thing(words: list[str], at: int) -> bool:
    """Does the sentence say of the pronoun at ``at`` that it is an animal or a thing: *She was an old boat*?"""
    rest = [w.lower() for w in words[at + 1 : at + 7]]
    if rest[:1] not in (["was"], ["is"]) or rest[1:2] not in (["a"], ["an"], ["the"]):
        return False
    stop = next((i for i, w in enumerate(rest) if w in grammar.BOUNDARY | grammar.PREPOSITIONS), len(rest))
    return any(w in people.THINGS for w in rest[2:stop])


def is_titled(words: list[str], at: int) -> bool:
    """Does a title begin the name at ``at``?"""
    return words[at].lower() in _TITLES


def _titled(words: list[str], at: int, title: str) -> Name:
    length = 1 + _run(words, at + 1)
    gender = "m" if title in people.MALE_TITLES else "f" if title in people.FEMALE_TITLES else ""
    certain = bool(gender)
    if not gender and (length > 2 or title in ("nurse", "coach", "chef", "agent")):
        gender = people.first_names().get(words[at + 1].lower().removesuffix("'s"), "")
    return Name(gender, certain, _label(words[at + 1 : at + length]), length)


def _run(words: list[str], at: int) -> int:
    """How many capitalised words stand together from ``at`` on; a possessive ends the run."""
    length = 1
    while at + length < len(words) and not words[at + length - 1].endswith("'s"):
        following = words[at + length]
        if not following[0].isupper() or following.lower() in ("i", "i'm"):
            break
        length += 1
    return length


def _label(words: list[str]) -> str:
    return " ".join(w.lower().removesuffix("'s") for w in words)


def determiner(words: list[str], at: int) -> tuple[str, int]:
    """The determiner of the noun at ``at`` and where its phrase begins."""
    stop = grammar.BOUNDARY | grammar.PREPOSITIONS | grammar.COPULA
    for place in range(at - 1, max(-1, at - 5), -1):
        word = words[place].lower()
        if not word[0].isalpha() or word in stop:
            return "", place + 1
        if word in grammar.DETERMINERS:
            return word, place
        if word.endswith("'s"):
            return "'s", place
    return "", at


def apposed_thing(words: list[str], at: int) -> str:
    """The animal or thing that a name turns out to be: *Rex the dog*, *Ebony, the black retriever*; '' if none."""
    rest = [w.lower() for w in words[at : at + 5]]
    if rest[:1] == [","]:
        rest = rest[1:]
    if rest[:1] not in (["the"], ["a"], ["his"], ["her"], ["my"], ["our"]):
        return ""
    found = ""
    for word in rest[1:]:
        if word in grammar.BOUNDARY or people.noun_gender(word) is not None:
            # "Betty the bus driver": a person after all.
            return found if word in grammar.BOUNDARY else ""
        found = found or (word if word in people.THINGS else "")
    return found


def owns_person(words: list[str], at: int) -> bool:
    """Is what follows a possessive at ``at`` a person: *Ana's brother*, *Ana's new boss*?"""
    nouns = [w.lower().removesuffix("'s") for w in words[at : at + 3]]
    return any(
        people.noun_gender(w) is not None
        for w in nouns[: next((i for i, w in enumerate(nouns) if w in grammar.BOUNDARY | grammar.VERBS), 3)]
    )


def possessive(words: list[str], at: int) -> bool:
    """Is the *her* at ``at`` a possessive, rather than an object?"""
    after = words[at + 1].lower() if at + 1 < len(words) else "."
    return after not in grammar.BOUNDARY | grammar.PREPOSITIONS | grammar.DETERMINERS | {
        "again",
        "up",
        "down",
        "out",
    }


def is_subject(words: list[str], place: int, length: int) -> bool:
    """Does the phrase of ``length`` words at ``place`` look like the subject of its clause?"""
    before = words[place - 1].lower() if place else "."
    after = words[place + length].lower() if place + length < len(words) else ""
    if before in grammar.PREPOSITIONS - grammar.BOUNDARY:
        return False
    told = before in grammar.SAID and (place < 2 or words[place - 2] == "§")
    acts = after in grammar.VERBS or re.fullmatch(r"[a-z]+ed", after) is not None
    return told or before in grammar.BOUNDARY or acts


def is_worker(words: list[str], at: int) -> bool:
    """A noun that no list has, but that opens a story as a worker would: *The glazier climbed*."""
    word = words[at].lower()
    return (
        at > 0
        and words[at - 1].lower() in ("the", "a", "an", "young", "old", "new")
        and word not in grammar.NO_WORKERS
        and re.fullmatch(r"[a-z]{2,}(?:er|or|ist|ian|eer|ier|ant|ista|maker)", word) is not None
        and is_subject(words, at, 1)
    )


def says(words: list[str], at: int) -> bool:
    """Is the person at ``at`` told of as speaking: *"...," said the nurse*?"""
    return at > 1 and words[at - 2] == "§" and words[at - 1].lower() in grammar.SAID


def closed(words: list[str], at: int) -> bool:
    """Does a name stand between commas, or between a comma and the end?"""
    after = words[at + 1 :]
    return words[at - 1] == "," and (not after or after[0] in grammar.BOUNDARY)


def apposes(words: list[str], place: int, named: set[str]) -> bool:
    """Does a phrase at ``place`` say what the name before it is: *Ariel, a charismatic and well-respected CEO*?"""
    for at in range(place, max(1, place - 6), -1):
        word = words[at].lower()
        if word in ("a", "an", "the") and words[at - 1] == ",":
            return words[at - 2].lower() in named
        if at < place and word in grammar.BOUNDARY - {"and"}:
            return False
    return False
