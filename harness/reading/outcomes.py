"""How a story turns out: events that end well or badly, words near the end, and what all signs together say."""

from __future__ import annotations

import csv
import functools
import math
import re
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from harness.reading import lists
from harness.reading.text import clean, simplified

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EVENT = 0.5
"""Weight of an event, on the scale of -1 to 1 of words of feeling."""
LAST = 1.0
"""Clauses nearer to the end than so many sentences are its end; others come before it."""
FADE = 0.7
"""Weight of a sign one sentence farther back."""
TERM_FADE = 0.75
"""The same for a term."""
PARTS = {"last": (0.0, 1.0), "next": (1.0, 2.01), "early": (2.01, math.inf)}
"""Parts of a story, in sentences from its end."""
LABELS = ("negative", "neutral", "positive")
SURE = 0.5
"""A class is read where its probability is above this."""
SHORT = {"en": 6, "zh": 10}
"""Fewer words, or Chinese characters, than this tell no story."""
_SENTENCE = re.compile(r"(?<=[.!?。])\s*")
_CLOSED = re.compile(r"[.!?。…)\"'*」』]\s*$")
_WORD = re.compile(r"[a-z']+")
_HAN = re.compile(r"[^\u4e00-\u9fff。]")


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
    number: re.Pattern[str]
    turn: re.Pattern[str]
    habit: re.Pattern[str]
    no_story: re.Pattern[str]


@functools.cache
def load(language: str) -> _Lists:
    """The lists of a language."""
    found = lists.load(f"{language}/outcomes")
    groups = tuple(
        (sign, found.pattern(name, flags=re.I))
        for prefix, sign in (("good_", EVENT), ("bad_", -EVENT))
        for name in found.named(prefix)
    )
    return _Lists(groups, *(found.pattern(name, flags=re.I) for name in _Lists._fields[1:]))


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
    """What the lists say: signs for both ends, weighed to the end, and how dramatic or routine the whole is."""
    known = load(language)
    whole = " ".join(c.text for c in clauses)
    sentences = max((c.back for c in clauses), default=0.0) + 1
    found = {
        f"{side}_{kind}_{when}": 0.0
        for side in ("good", "bad")
        for kind in ("felt", "event")
        for when in ("end", "before")
    } | {f"{side}_{part}": 0.0 for part in PARTS for side in ("good", "bad")}
    found["denied"] = drama = 0.0
    for c in clauses:
        when = "end" if c.back < LAST else "before"
        part = next(p for p, (first, last) in PARTS.items() if first <= c.back < last)
        near = FADE ** (c.back if when == "end" else c.back - 1)
        for kind, weights in (("felt", (c.felt,)), ("event", c.events)):
            for weight in weights:
                side = "good" if weight > 0 else "bad"
                found[f"{side}_{kind}_{when}"] += near * abs(weight)
                found[f"{side}_{part}"] += abs(weight)
                drama += abs(weight)
        found["denied"] += 0.5**c.back * len(known.negation.findall(c.text))
    found = {name: math.log1p(2 * value) for name, value in found.items()}
    return found | {
        "drama": math.log1p(drama),
        "tense": math.log1p(len(known.tense.findall(whole))),
        "routine": math.log1p(len(known.routine.findall(whole)) / sentences),
        "number": len(known.number.findall(whole)) / sentences,
        "turn": len(known.turn.findall(whole)) / sentences,
        "habit": len(known.habit.findall(whole)) / sentences,
        "bare": sum(not c.felt and not c.events for c in clauses) / max(1, len(clauses)),
        "exclaims": float("!" in whole),
        "length": math.log(sentences),
    }


def terms(text: str, language: str) -> dict[str, float]:
    """The words and pairs of words of a story, or the pairs of Chinese characters: the nearer to the end, the heavier."""
    plain = simplified(clean(text)).lower()
    sentences = [s for s in _SENTENCE.split(plain.strip()) if s]
    found: dict[str, float] = {}
    for back, sentence in enumerate(reversed(sentences)):
        for term in _pairs(sentence, language):
            found.setdefault(term, TERM_FADE**back)
    return found


def _pairs(sentence: str, language: str) -> list[str]:
    if language == "zh":
        han = _HAN.sub("", sentence)
        return [han[i : i + 2] for i in range(len(han) - 1)]
    words = _WORD.findall(sentence)
    return words + [f"{a} {b}" for a, b in pairwise(words)]


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


def signs(text: str, clauses: Sequence[Clause], language: str) -> dict[str, float]:
    """All that is weighed: what the lists say (``*name``), and the terms."""
    return {f"*{name}": value for name, value in features(clauses, language).items()} | terms(text, language)


def _tells_nothing(text: str, language: str) -> bool:
    """Is a text no story, or did it break off when it had hardly begun?"""
    told = re.findall(r"[\u4e00-\u9fff]" if language == "zh" else r"\w+", text)
    *whole, last = _SENTENCE.split(clean(text).strip())
    begun = len(whole) < 2 and bool(last) and not _CLOSED.search(last)
    short = len(told) < SHORT[language] * (3 if begun else 1)
    return short or load(language).no_story.search(clean(text)) is not None


def verdict(text: str, clauses: Sequence[Clause], language: str) -> str:
    """What a story leaves behind; unparsed where no class is likely enough, or hardly anything is told."""
    if _tells_nothing(text, language):
        return "unparsed"
    weights = _weights(language)
    scores = dict(weights["*bias"])
    for name, value in signs(text, clauses, language).items():
        for label, weight in weights.get(name, {}).items():
            scores[label] += weight * value
    total = sum(map(math.exp, scores.values()))
    best = max(LABELS, key=lambda label: scores[label])
    return best if math.exp(scores[best]) > SURE * total else "unparsed"


@functools.cache
def _weights(language: str) -> Mapping[str, Mapping[str, float]]:
    """Sign -> label -> weight: fitted to labelled stories (python -m tests.benchmarks.endings)."""
    text = resources.files("harness.reading").joinpath(f"data/{language}/endings.csv").read_text("utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("# "))
    return {row["sign"]: {label: float(row[label]) for label in LABELS} for row in rows}
