"""Reads the sentiment of Chinese text from a list of words, with negation, degree, contrast, ending and irony."""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import TYPE_CHECKING

from harness.reading import lists, outcomes
from harness.reading.text import clean, simplified

if TYPE_CHECKING:
    from harness.reading.outcomes import Clause

NEUTRAL_BAND = 1.0
"""Scores within this of zero are neutral: one weak word without emphasis is not yet a feeling."""

IRONIC = 2
"""Irony in one of so many last sentences decides a story."""
_SENTENCE = re.compile(r"[^。!?\n…]+[。!?\n…]*[\"」』]?")
_CLAUSE = re.compile(r"[^,。!?;:\n…~、]+[,。!?;:\n…~、]*")
_LISTS = lists.load("zh/tone")
_NEGATOR = _LISTS.pattern("negator")
_STRONG = _LISTS.pattern("strong")
_WEAK = _LISTS.pattern("weak")
_FIXED = _LISTS.pattern("fixed")
_TURN = _LISTS.pattern("turn")
_CONCEDED = _LISTS.pattern("conceded")
_HYPOTHETICAL = _LISTS.pattern("hypothetical")
_IRONY = _LISTS.pattern("irony")
_KEPT = {word: float(weight) for word, _, weight in (w.partition("=") for w in _LISTS.words("kept"))}


@functools.cache
def _lexicon() -> tuple[re.Pattern[str], dict[str, float]]:
    weights: dict[str, float] = {}
    text = resources.files("harness.reading").joinpath("data/sentiment_zh.txt").read_text("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            weight, *words = line.split()
            for word in words:
                weights.setdefault(simplified(word), float(weight))
    longest_first = sorted({*weights, *_KEPT}, key=len, reverse=True)
    fixed = _FIXED.pattern
    return re.compile(
        "|".join([*longest_first[: _long(longest_first)], fixed, *longest_first[_long(longest_first) :]])
    ), weights | _KEPT


def _long(words: list[str]) -> int:
    """How many words have three characters or more: they go before the fixed expressions, which go before the rest."""
    return sum(len(w) >= 3 for w in words)


def tone(text: str) -> float:
    """The score of a text: its clauses' scores, turned and conceded ones weighed."""
    clauses = _CLAUSE.findall(simplified(clean(text).lower()))
    if _IRONY.search("".join(clauses)):
        return -2.0
    return sum(_turned(clauses), 0.0)


def left_behind(text: str) -> str:
    """What a story leaves behind."""
    return outcomes.verdict(text, story_clauses(text), "zh")


def story_clauses(text: str) -> list[Clause]:
    """The clauses of a story with the signs in them."""
    plain = simplified(clean(text).lower())
    sentences = [s for s in _SENTENCE.findall(plain) if re.search(r"\w", s)]
    found = []
    for back, sentence in enumerate(reversed(sentences)):
        parts = _CLAUSE.findall(sentence)
        felt = _turned(parts)
        if back < IRONIC and _IRONY.search(sentence):
            felt = [-2.0] * len(parts)
        glad = outcomes.glad(sentence, "zh")
        for k, (part, weight) in enumerate(zip(reversed(parts), reversed(felt), strict=True)):
            found.append(outcomes.clause(part, back + 0.25 * min(k, 3), weight / 4, "zh", glad=glad))
    return found


def label(score: float) -> str:
    """The class of a score."""
    if abs(score) <= NEUTRAL_BAND:
        return "neutral"
    return "positive" if score > 0 else "negative"


def _turned(clauses: list[str]) -> list[float]:
    """Clause scores; what stands before a turn weighs half, what follows it counts in full and half again."""
    scores: list[float] = []
    factor = 1.0
    for clause in clauses:
        if _TURN.match(clause):
            scores = [s * 0.5 for s in scores]
            factor = 1.5
        score = _clause(clause) * factor
        if _CONCEDED.search(clause):
            score *= 0.4
        scores.append(score)
        if re.search(r"[。!?\n]", clause):
            factor = 1.0
    return scores


def _clause(clause: str) -> float:
    pattern, weights = _lexicon()
    total = 0.0
    last = 0
    for word in pattern.finditer(clause):
        weight = weights.get(word.group(), 0.0)
        before = clause[last : word.start()]
        if weight:
            degree = 1.4 if _STRONG.search(before) else 0.6 if _WEAK.search(before) else 1.0
            plain = _WEAK.sub("", _STRONG.sub("", before))
            if word.group() not in _KEPT and _NEGATOR.search(plain):
                # "Not good" is bad; "not bad at all" is only mildly good.
                weight *= -0.8 if weight > 0 else -0.5
            total += weight * degree
            last = word.end()
    if "!" in clause:
        total *= 1.2
    if re.search(r"[?]|吗", clause) or _HYPOTHETICAL.search(clause):
        total *= 0.4
    return total
