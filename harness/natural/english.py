"""Features of English replies: kinds of words, readability, tone."""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING

from harness.natural.vader import Vader

if TYPE_CHECKING:
    from harness.natural.text import TakenApart

_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+(?=\s|$|[\"'”’)])[\"'”’)]*|[.!?]+|\n|$)")
_VOWELS = re.compile(r"[aeiouy]+")
_KINDS = {
    "modal": "can could may might must shall should will would can't couldn't won't wouldn't shouldn't mustn't",
    "wh_word": "who whom whose what which when where why how",
    "first_person": "i me my mine myself we us our ours i'm i've i'll i'd we're we've we'll",
    "second_person": "you your yours yourself you're you've you'll you'd",
    "third_person": "he him his she her hers they them their theirs it its he's she's they're it's",
    "negation": "no not never none nothing nobody neither nor don't doesn't didn't isn't aren't wasn't can't won't",
    "conjunction": "and but or so because although though while if unless since",
    "preposition": "of in to for with on at from by about as into like through after over between out against "
    "during without before under around among",
    "article": "a an the",
    "auxiliary": "am is are was were be been being have has had do does did",
    "hedge": "maybe perhaps probably possibly guess seems think kind sort",
    "filler": "oh well yeah yes ok okay wow hey hi hello thanks thank please sorry lol haha",
}
_MEMBERS = {name: frozenset(words.split()) for name, words in _KINDS.items()}
_FUNCTION = frozenset(w for name in _MEMBERS if name not in ("hedge", "filler") for w in _MEMBERS[name])


def sentences(text: str) -> list[str]:
    """Sentences by their marks and line ends."""
    return [s.strip() for s in _SENTENCE.findall(text) if re.search(r"\w", s)]


def features(text: TakenApart) -> dict[str, float]:
    """Counts, and ratios to words or sentences."""
    return {**_cases(text), **_kinds(text), **_reading(text), **_tone(text)}


def _cases(text: TakenApart) -> dict[str, float]:
    words = [t for t in text.tokens if t[0].isalpha()]
    n = max(len(words), 1)
    capitals = sum(w.isupper() and len(w) > 1 for w in words)
    titles = sum(w[0].isupper() for w in words)
    initial = sum(s[:1].isupper() for s in text.sentences)
    contractions = sum("'" in w for w in words)
    return {
        "all_caps_token_count": capitals,
        "title_case_token_count": titles,
        "contraction_count": contractions,
        "hyphen_count": text.whole.count("-"),
        "all_caps_token_ratio": capitals / n,
        "title_case_token_ratio": titles / n,
        "contraction_ratio": contractions / n,
        "sentence_initial_capital_ratio": initial / max(len(text.sentences), 1),
    }


def _kinds(text: TakenApart) -> dict[str, float]:
    n = max(len(text.words), 1)
    counts = {name: sum(w in members for w in text.words) for name, members in _MEMBERS.items()}
    content = sum(w not in _FUNCTION for w in text.words)
    return {
        **{f"{name}_count": count for name, count in counts.items()},
        "content_word_count": content,
        **{f"{name}_ratio": count / n for name, count in counts.items()},
        "content_word_ratio": content / n,
    }


@functools.lru_cache(maxsize=50_000)
def _syllables(word: str) -> int:
    found = len(_VOWELS.findall(word))
    return max(found - (found > 1 and word.endswith("e") and not word.endswith("le")), 1)


def _reading(text: TakenApart) -> dict[str, float]:
    """Word lengths and readability: Flesch, Flesch-Kincaid, Fog, SMOG, Coleman-Liau, ARI; 0 without a word."""
    words = text.words
    n, s = max(len(words), 1), max(len(text.sentences), 1)
    letters = sum(map(len, words))
    syllables = [_syllables(w) for w in words]
    total, many = sum(syllables), sum(c >= 3 for c in syllables)
    sizes = [len(w) for w in words]
    classes = {
        "short_word": sum(k <= 3 for k in sizes),
        "medium_word": sum(4 <= k <= 6 for k in sizes),
        "long_word": sum(k >= 7 for k in sizes),
        "very_long_word": sum(k >= 11 for k in sizes),
        "multisyllabic_word": many,
    }
    some = bool(words)
    return {
        "syllable_count": total,
        **{f"{name}_count": count for name, count in classes.items()},
        **{f"{name}_ratio": count / n for name, count in classes.items()},
        "avg_word_length": letters / n,
        "avg_syllables_per_word": total / n,
        "flesch_reading_ease": some * (206.835 - 1.015 * n / s - 84.6 * total / n),
        "flesch_kincaid_grade": some * (0.39 * n / s + 11.8 * total / n - 15.59),
        "gunning_fog": some * 0.4 * (n / s + 100 * many / n),
        "smog_index": some * (1.043 * math.sqrt(many * 30 / s) + 3.1291),
        "coleman_liau": some * (5.88 * letters / n - 29.6 * s / n - 15.8),
        "automated_readability_index": some * (4.71 * letters / n + 0.5 * n / s - 21.43),
    }


_vader = functools.cache(Vader)


def _tone(text: TakenApart) -> dict[str, float]:
    scores = _vader().scores(text.whole[:3000])
    return {f"vader_{name}": float(scores[name]) for name in ("compound", "pos", "neg", "neu")}
