"""Reads the sentiment of a reply (its tone) and of a story (how it ends), in English and Chinese."""

from __future__ import annotations

import functools
import re
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

from harness.errors import UserError, nearest
from harness.natural.vader import Vader
from harness.reading import lists, outcomes, refusal, sentiment_zh
from harness.reading.base import Answer, Reader, Reading
from harness.reading.text import clean, is_chinese

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harness.reading.outcomes import Clause

Scope = Literal["reply", "story"]
NEUTRAL_BAND = 0.13
"""Scores within this of zero are neutral, on VADER's scale of -1 to 1."""

_LISTS = lists.load("en/sentiment")
_IRONY = _LISTS.pattern("irony", flags=re.I)
_IRONY_NEEDS = _LISTS.needs("irony")
_CHEERED = _LISTS.pattern("cheered", flags=re.I)
# Tears and goodbyes turn on what they are shed for; "never smiled again" is not a smile.
_TURNED = tuple(
    (_LISTS.needs(name), _LISTS.pattern(name, flags=re.I), word)
    for name, word in (
        ("off_work", "is off"),
        ("could_not_be_better", "superb"),
        ("not_as_feared", "pleasantly fine"),
        ("used_to_love", "was let down by"),
        ("wish_never", "regretted"),
        ("hardly", "disappointingly not "),
        ("down", "depressed"),
        ("neither", "middling"),
        ("until", " but "),
        ("tears_of_joy", "tears of joy"),
        ("never_again", "never again"),
        ("never_forget", "remembered"),
        ("passed_away", "died"),
    )
)
_PIECE = 3000
"""Longer texts are scored in pieces: VADER takes the square of their length."""
_WORD = re.compile(r"[^\W\d_]+")
_ABBREVIATION = re.compile(r"\b(Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|No)\.")
_SENTENCE = re.compile(r"(?<=[.!?])[\"')]*\s+(?=[\"'(]*[A-Z0-9§])|\n+")
_CLAUSE = re.compile(r"(?:[^.!?,;\n…—]|(?<=\d)[.,](?=\d))+[.!?,;…—]*[\"')\]]*")


def tone(text: str, language: str) -> str:
    """The tone of a whole reply."""
    if _chinese(text, language):
        return sentiment_zh.label(sentiment_zh.tone(text))
    return _label(_english(clean(text)))


def left_behind(text: str, language: str) -> str:
    """What a story leaves behind: the nearer the end, the more a clause weighs."""
    if _chinese(text, language):
        return sentiment_zh.left_behind(text)
    return outcomes.verdict(text, story_clauses(text), "en")


def story_clauses(text: str) -> list[Clause]:
    """The clauses of an English story with the signs in them."""
    plain = _ABBREVIATION.sub(r"\1", clean(text).strip())
    sentences = [s for s in _SENTENCE.split(plain) if re.search(r"\w", s)]
    found = []
    for back, sentence in enumerate(reversed(sentences)):
        parts = [c for c in _CLAUSE.findall(sentence) if re.search(r"\w", c)]
        glad = outcomes.glad(sentence, "en")
        for k, part in enumerate(reversed(parts)):
            found.append(outcomes.clause(part, back + 0.25 * min(k, 3), _english(part), "en", glad=glad))
    return found


def _chinese(text: str, language: str) -> bool:
    return is_chinese(text) if language == "zh" else is_chinese(text) and not re.search("[A-Za-z]{3}", text)


def _label(score: float, band: float = NEUTRAL_BAND) -> str:
    if abs(score) < band:
        return "neutral"
    return "positive" if score > 0 else "negative"


def _english(text: str) -> float:
    if len(text) > _PIECE:
        pieces = [text[i : i + _PIECE] for i in range(0, len(text), _PIECE)]
        return sum(map(_english, pieces)) / len(pieces)
    low = text.lower()
    for needs, turn, word in _TURNED:
        if _holds(low, needs):
            text = turn.sub(word, text)
            low = text.lower()
    found = _score(text)
    cheer = _CHEERED.search(text)
    ironic = (_holds(low, _IRONY_NEEDS) and _IRONY.search(text)) or (
        cheer and _score(text[cheer.end() :]) < 0
    )
    return min(found, -0.4) if ironic else found


def _holds(low: str, needs: Sequence[str]) -> bool:
    """Whether a search could find something: most texts have none of the words, and are not searched."""
    return any(word in low for word in needs)


def _score(text: str) -> float:
    """VADER's score, with our words, each phrase of ours taken as one word."""
    phrases, score = _vader()
    if phrases.keys().isdisjoint(pairwise(_WORD.findall(text.lower()))):
        return score(text)
    parts: list[str] = []
    last = 0
    words = list(_WORD.finditer(text))
    for word, pair in zip(words, pairwise(w.group().lower() for w in words), strict=False):
        known = phrases.get(pair)
        phrase = known.match(text, word.start()) if known and word.start() >= last else None
        if phrase:
            parts += (text[last : word.start()], _as_word(phrase.group()))
            last = phrase.end()
    return score("".join([*parts, text[last:]]))


def _as_word(phrase: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in phrase.lower())


@functools.cache
def _vader() -> tuple[dict[tuple[str, str], re.Pattern[str]], Callable[[str], float]]:
    """Our phrases by their first two words, and VADER with our additions."""
    analyser = Vader()
    phrases: dict[tuple[str, str], set[str]] = {}
    text = resources.files("harness.reading").joinpath("data/sentiment_en.txt").read_text("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            weight, *words = line.split(", ")
            analyser.lexicon.update({_as_word(w): float(weight) for w in words})
            for phrase in words:
                if not phrase.isalnum():
                    first, second, *_ = _WORD.findall(phrase)
                    phrases.setdefault((first, second), set()).add(phrase)
    # The longest first: "not bad at all" before "not bad".
    patterns = {
        begin: re.compile(rf"(?:{'|'.join(map(re.escape, sorted(known, key=len, reverse=True)))})\b", re.I)
        for begin, known in phrases.items()
    }
    return patterns, lambda t: float(analyser.scores(t)["compound"])


class SentimentReader(Reader):
    """Reads positive, negative or neutral from a text that does not name its feeling."""

    version = "4"

    def __init__(self, classes: Mapping[str, Iterable[str]], language: str, scope: Scope = "story") -> None:
        if scope not in get_args(Scope):
            raise UserError(
                "an unknown scope of the reader 'sentiment'",
                where="reader",
                found=scope,
                expected=", ".join(get_args(Scope)),
                nearest=nearest(str(scope), get_args(Scope)),
            )
        missing = [c for c in ("positive", "negative", "neutral") if c not in classes]
        if missing:
            raise UserError(
                "the reader 'sentiment' gives classes that the task lacks",
                where="classes",
                found=", ".join(classes),
                expected="positive, negative, neutral",
            )
        self.language = language
        self.scope = scope

    def read(self, answer: Answer) -> Reading:
        """What the text leaves behind; a cut text's end is not there to be read."""
        if not re.search(r"[^\W\d_]", answer.text):
            return Reading("truncated" if answer.cut else "unparsed", "no words")
        if refusal.declines_task(answer.text):
            return Reading("refused")
        if answer.cut:
            return Reading("truncated", "cut before its end")
        feel = left_behind if self.scope == "story" else tone
        return Reading(feel(answer.text, self.language))
