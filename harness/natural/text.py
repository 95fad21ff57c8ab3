"""A reply taken apart."""

from __future__ import annotations

from typing import NamedTuple


class TakenApart(NamedTuple):
    """A reply taken apart once for all features."""

    whole: str
    tokens: list[str]
    words: list[str]
    """Tokens that begin with a letter or are a Han character, in lower case."""
    sentences: list[str]
