"""Finds the persons of an English story and whom each pronoun means, by rules like those of Lappin and Leass (1994)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.reading import antecedent, grammar, people, phrases
from harness.reading.person import Person, leading

if TYPE_CHECKING:
    from harness.reading.person import Kind
    from harness.reading.phrases import Name

PRONOUNS = {
    "he": "m", "him": "m", "his": "m", "himself": "m", "she": "f", "her": "f", "hers": "f", "herself": "f",
}  # fmt: skip


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
        self.mine = False
        """The *I* came first: whom it tells of are others."""
        self._awaited: dict[str, float] = {}
        self._acts = 0
        self._things: set[str] = set()
        self.sentences = 0
        self.you = 0
        """How often the story tells what *you* do."""
        for number, words in enumerate(phrases.sentences(text)):
            self._sentence(number, words)

    def _sentence(self, number: int, words: list[str]) -> None:
        self.sentences = number + 1
        self._clause = self._subject = None
        self._awaited = {}
        at = 0
        while at < len(words):
            word = words[at].lower()
            if word in ("i", "i'm", "i've", "i'd", "i'll"):
                self.mine = self.mine or not self.people
                self.narrator += 1.0
            elif word in ("we", "we're", "we've"):
                self.mine = self.mine or not self.people
                self.narrator += 0.6
            elif word in ("me", "my", "mine", "myself", "our", "us"):
                self.narrator += 0.3
            self.you += word in ("you", "you're", "you've", "you'll")
            if word in PRONOUNS or word.split("'")[0] in ("he", "she"):
                self._pronoun(number, words, at)
            elif words[at][0].isupper() and (name := phrases.name_at(words, at)):
                self._named(number, words, at, name)
                at += name.length - 1
            else:
                self._noun(number, words, at)
            if word in grammar.BOUNDARY:
                self._clause = None
            at += 1

    # Pronouns

    def _pronoun(self, number: int, words: list[str], at: int) -> None:
        word = words[at].lower().split("'")[0]
        gender = PRONOUNS[word]
        subject = word in ("he", "she")
        if subject and phrases.is_thing(words, at):
            # "She was an old boat": and so is every later she, while no woman is told of.
            self._things.add(gender)
        if gender in self._things and not any(p.gender == gender and p.kind != "thing" for p in self.people):
            return
        own = word in ("himself", "herself", "his", "hers") or (
            word == "her" and phrases.possessive(words, at)
        )
        candidates = []
        for person in self.people:
            if person.gender not in ("", gender) or number - person.last > 6 or person.head in people.ANYBODY:
                continue
            if person is self._clause and not subject and not own:
                continue
            candidates.append(
                (antecedent.salience(self.people, person, gender, number, subject=subject), person)
            )
        if not candidates:
            self.fit -= 60.0
            if not self._reachable("person") and not self.mine:
                # "She had been up since four. ... Ana": the name is still to come.
                person = Person("person", gender, born=number)
                person.told[gender] = 1.0 if subject else 0.6
                self._add(person)
                self._mention(person, number, subject=subject)
                return
            self._awaited = {gender: 0.8}
            # A name that our lists give the other sex: the pronoun knows better, where it says so often enough.
            named = [p for p in self.people if p.named and not p.certain and p.kind == "person"]
            if len(named) == 1:
                named[0].told[gender] += 1.0 if subject else 0.5
                named[0].last = number
            return
        candidates.sort(key=lambda c: -c[0])
        margin = candidates[0][0] - (candidates[1][0] if len(candidates) > 1 else 0.0)
        sure = min(1.0, max(0.15, margin / 50))
        if len(candidates) > 1 and antecedent.doubtful(candidates, gender, words, at, number, own=own):
            sure *= 0.4
        person = candidates[0][1]
        self.fit += min(candidates[0][0], 150.0)
        person.told[gender] += sure * (1.0 if subject else 0.8 if own else 0.5)
        self._mention(person, number, subject=subject, share=sure)

    # Names

    def _named(self, number: int, words: list[str], at: int, name: Name) -> None:
        if at and words[at - 1].lower() in grammar.PLACED and not phrases.is_titled(words, at):
            # "in Harlan", "in May": no person.
            return
        person = next(
            (p for p in self.people if p.named and set(name.label.split()) & set(p.named.split())), None
        )
        subject = phrases.is_subject(words, at, name.length)
        owner = words[at + name.length - 1].endswith("'s")
        named = (
            words[at - 1].lower() in ("called", "named", "nicknamed")
            and words[at - 2].lower() in grammar.COPULA
            if at > 1
            else False
        )
        if person is None and named and self._subject is not None and self._subject.kind == "thing":
            person = self._subject
        elif person is None and (thing := phrases.apposed_thing(words, at + name.length)):
            person = Person("thing", people.thing_gender(thing), head=thing, born=number)
            self._add(person)
        if person is None:
            person = (
                self._apposed(words, at, name.gender)
                or self._identified(words, at)
                or self._introduced(number, words, at, name)
            )
        if person is None and subject:
            person = self._unnamed(name.gender)
        if person is None:
            person = Person("person", born=number)
            if self._reachable("person") and (owner or not subject):
                person.kind = "other"
            person.passing = (owner and phrases.owns_person(words, at + name.length)) or phrases.says(
                words, at
            )
            self._add(person)
        person.named = " ".join(dict.fromkeys([*person.named.split(), *name.label.split()]))
        if name.gender and not person.gender:
            person.gender, person.certain = name.gender, name.certain
        self._mention(person, number, subject=subject and not owner)
        self._pair(person, words, at)
        if owner:
            self._clause = None

    def _unnamed(self, gender: str) -> Person | None:
        """Whom pronouns have meant so far, if nothing else has named them."""
        return next(
            (
                p
                for p in self.people
                if p.kind == "person" and not p.named and not p.head and gender in ("", p.gender)
            ),
            None,
        )

    def _apposed(self, words: list[str], at: int, gender: str) -> Person | None:
        """*her husband Tom*, *a nurse named Maria*, *the baker, Tom,*: the noun and the name are one person."""
        before = [w.lower() for w in words[max(0, at - 3) : at]]
        if not self.people or not before:
            return None
        last = self.people[-1]
        if last.named or (last.gender and gender and last.gender != gender):
            return None
        heads = [w for w in before if w not in (",", "named", "called", "name", "is", "was")]
        if not heads or heads[-1] != last.head:
            return None
        if last.kind == "thing":
            # "a dog named Max", "his horse, Daisy."
            return last if before[-1] in ("named", "called") or phrases.closed(words, at) else None
        told = any(p.kind == "person" and (p.named or p.gender) for p in self.people)
        if (
            last.kind == "other"
            and not told
            and not self.mine
            and before[-1] in ("named", "called", last.head)
        ):
            # "Mayor Ruth Ellison", "one of them was a manager named Sarah Smith"
            last.kind = "person"
        if len(self.people) > 1 and self.people[-2].passing:
            # "Ana's brother, Leo, ...": a story may be about either.
            last.kind = "person"
        return last

    def _identified(self, words: list[str], at: int) -> Person | None:
        """*One such person is Max Behar*: the subject before a copula."""
        who = self._subject
        if who is None or who.named or who.kind not in ("person", "other") or not at:
            return None
        return who if words[at - 1].lower() in grammar.COPULA else None

    def _introduced(self, number: int, words: list[str], at: int, name: Name) -> Person | None:
        """*The nurse was tired, but Michael...*: a name that soon follows a role without one is the role's."""
        lead = self.leading()
        if lead is None or lead.named or lead.kind != "person" or lead.certain or number - lead.last > 2:
            return None
        after = words[at + name.length].lower() if at + name.length < len(words) else ""
        other = "f" if name.gender == "m" else "m"
        if not name.gender or lead.told[other] > lead.told[name.gender] or after in (",", "and"):
            return None
        contrast = "but" in (w.lower() for w in words[:at])
        apart = words[at - 1] == "," if at else False
        if not contrast and (number == lead.last or phrases.is_titled(words, at)):
            return None
        if not contrast and apart and lead.told[name.gender] < 0.5:
            return None
        return lead if phrases.is_subject(words, at, name.length) else None

    def _pair(self, person: Person, words: list[str], at: int) -> None:
        """*Anna and Tom*: two who enter together are equals."""
        if at < 2 or words[at - 1].lower() != "and" or len(self.people) < 2 or person is not self.people[-1]:
            return
        partner = self.people[-2]
        if partner.kind == "person" and words[at - 2].lower() in partner.named.split():
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
        if gender is None and number == 0 and not self.people and phrases.is_worker(words, at):
            gender = ""
        if (gender is None and not thing) or word in people.PLURALS:
            return
        if at and words[at - 1].lower() in ("male", "female"):
            gender = words[at - 1][0].lower()
        following = words[at + 1].lower() if at + 1 < len(words) else ""
        if not owner and people.noun_gender(following) is not None and following not in people.KIN:
            return
        determiner, place = phrases.determiner(words, at)
        subject = phrases.is_subject(words, place, at - place + 1) and not owner
        if word in people.KIN and (
            determiner in grammar.POSSESSIVES or determiner.endswith("'s") or determiner == "'s"
        ):
            self._kin(number, word, gender or "", subject, words, place)
            return
        cleft = following == "who" and [w.lower() for w in words[max(0, place - 2) : place]] == ["it", "was"]
        if not thing and not cleft and self._told_of_another(word, gender or "", determiner, words, place):
            return
        lead = self.leading()
        if lead and gender and lead.head in people.PROTAGONIST and not lead.gender and number == lead.born:
            # "The hero of the story, a man called Bruce, ..."
            lead.head = word
            self._learn(lead, gender)
            return
        apart = following in (grammar.PREPOSITIONS | {"who", "in"}) - {"of"}
        person = self._same(word, gender or "", determiner, subject and not apart, thing)
        if person is None:
            speaks = phrases.says(words, place) or (words[:place][-1:] == ["§"] and following in grammar.SAID)
            owned = owner and people.noun_gender(following) is not None
            kind = self._kind(word, determiner, thing, subject and not speaks)
            if kind == "person" and (owned or (speaks and (number == 0 or self._anybody()))):
                kind = "other"
            person = Person(
                kind,
                people.thing_gender(word) if thing else gender or "",
                bool(gender),
                head=word,
                born=number,
            )
            self._add(person)
        person.weight += 2 * cleft  # "It was the janitor who..." puts the janitor forward
        self._mention(person, number, subject=subject)

    def _told_of_another(self, word: str, gender: str, determiner: str, words: list[str], place: int) -> bool:
        """Does a role say what the narrator, the subject or the name before it is, rather than bring somebody in?"""
        before = words[place - 1].lower() if place else ""
        if before == "as" and {"I", "I'm", "I've"} & set(words):
            self.narrator += 1.0
            return True
        if (
            before in grammar.COPULA
            and determiner in ("a", "an", "the", "one", "")
            and self._subject is not None
        ):
            if not (self._subject.gender == "f" and word.endswith("man") and gender == "m"):
                # "Pilot Mary Hensley was the mailman": the word is loose.
                self._learn(self._subject, gender)
            return True
        if self.people:
            named = self.people[-1]
            if named.kind != "thing" and phrases.apposes(words, place, {*named.named.split(), named.head}):
                named.head = word
                self._learn(named, gender)
                return True
        # "The kind of manager who": a role, rather than somebody in it.
        return not determiner and before in grammar.PREPOSITIONS

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

    def _kind(self, word: str, determiner: str, thing: bool, subject: bool) -> Kind:
        if thing:
            return "thing"
        first = subject and determiner in ("the", "a", "an", "'s") and not self._reachable("person")
        if word in people.OTHER_ROLES and not (first and word in people.TRADES):
            return "other"
        if not self._reachable("person"):
            return "person"
        return "other" if determiner != "the" or people.noun_gender(word) else "person"

    def _same(self, word: str, gender: str, determiner: str, subject: bool, thing: bool) -> Person | None:
        """Whom a noun phrase means, when somebody who is there already."""
        if determiner in ("a", "an", "another", "one"):
            return None
        same = next((p for p in reversed(self.people) if p.head == word), None)
        if same is not None or thing:
            return same
        lead = self.leading()
        if gender and word in people.OTHER_ROLES:
            return None
        if gender and word not in people.KIN:
            fit = [p for p in self.people if p.gender == gender and p.kind != "thing"]
            return max(fit, key=lambda p: p.last, default=None)
        free = lead is not None and (lead.named or lead.gender) and not lead.head and subject
        epithet = word not in people.OTHER_ROLES | people.KIN and (
            not gender or not lead or gender == lead.gender
        )
        return lead if free and determiner == "the" and epithet else None

    def _add(self, person: Person) -> None:
        if self.mine and person.kind == "person":
            person.kind = "other"
        self.people.append(person)
        if person.kind == "person":
            for gender, weight in self._awaited.items():
                person.told[gender] += weight
            self._awaited = {}
        if self._supposed and self._supposed[0] == len(self.people) - 1:
            person.gender = self._supposed[1]

    def _learn(self, person: Person, gender: str) -> None:
        if gender and (not person.gender or not person.certain):
            person.gender, person.certain = gender, True

    # Bookkeeping

    def _mention(self, person: Person, number: int, *, subject: bool, share: float = 1.0) -> None:
        if person.last != number or not person.sentences:
            person.subject = False
            person.sentences += 1
        person.last = number
        if subject:
            person.subject = True
            self._acts += 1
            person.acted = self._acts
            self._clause = person
            if self._subject is None:
                self._subject = person
        minor = {"person": 1.0, "other": 0.6, "kin": 0.6, "thing": 0.0}[person.kind]
        person.weight += share * minor * (1.0 if subject else 0.4)

    def _reachable(self, kind: Kind) -> bool:
        return any(p.kind == kind for p in self.people)

    def _anybody(self) -> bool:
        return any(p.kind != "thing" for p in self.people)

    def leading(self) -> Person | None:
        """Whom the story is about so far."""
        return leading(self.people)
