"""Features of a reply's text (PolyAlign, arXiv 2606.13227), those that mean something in its language.

Left out: what needs a tagger of parts of speech, what is the same for every reply, and what is of the prompt alone.
Chinese is taken by character: no English tagger, readability formula or sentiment lexicon is applied to it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from harness.errors import UserError
from harness.natural import chinese, english
from harness.natural.text import TakenApart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

Language = Literal["en", "zh"]
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[A-Za-z]+(?:'[A-Za-z]+)?|\d+|[{HAN}]|[^\w\s]")
"""An English word with its apostrophe part, a run of digits, one Han character, one punctuation mark."""
_LETTER = re.compile(rf"[A-Za-z{HAN}]")
_BULLET = re.compile(r"^\s*[-*+•·●]\s+\S", re.M)
_NUMBERED = re.compile(r"^\s*[(（]?(?:\d{1,3}|[一二三四五六七八九十]{1,3})[.)、．）]", re.M)
_MARKS = {
    "comma": ",，",
    "period": ".。",
    "question_mark": "?？",
    "exclamation_mark": "!！",
    "colon": ":：",
    "semicolon": ";；",
    "quote": '"“”「」『』',
    "parenthesis": "()（）",
    "bracket": "[]【】",
    "slash": "/",
    "ellipsis": "…",
}


_GROWS = {"type_token_ratio", "root_ttr", "hapax_ratio", "dislegomena_ratio", "max_token_frequency_ratio"} | {
    *("distinct_2", "repeated_bigram_ratio", "shannon_entropy", "max_clause_length", "distinct_char_pairs")
}
"""No counts, yet they rise or fall with length."""


def names(language: str) -> tuple[str, ...]:
    """The features of a language, in the order of ``features``."""
    return tuple(_of("a", language))


def controlled(language: str) -> NDArray[np.bool_]:
    """Which features are ratios and means that do not measure a reply's length again."""
    import numpy as np

    return np.array([not name.endswith("_count") and name not in _GROWS for name in names(language)])


def features(texts: Sequence[str], language: str) -> NDArray[np.float64]:
    """Replies x features, to the precision in which they are kept beside a target.

    A reply that people gave too has a distance of 0 from theirs, which neighbourhoods of equal replies depend on.
    """
    import numpy as np

    rows = [list(_of(text, language).values()) for text in texts]
    return np.array(rows, dtype=np.float32).reshape(len(texts), len(names(language))).astype(np.float64)


def tokens(text: str) -> list[str]:
    """English words, runs of digits, Han characters and punctuation marks."""
    return _TOKEN.findall(text)


def token_count(text: str) -> int:
    """Tokens of a text, by which replies are short, medium, long or xlong."""
    return len(tokens(text))


def _of(whole: str, language: str) -> dict[str, float]:
    known: dict[str, Callable[[TakenApart], dict[str, float]]] = {
        "en": english.features,
        "zh": chinese.features,
    }
    if language not in known:
        raise UserError("no features of this language", found=language, expected=", ".join(known))
    tokens = _TOKEN.findall(whole)
    words = [t.lower() for t in tokens if _LETTER.match(t)]
    sentences = english.sentences(whole) if language == "en" else chinese.sentences(whole)
    text = TakenApart(whole, tokens, words, sentences)
    return {**_layout(text), **_marks(text), **_variety(text), **known[language](text)}


def _layout(text: TakenApart) -> dict[str, float]:
    whole, count = text.whole, len(text.tokens)
    sizes = [len(_TOKEN.findall(s)) for s in text.sentences] or [0]
    mean = sum(sizes) / len(sizes)
    digits = sum(c.isdigit() for c in whole)
    return {
        "char_count": len(whole),
        "token_count": count,
        "word_token_count": len(text.words),
        "sentence_count": len(text.sentences),
        "paragraph_count": len([p for p in whole.split("\n\n") if p.strip()]),
        "newline_count": whole.count("\n"),
        "bullet_line_count": len(_BULLET.findall(whole)),
        "enumerated_line_count": len(_NUMBERED.findall(whole)),
        "code_fence_count": whole.count("```"),
        "url_count": len(re.findall(r"https?://|www\.", whole)),
        "digit_char_count": digits,
        "number_token_count": sum(t[0].isdigit() for t in text.tokens),
        "avg_tokens_per_sentence": mean,
        "std_tokens_per_sentence": math.sqrt(sum((s - mean) ** 2 for s in sizes) / len(sizes)),
        "digit_char_ratio": digits / max(len(whole), 1),
    }


def _marks(text: TakenApart) -> dict[str, float]:
    counts = {name: sum(text.whole.count(m) for m in marks) for name, marks in _MARKS.items()}
    tokens = max(len(text.tokens), 1)
    punctuation = sum(not (t[0].isalnum()) for t in text.tokens)
    ends = [s.rstrip("\"'”’」』）) ")[-1:] for s in text.sentences] or [""]
    return {
        **{f"{name}_count": n for name, n in counts.items()},
        "punctuation_count": punctuation,
        "punctuation_density": punctuation / tokens,
        "comma_ratio": counts["comma"] / tokens,
        "question_sentence_ratio": sum(e in "?？" and e != "" for e in ends) / len(ends),
        "exclam_sentence_ratio": sum(e in "!！" and e != "" for e in ends) / len(ends),
        "terminal_punctuation_ratio": sum(e in ".。?？!！…" and e != "" for e in ends) / len(ends),
    }


def _variety(text: TakenApart) -> dict[str, float]:
    words = text.words
    counts, n = Counter(words), max(len(words), 1)
    pairs = Counter(pairwise(words))
    all_pairs = max(sum(pairs.values()), 1)
    kinds = Counter(counts.values())
    return {
        "unique_word_count": len(counts),
        "adjacent_repeat_count": sum(a == b for a, b in pairwise(words)),
        "max_token_frequency_count": max(counts.values(), default=0),
        "type_token_ratio": len(counts) / n,
        "root_ttr": len(counts) / math.sqrt(n),
        "hapax_ratio": kinds[1] / n,
        "dislegomena_ratio": kinds[2] / n,
        "max_token_frequency_ratio": max(counts.values(), default=0) / n,
        "distinct_2": len(pairs) / all_pairs,
        "repeated_bigram_ratio": sum(c for c in pairs.values() if c > 1) / all_pairs,
        "shannon_entropy": -sum(c / n * math.log2(c / n) for c in counts.values()),
    }
