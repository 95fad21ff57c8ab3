"""VADER's scores of a text, by its own rules, in time that grows with the text and not with its square.

VADER lowers every word of a text again at each word that has a feeling, though it looks at three words before it and
two after it. Here only these are looked at, and negations are looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import missing_package

if TYPE_CHECKING:
    from collections.abc import Sequence

_BEFORE, _AFTER = 3, 2


class Vader:
    """The analyser of the package ``vaderSentiment``; its lexicon may be added to."""

    def __init__(self) -> None:
        try:
            from vaderSentiment import vaderSentiment as package
        except ImportError as error:
            raise missing_package("the English sentiment reader", "vaderSentiment", "sentiment") from error
        own = package.SentimentIntensityAnalyzer()
        idioms = own._special_idioms_check  # there is no public way to these
        known = [*package.SPECIAL_CASES, *(b for b in package.BOOSTER_DICT if " " in b)]
        spoken = frozenset(word for idiom in known for word in idiom.split())
        negations, flip = frozenset(package.NEGATE), float(package.N_SCALAR)

        def negated(word: str) -> bool:
            return word in negations or "n't" in word

        def near_negation(valence: float, words: Sequence[str], start: int, i: int) -> float:
            """The rules of ``_negation_check``: one, two and three words before."""
            near = [w.lower() for w in words[i - start - 1 : i]]
            stressed = ("so", "this")
            if (start and near[0] == "never" and near[1] in stressed) or (start == 2 and near[2] in stressed):
                return valence * 1.25
            if start and near[0] == "without" and "doubt" in near[1:]:
                return valence
            return valence * flip if negated(near[0]) else valence

        def near_idioms(valence: float, words: Sequence[str], i: int) -> float:
            first = max(i - _BEFORE, 0)
            near = words[first : i + 1 + _AFTER]
            if spoken.isdisjoint(w.lower() for w in near):
                return valence
            return float(idioms(valence, near, i - first))

        own._negation_check, own._special_idioms_check = near_negation, near_idioms
        self._own, self._take, self._boosters = own, package.SentiText, frozenset(package.BOOSTER_DICT)
        self.lexicon: dict[str, float] = own.lexicon

    def scores(self, text: str) -> dict[str, float]:
        """``compound``, ``pos``, ``neg`` and ``neu``, as ``polarity_scores`` gives them."""
        own = self._own
        if not text.isascii() and not own.emojis.keys().isdisjoint(text):
            given: dict[str, float] = own.polarity_scores(text)  # puts them into words
            return given
        text = text.strip()
        taken = self._take(text)
        words = [w.lower() for w in taken.words_and_emoticons]
        feelings: list[float] = []
        for i, word in enumerate(words):
            plain = word in self._boosters or (word == "kind" and words[i + 1 : i + 2] == ["of"])
            if plain or word not in self.lexicon:
                feelings.append(0)
            else:
                own.sentiment_valence(0, taken, taken.words_and_emoticons[i], i, feelings)
        found: dict[str, float] = own.score_valence(own._but_check(words, feelings), text)
        return found
