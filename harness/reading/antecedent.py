"""Whom a pronoun means: salience by rules like those of Lappin and Leass (1994), and when it may well be another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.reading import grammar, people
from harness.reading.person import leading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.reading.person import Person


def salience(cast: Sequence[Person], person: Person, gender: str, number: int, *, subject: bool) -> float:
    """How likely a pronoun in sentence ``number`` means a person of the cast, on a scale of its own."""
    fade = 0.6 ** (number - person.last)
    value = 100 * fade + (50 * fade if person.subject else 0.0)
    value += 15 if person is leading(cast) else 0.0
    value += 40 if person is _nearest(cast, gender, number) else 0.0
    value += 70 if person.gender == gender else 0.0
    other = "f" if gender == "m" else "m"
    if person.told[gender] > person.told[other]:
        value += 30
    elif person.told[other] > person.told[gender]:
        value -= 90
    value -= {"thing": 30.0, "other": 15.0}.get(person.kind, 0.0)
    return value + (20 if subject and person.subject else 0.0)


def _nearest(cast: Sequence[Person], gender: str, number: int) -> Person | None:
    """The last subject, of this sentence or the one before, that a pronoun of this gender may mean."""
    fit = [p for p in cast if p.subject and p.gender in ("", gender) and number - p.last <= 1]
    return max(fit, key=lambda p: (p.last, p.acted), default=None)


def doubtful(
    candidates: Sequence[tuple[float, Person]],
    gender: str,
    words: Sequence[str],
    at: int,
    number: int,
    *,
    own: bool,
) -> bool:
    """May a pronoun well mean another than the first of its candidates?"""
    person = candidates[0][1]
    others = [p for _, p in candidates[1:]]
    following = words[at + 1].lower() if at + 1 < len(words) else ""
    if own and following in people.KIN:
        # "His mother ran to them": whose mother?
        return True
    before = [w.lower() for w in words[max(0, at - 3) : at]]
    if {"that", "if", "whether"} & set(before[-1:]) and grammar.SAID & set(before):
        # "She said that he was better": of whom they speak.
        return True
    if not person.gender and any(p.gender == gender and p.last >= number - 1 for p in others):
        # "The nurse helped an old man with his belt": the man is known to be one.
        return True
    return person.last < number and any(p.last == number and p.kind != "thing" for p in others)
