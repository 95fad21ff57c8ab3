"""Whether prompts tell a model what the person replied, or how long: more often than people's prompts do by themselves.

A question may hold its answer (*tea or coffee?*) and may name a length, so a share alone says nothing. The corpus has
shares of its own, and a run is marked where its prompts exceed them by more than chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from harness.natural.features import token_count, tokens
from harness.reading.style import OUTCOMES, length_bin

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["answer", "gold_length"]
LEVEL = 0.001
"""Chance of marking a run whose prompts are the corpus's own, at most."""
_NAMES = frozenset(OUTCOMES["length"])
_LEAST = 10
"""Fewer tokens than this are no length that a prompt would state: small numbers are everywhere."""


class ToldCount(NamedTuple):
    """Replies of one context, and of how many the prompt tells."""

    replies: int
    answer: int
    gold_length: int

    def of(self, kind: Kind) -> int:
        """How many tell it."""
        return self.answer if kind == "answer" else self.gold_length


def holds(prompt: str, reply: str) -> bool:
    """Whether the whole reply stands in the prompt, but for case and spaces."""
    inside, whole = (f" {' '.join(tokens(t.lower()))} " for t in (reply, prompt))
    return inside.strip() != "" and inside in whole


def names_length(prompt: str, reply: str) -> bool:
    """Whether the prompt names the length of the reply (short, medium, long, xlong) and no other, or its tokens."""
    words, count = tokens(prompt.lower()), token_count(reply)
    return _NAMES & set(words) == {length_bin(count)} or (count >= _LEAST and str(count) in words)


def excess(asked: Mapping[str, ToldCount], corpus: Mapping[str, ToldCount], kind: Kind) -> float:
    """The p of Fisher's test that prompts tell no more often than the corpus: the least over contexts, times their number.

    1 where the corpus was not counted.
    """
    from scipy.stats import hypergeom

    found = []
    for context, own in asked.items():
        if context in corpus:
            k, known = own.of(kind), corpus[context].of(kind)
            total = own.replies + corpus[context].replies
            found.append(float(hypergeom.sf(k - 1, total, k + known, own.replies)))
    return min(1.0, min(found) * len(found)) if found else 1.0
