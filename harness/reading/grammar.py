"""English function words (pronouns, articles, prepositions ...) by which a story's sentences are analysed."""

from __future__ import annotations

from harness.reading import lists

_LISTS = lists.load("en/grammar")
DETERMINERS = _LISTS.words("determiners")
POSSESSIVES = _LISTS.words("possessives")
PREPOSITIONS = _LISTS.words("prepositions")
PLACED = _LISTS.words("placed")
VERBS = _LISTS.words("verbs")
STARTERS = _LISTS.words("starters")
BOUNDARY = _LISTS.words("boundary")
SAID = _LISTS.words("said")
COPULA = _LISTS.words("copula")
NO_WORKERS = _LISTS.words("no_workers")
AMBIGUOUS = _LISTS.words("ambiguous")
