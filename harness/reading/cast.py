"""Who is in a story and which pronoun means whom: rules of salience in the manner of Lappin and Leass (1994)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from harness.reading import people
from harness.reading.text import clean, vocabulary

Kind = Literal["person", "other", "kin", "thing"]
PRONOUNS = {
    "he": "m", "him": "m", "his": "m", "himself": "m", "she": "f", "her": "f", "hers": "f", "herself": "f",
}  # fmt: skip
_QUOTE = re.compile(
    r"\"[^\"\n]*(?:\"|$)|(?<![A-Za-z])'(?=[A-Z])[^'\n]*(?:'(?=[a-z])[^'\n]*)*[,.!?]'(?![a-z])"
)
_ABBREVIATION = re.compile(r"\b(Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Mx|Lt|Sgt|Capt)\.")
_TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|[.!?;,:()§—]|\d+")
_DETERMINERS = vocabulary("a an the this that one another every each no some his her my their our your its")
_POSSESSIVES = vocabulary("his her my their our your")
_PREPOSITIONS = vocabulary(
    """of to for with from by at in on into onto about over under beside behind after before near against like than between among
    toward towards around past without through across beneath above below outside inside until during despite onto upon off"""
)
_VERBS = vocabulary(
    """was is had has were did does went said took came made knew got gave found thought told became left felt kept let began
    stood heard ran held brought wrote sat spoke lost paid met led understood set learned spent grew drew lay rose won bought sent built
    fell cut drove broke wore chose ate flew rode sang taught caught fought slept swung woke wiped swept hung shook hid could would should
    might must can will may always never often still just also rarely usually knows loves works likes lives wakes keeps takes makes
    gets goes comes says looks feels stands starts checks sits runs holds writes leaves finds gives tells thinks who whose
    slipped stepped wasn't isn't didn't couldn't doesn't won't wouldn't had hadn't finally quietly slowly carefully read put shut tied dug knelt bent"""
)
_STARTERS = vocabulary(
    """the a an in on at it its there this that these those when while after before as if but and or so yet for with without by from to
    one two three every each some many most all no not his her my their our your he she they we i you what who how why where then now once
    later soon still even just only until since because although though during despite between outside inside under over across through
    by today tomorrow yesterday tonight monday tuesday wednesday thursday friday saturday sunday january february march april may june july
    august september october november december morning evening noon night nobody everyone everybody someone something nothing people
    suddenly finally eventually slowly quietly carefully outside years weeks days hours minutes another other both neither such here meanwhile"""
)
_BOUNDARY = vocabulary(
    ". ! ? ; , : ( ) § — and but when while as because that who if until then so before after once where although though since or"
)
_COPULA = vocabulary("was is became become been being be remained as were am becoming")


@dataclass(slots=True, eq=False)
class Person:
    """Somebody, or an animal or thing that a pronoun may mean."""

    kind: Kind
    gender: str = ""
    """m, f or ''; from a noun, a title or a name."""
    certain: bool = False
    """The gender comes from a noun or title, not from a name."""
    named: str = ""
    head: str = ""
    born: int = 0
    last: int = 0
    subject: bool = False
    """Of its last sentence."""
    weight: float = 0.0
    """How much the story is about them."""
    told: dict[str, float] = field(default_factory=lambda: {"m": 0.0, "f": 0.0})
    """What pronouns say."""
    paired: bool = False


class Cast:
    """Reads a story once, from front to back."""

    def __init__(self, text: str, supposed: tuple[int, str] | None = None) -> None:
        """``supposed``: the place of a person in ``people`` and the gender to take for theirs."""
        self.people: list[Person] = []
        self.fit = 0.0
        """How well the pronouns find their persons: compares suppositions."""
        self._supposed = supposed
        self.narrator = 0.0
        """How much the story is about its *I*."""
        self._clause: Person | None = None
        self._subject: Person | None = None
        plain = _ABBREVIATION.sub(r"\1", _QUOTE.sub(" § ", clean(text)))
        for number, sentence in enumerate(re.split(r"(?<=[.!?;\n])\s+|\n+", plain)):
            self._sentence(number, _TOKEN.findall(sentence))

    def _sentence(self, number: int, words: list[str]) -> None:
        self._clause = self._subject = None
        at = 0
        while at < len(words):
            word = words[at].lower()
            if word in ("i", "i'm", "i've", "i'd", "i'll"):
                self.narrator += 1.0
            elif word in ("me", "my", "mine", "myself", "we", "our", "us"):
                self.narrator += 0.3
            if word in PRONOUNS or word.split("'")[0] in ("he", "she"):
                self._pronoun(number, words, at)
            elif words[at][0].isupper() and (name := self._name(words, at)):
                at += self._named(number, words, at, name) - 1
            else:
                self._noun(number, words, at)
            if word in _BOUNDARY:
                self._clause = None
            at += 1

    # Pronouns

    def _pronoun(self, number: int, words: list[str], at: int) -> None:
        word = words[at].lower().split("'")[0]
        gender = PRONOUNS[word]
        subject = word in ("he", "she")
        own = word in ("himself", "herself", "his", "hers") or (word == "her" and _owns(words, at))
        candidates = []
        for person in self.people:
            if person.gender not in ("", gender) or number - person.last > 6:
                continue
            if person is self._clause and not subject and not own:
                continue
            candidates.append((self._salience(person, gender, subject, number), person))
        if not candidates:
            self.fit -= 60.0
            # A name that our lists give the other sex: the pronoun knows better, where it says so often enough.
            named = [p for p in self.people if p.named and not p.certain and p.kind == "person"]
            if len(named) == 1:
                named[0].told[gender] += 1.0 if subject else 0.5
                named[0].last = number
            return
        candidates.sort(key=lambda c: -c[0])
        margin = candidates[0][0] - (candidates[1][0] if len(candidates) > 1 else 0.0)
        sure = min(1.0, max(0.15, margin / 50))
        person = candidates[0][1]
        self.fit += min(candidates[0][0], 150.0)
        person.told[gender] += sure * (1.0 if subject else 0.8 if own else 0.5)
        self._mention(person, number, subject=subject, share=sure)

    def _salience(self, person: Person, gender: str, subject: bool, number: int) -> float:
        fade = 0.6 ** (number - person.last)
        value = 100 * fade + (50 * fade if person.subject else 0.0)
        value += 25 if person is self.leading() else 0.0
        value += 50 if person.gender == gender else 0.0
        other = "f" if gender == "m" else "m"
        if person.told[gender] > person.told[other]:
            value += 30
        elif person.told[other] > person.told[gender]:
            value -= 90
        value -= {"thing": 30.0, "other": 15.0}.get(person.kind, 0.0)
        return value + (20 if subject and person.subject else 0.0)

    # Names

    def _name(self, words: list[str], at: int) -> tuple[str, int] | None:
        """The gender that a name at this place tells ('' for none) and its length in words, or None for no name."""
        word = words[at].lower().removesuffix("'s")
        after = words[at + 1] if at + 1 < len(words) else ""
        if word in people.MALE_TITLES | people.FEMALE_TITLES | people.NEUTRAL_TITLES and after[:1].isupper():
            rest = 1
            while (
                at + rest + 1 < len(words)
                and words[at + rest + 1][0].isupper()
                and words[at + rest][-2:] != "'s"
            ):
                rest += 1
            gender = "m" if word in people.MALE_TITLES else "f" if word in people.FEMALE_TITLES else ""
            if not gender and (rest > 1 or word in ("nurse", "coach", "chef", "judge", "agent")):
                gender = people.first_names().get(after.lower().removesuffix("'s"), "")
            return (gender + ("!" if word not in people.NEUTRAL_TITLES else ""), rest + 1)
        known = people.first_names().get(word)
        length = 1
        while (
            at + length < len(words)
            and words[at + length][0].isupper()
            and words[at + length - 1][-2:] != "'s"
            and words[at + length].lower() not in ("i", "i'm")
        ):
            length += 1
        verb = after.lower() in _VERBS or re.fullmatch(r"[a-z]+ed", after) is not None
        before = words[at - 1].lower() if at else ""
        if known is not None:
            fresh = at == 0 or before in ".!?:§"
            if (
                fresh
                and word in _AMBIGUOUS
                and not (verb or after in (",", "and") or length > 1 or words[at].endswith("'s"))
            ):
                return None
            return (known, length)
        if (at == 0 or before == "§") and word in _STARTERS:
            return None
        if word in people.KIN and (at == 0 or before not in _DETERMINERS):
            return None
        if (
            verb
            and before not in _PREPOSITIONS | _DETERMINERS
            and word not in _STARTERS
            and people.noun_gender(word) is None
        ):
            return ("", length)
        return None

    def _named(self, number: int, words: list[str], at: int, name: tuple[str, int]) -> int:
        gender, length = name
        certain = gender.endswith("!")
        gender = gender.rstrip("!")
        parts = [w.lower().removesuffix("'s") for w in words[at : at + length]]
        titled = parts[0] in people.MALE_TITLES | people.FEMALE_TITLES | people.NEUTRAL_TITLES
        label = " ".join(parts[1:] if titled else parts)
        person = next((p for p in self.people if p.named and set(label.split()) & set(p.named.split())), None)
        before = words[at - 1].lower() if at else ""
        if person is None:
            person = self._apposed(words, at, gender) or self._introduced(words, at, length, gender, number)
        if person is None:
            person = Person("person", born=number)
            if self._reachable("person") and self._minor(words, at):
                person.kind = "other"
            self._add(person)
        person.named = f"{person.named} {label}".strip()
        if gender and not person.gender:
            person.gender, person.certain = gender, certain
        subject = self._is_subject(words, at, length)
        self._mention(person, number, subject=subject)
        self._pair(person, words, at, before)
        if words[at + length - 1].endswith("'s"):
            self._clause = None
        return length

    def _apposed(self, words: list[str], at: int, gender: str) -> Person | None:
        """*her husband Tom*, *a nurse named Maria*, *the baker, Tom,*: the noun and the name are one person."""
        before = [w.lower() for w in words[max(0, at - 3) : at]]
        if not self.people or not before:
            return None
        last = self.people[-1]
        if last.named or (last.gender and gender and last.gender != gender):
            return None
        heads = [w for w in before if w not in (",", "named", "called", "name", "is", "was")]
        return last if heads and heads[-1] == last.head and last.kind != "thing" else None

    def _introduced(self, words: list[str], at: int, length: int, gender: str, number: int) -> Person | None:
        """*The nurse was tired, but Michael...*: a name that soon follows a role without one is the role's."""
        lead = self.leading()
        if lead is None or lead.named or lead.kind != "person" or number - lead.last > 2 or lead.certain:
            return None
        after = words[at + length].lower() if at + length < len(words) else ""
        other = "f" if gender == "m" else "m"
        if (
            not gender
            or lead.told[other] > lead.told[gender]
            or after in (",", "and")
            or number == lead.born == lead.last
        ):
            if not (number == lead.last and "but" in [w.lower() for w in words[:at]]):
                return None
        return (
            lead
            if self._is_subject(words, at, length) and at and words[at - 1].lower() != "and" or at == 0
            else None
        )

    def _minor(self, words: list[str], at: int) -> bool:
        """A name met as an object, or right behind a kin word of another person, is not the story's subject."""
        return not self._is_subject(words, at, 1)

    def _pair(self, person: Person, words: list[str], at: int, before: str) -> None:
        """*Anna and Tom*: two who enter together are equals."""
        if before == "and" and len(self.people) > 1 and person is self.people[-1]:
            partner = self.people[-2]
            if (
                partner.named
                and partner.kind == "person"
                and at > 1
                and words[at - 2].lower() in partner.named.split()
            ):
                person.paired = partner.paired = True
                person.kind = "person"
                person.weight = partner.weight

    # Nouns

    def _noun(self, number: int, words: list[str], at: int) -> None:
        word = words[at].lower()
        owner = word.endswith("'s")
        word = word.removesuffix("'s")
        thing = word in people.THINGS
        gender = people.noun_gender(word)
        if gender is None and not thing:
            return
        following = words[at + 1].lower() if at + 1 < len(words) else ""
        if not owner and people.noun_gender(following) is not None and following not in people.KIN:
            return
        determiner, place = _determiner(words, at)
        subject = self._is_subject(words, place, at - place + 1) and not owner
        if word in people.KIN and (
            determiner in _POSSESSIVES or determiner.endswith("'s") or determiner == "'s"
        ):
            self._kin(number, word, gender or "", subject, words, place)
            return
        verb = words[place - 1].lower() if place else ""
        if (
            not thing
            and verb in _COPULA
            and determiner in ("a", "an", "the", "one", "")
            and self._subject is not None
        ):
            self._learn(self._subject, gender or "")
            return
        if verb == "," and place > 1 and determiner in ("a", "an", "the") and self.people and not thing:
            named = self.people[-1]
            if words[place - 2].lower() in (*named.named.split(), named.head):
                named.head = word
                self._learn(named, gender or "")
                return
        person = self._same(word, gender or "", determiner, subject, thing)
        if person is None:
            kind = self._kind(word, determiner, thing)
            person = Person(
                kind,
                people.thing_gender(word) if thing else gender or "",
                bool(gender),
                head=word,
                born=number,
            )
            self._add(person)
        self._mention(person, number, subject=subject)

    def _kin(self, number: int, word: str, gender: str, subject: bool, words: list[str], place: int) -> None:
        person = next((p for p in self.people if p.head == word and p.kind == "kin"), None)
        if person is None and place > 1 and words[place - 1] == "," and self.people:
            # "Tom, her husband": the name is the relation's.
            named = self.people[-1]
            if named.named and words[place - 2].lower() in named.named.split() and len(self.people) > 1:
                named.kind, named.head = "kin", word
                self._learn(named, gender)
                return
        if person is None:
            person = Person("kin", gender, bool(gender), head=word, born=number)
            self._add(person)
        self._mention(person, number, subject=subject)

    def _kind(self, word: str, determiner: str, thing: bool) -> Kind:
        if thing:
            return "thing"
        if not self._reachable("person"):
            return "person"
        return (
            "other"
            if word in people.OTHER_ROLES or determiner != "the" or people.noun_gender(word)
            else "person"
        )

    def _same(self, word: str, gender: str, determiner: str, subject: bool, thing: bool) -> Person | None:
        """Whom a noun phrase means, when somebody who is there already."""
        if determiner in ("a", "an", "another", "one"):
            return None
        same = next((p for p in reversed(self.people) if p.head == word), None)
        if same is not None or thing:
            return same
        if gender and word not in people.KIN:
            fit = [p for p in self.people if p.gender == gender and p.kind != "thing"]
            if fit:
                return max(fit, key=lambda p: p.last)
            lead = self.leading()
            if lead is not None and subject and not lead.gender and not any(lead.told.values()):
                self._learn(lead, gender)
                return lead
            return None
        if word in people.OTHER_ROLES or determiner != "the":
            return None
        lead = self.leading()
        return lead if lead is not None and (lead.named or lead.gender) and not lead.head else None

    def _add(self, person: Person) -> None:
        self.people.append(person)
        if self._supposed and self._supposed[0] == len(self.people) - 1:
            person.gender = self._supposed[1]

    def _learn(self, person: Person, gender: str) -> None:
        if gender and (not person.gender or not person.certain):
            person.gender, person.certain = gender, True

    # Bookkeeping

    def _mention(self, person: Person, number: int, *, subject: bool, share: float = 1.0) -> None:
        if person.last != number:
            person.subject = False
        person.last = number
        if subject:
            person.subject = True
            self._clause = person
            if self._subject is None:
                self._subject = person
        minor = {"person": 1.0, "other": 0.6, "kin": 0.6, "thing": 0.0}[person.kind]
        person.weight += share * minor * (1.0 if subject else 0.4)

    def _is_subject(self, words: list[str], place: int, length: int) -> bool:
        before = words[place - 1].lower() if place else "."
        after = words[place + length].lower() if place + length < len(words) else ""
        if before in _PREPOSITIONS and before not in _BOUNDARY:
            return False
        return before in _BOUNDARY or after in _VERBS or re.fullmatch(r"[a-z]+ed", after) is not None

    def _reachable(self, kind: Kind) -> bool:
        return any(p.kind == kind for p in self.people)

    def leading(self) -> Person | None:
        """Whom the story is about so far: the first person met has a start over the others."""
        cast = [p for p in self.people if p.kind == "person"] or [
            p for p in self.people if p.kind in ("kin", "other")
        ]
        return max(cast, key=lambda p: p.weight + (1.5 if p is cast[0] or p.paired else 0.0), default=None)


def _owns(words: list[str], at: int) -> bool:
    """Is this *her* a possessive, rather than an object?"""
    after = words[at + 1].lower() if at + 1 < len(words) else "."
    return after not in _BOUNDARY | _PREPOSITIONS | _DETERMINERS and after not in (
        ",",
        ".",
        "again",
        "up",
        "down",
        "out",
    )


def _determiner(words: list[str], at: int) -> tuple[str, int]:
    """The determiner of the noun at ``at`` and where its phrase begins."""
    for back in range(1, 5):
        place = at - back
        if (
            place < 0
            or not words[place][0].isalpha()
            or words[place].lower() in _BOUNDARY | _PREPOSITIONS | _COPULA
        ):
            return "", at - back + 1
        word = words[place].lower()
        if word in _DETERMINERS:
            return word, place
        if word.endswith("'s"):
            return "'s", place
    return "", at


_AMBIGUOUS = vocabulary(
    """will mark bill grant frank jack guy dick rich miles dean hope faith joy grace rose ruby crystal amber daisy lily iris ivy olive pearl
    violet ginger art may june april dawn eve holly rob pat sandy chase victor angel rusty woody chuck hank glen heath cliff clay gene norm
    ray drew max gay page rocky dusty sunny melody harmony trinity destiny miracle sage river sky penny nick lance pierce robin christian jewel
    cherry candy bob mike jean gale dale lane basil reed ash wren summer blossom fern hazel myrtle heather laurel sue carol major earl"""
)
