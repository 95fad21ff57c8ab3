"""Brings a text into the form that readers use: one width, one case, one Chinese script; no markup."""

from __future__ import annotations

import re
import unicodedata

from harness.reading import lists

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
LETTER = rf"[^\W\d_{HAN}\u3040-\u30ff]"
"""A letter of a script that puts spaces between words."""

_SIMPLIFIED = str.maketrans({pair[0]: pair[1] for pair in lists.load("zh/characters").words("simplified")})
_PUNCTUATION = str.maketrans(
    {
        "‘": "'",
        "’": "'",
        "‛": "'",
        "ʼ": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "‐": "-",
        "−": "-",
    }
)
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\ufe00-\ufe0f\u202a-\u202e]")
_STRUCK = re.compile(r"~~(?=\S).+?~~|<(del|s|strike)>.*?</\1>", re.S | re.I)
_ELEMENT = re.compile(r"</?[A-Za-z][\w:-]*(?:\s[^<>]*)?/?>|<\|[\w ]+\|>")
_EMPHASIS = re.compile(
    r"\*+|`+|(?<!\w)_+|_+(?!\w)|\\(?:boxed|text|mathbf|textbf)?(?=\{)|(?m:^\s{0,3}#{1,6}\s)"
)


def clean(text: str) -> str:
    """One Unicode form, straight quotes, no invisible characters; case is kept."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_PUNCTUATION)


def simplified(text: str) -> str:
    """Traditional Chinese characters as simplified ones, one for one."""
    return text.translate(_SIMPLIFIED)


def fold(text: str) -> str:
    """``clean`` without markup, emphasis or struck-out words, in lower case and simplified characters."""
    # Before the widths are made one: a full-width "～～" is an ornament.
    text = clean(_STRUCK.sub(" ", text))
    text = _EMPHASIS.sub("", _ELEMENT.sub(" ", text))
    return simplified(text.lower()).replace("--", "—")


def is_chinese(text: str) -> bool:
    """True when a text holds Han characters and they outweigh its other words."""
    if text.isascii():
        return False
    han = len(re.findall(rf"[{HAN}]", text))
    return han > 0 and han >= len(re.findall(rf"{LETTER}+", text))


def vocabulary(words: str) -> frozenset[str]:
    """A set of words written as one text."""
    return frozenset(words.split())
