"""How a story turns out: events that end well or badly, found by lists, and what all signs together say."""

from __future__ import annotations

import functools
import math
import re
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from pydantic import TypeAdapter

from harness.reading import lists

if TYPE_CHECKING:
    from collections.abc import Sequence

EVENT = 0.5
"""Weight of an event, on the scale of -1 to 1 of words of feeling."""


LAST = 1.0
"""Clauses nearer to the end than so many sentences are its end; others come before it."""
FADE = 0.7
"""Weight of a sign one sentence farther back."""
LABELS = ("negative", "neutral", "positive")
SURE = 0.55
"""A class is read where its probability is above this."""


class Clause(NamedTuple):
    """A clause of a story and what speaks for a good end in it (above 0) or a bad one."""

    text: str
    back: float
    """How far it is from the end, in sentences."""
    felt: float
    """By words of feeling."""
    events: tuple[float, ...]
    """By events."""


class _Lists(NamedTuple):
    groups: tuple[tuple[float, re.Pattern[str]], ...]
    denial: re.Pattern[str]
    moved: re.Pattern[str]
    glad: re.Pattern[str]
    tense: re.Pattern[str]
    routine: re.Pattern[str]
    negation: re.Pattern[str]


@functools.cache
def load(language: str) -> _Lists:
    """The lists of a language."""
    found = lists.load(f"{language}/outcomes")
    groups = tuple(
        (sign, found.pattern(name, flags=re.I))
        for prefix, sign in (("good_", EVENT), ("bad_", -EVENT))
        for name in found.named(prefix)
    )
    rest = (
        found.pattern(name, flags=re.I)
        for name in ("denial", "moved", "glad", "tense", "routine", "negation")
    )
    return _Lists(groups, *rest)


def events(text: str, language: str) -> tuple[float, ...]:
    """The weights of the events of a clause; a denied good one is bad, a denied bad one is mildly good."""
    known = load(language)
    found = []
    for weight, pattern in known.groups:
        for match in pattern.finditer(text):
            denied = known.denial.search(text, max(0, match.start() - 30), match.start())
            found.append(weight if not denied else -0.8 * weight if weight > 0 else -0.4 * weight)
    return tuple(found)


def features(clauses: Sequence[Clause], language: str) -> dict[str, float]:
    """What decides: signs for both ends, weighed to the end, and how dramatic or routine the whole is."""
    known = load(language)
    whole = " ".join(c.text for c in clauses)
    sentences = max((c.back for c in clauses), default=0.0) + 1
    found = {
        f"{side}_{kind}_{when}": 0.0
        for side in ("good", "bad")
        for kind in ("felt", "event")
        for when in ("last", "before")
    }
    found["denied"] = drama = 0.0
    for c in clauses:
        when = "last" if c.back < LAST else "before"
        near = FADE ** (c.back if when == "last" else c.back - 1)
        for kind, weights in (("felt", (c.felt,)), ("event", c.events)):
            for weight in weights:
                found[f"{'good' if weight > 0 else 'bad'}_{kind}_{when}"] += near * abs(weight)
                drama += abs(weight)
        found["denied"] += 0.5**c.back * len(known.negation.findall(c.text))
    found = {name: math.log1p(2 * value) for name, value in found.items()}
    return found | {
        "drama": math.log1p(drama),
        "tense": math.log1p(len(known.tense.findall(whole))),
        "routine": math.log1p(len(known.routine.findall(whole)) / sentences),
    }


def glad(sentence: str, language: str) -> bool:
    """Whether the tears of a sentence are of joy."""
    known = load(language)
    return bool(known.moved.search(sentence) and known.glad.search(sentence))


def clause(text: str, back: float, felt: float, language: str, *, glad: bool) -> Clause:
    """A clause with its signs; tears of joy are no bad ones."""
    found = events(text, language)
    if glad and load(language).moved.search(text):
        return Clause(text, back, max(felt, 0.3), tuple(e for e in found if e > 0))
    return Clause(text, back, felt if abs(felt) > 0.05 else 0.0, found)


def verdict(clauses: Sequence[Clause], language: str) -> str:
    """What a story leaves behind; unparsed where no class is more likely than all others together."""
    found, weights = features(clauses, language), _weights()[language]
    scores = {
        label: weights[label]["bias"] + sum(weights[label][name] * value for name, value in found.items())
        for label in LABELS
    }
    total = sum(map(math.exp, scores.values()))
    best = max(LABELS, key=lambda label: scores[label])
    return best if math.exp(scores[best]) > SURE * total else "unparsed"


@functools.cache
def _weights() -> dict[str, dict[str, dict[str, float]]]:
    """Language -> label -> feature -> weight: fitted to labelled stories (python -m tests.benchmarks.endings)."""
    text = resources.files("harness.reading").joinpath("data/endings.json").read_text("utf-8")
    return TypeAdapter(dict[str, dict[str, dict[str, float]]]).validate_json(text)
