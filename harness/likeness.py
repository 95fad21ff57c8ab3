"""A run's replies and people's as samples of features, for the metrics that compare them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.natural import features
from harness.reading.style import OUTCOMES, length_bin
from harness.scoring.people import ReplySample, of_people, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from harness.metrics.base import About, Texts
    from harness.scoring.measured import Measured
    from harness.tasks.people import ContextReplies, People

DRAWS = 8
"""Draws of a prompt whose features are computed, at most."""
_LENGTHS = OUTCOMES["length"]


class Likeness(NamedTuple):
    """Metrics by key."""

    mean: dict[str, Measured]
    """Over contexts."""
    contexts: dict[str, dict[str, Measured]]


def compared(texts: Texts, people: People, about: About) -> Likeness:
    """The metrics of a run against people, in the mean over contexts and per context."""
    contexts = [c for c in dict.fromkeys(context for context, _ in texts.said) if c in people.contexts]
    controlled = features.controlled(texts.language)
    ours: dict[str, ReplySample] = {}
    for context in contexts:
        picked, beside = _picked(texts, context), people.contexts[context]
        if picked.replies:
            lengths = np.array([_LENGTHS.index(length_bin(features.token_count(t))) for t in picked.replies])
            values = features.features(picked.replies, texts.language)
            ours[context] = sample(values, beside.scale, lengths, controlled, picked.talks, picked.prompts)
    theirs = {c: _people(people.contexts[c], controlled) for c in contexts}
    return Likeness(*of_people(ours, theirs, about))


def encoded(texts: Texts, encode: Callable[[Sequence[str]], NDArray[np.float64]], about: About) -> Likeness:
    """The metrics of a run against what people replied to its prompts, by an encoder's vectors."""
    ours: dict[str, ReplySample] = {}
    theirs: dict[str, ReplySample] = {}
    for context in dict.fromkeys(context for context, _ in texts.references):
        picked = _picked(texts, context)
        keys = [key for key in texts.said if key[0] == context]
        people = [(n, key, reply) for n, key in enumerate(keys) for reply in texts.references.get(key, ())]
        if picked.replies:
            ours[context] = _meanings(encode(picked.replies), picked.talks, picked.prompts)
            talks = np.unique(
                [texts.conversations.get(key) or key[1] for _, key, _ in people], return_inverse=True
            )[1]
            theirs[context] = _meanings(
                encode([reply for *_, reply in people]), talks, np.array([n for n, *_ in people])
            )
    return Likeness(*of_people(ours, theirs, about, held_out=True))


def _meanings(
    values: NDArray[np.float64], talks: NDArray[np.int64], prompts: NDArray[np.int64]
) -> ReplySample:
    width = values.shape[1]
    lengths = np.zeros(len(values), dtype=np.int64)
    return sample(values, np.ones(width), lengths, np.ones(width, dtype=bool), talks, prompts)


class _Picked(NamedTuple):
    """Some of a run's replies in one context."""

    replies: list[str]
    talks: NDArray[np.int64]
    prompts: NDArray[np.int64]
    """Their prompts, by number in the context."""


def _picked(texts: Texts, context: str) -> _Picked:
    """A random few of each prompt's draws."""
    rng = np.random.default_rng(0)
    chosen: list[str] = []
    prompts: list[int] = []
    talks: list[str] = []
    asked = [(key, said) for key, said in texts.said.items() if key[0] == context]
    for number, (key, said) in enumerate(asked):
        given = [s for s in said if s.label != "failed"]
        counts = np.array([s.draws for s in given], dtype=np.int64)
        if counts.sum():
            picked = rng.multivariate_hypergeometric(counts, min(DRAWS, int(counts.sum())))
            few = [s.text for s, times in zip(given, picked, strict=True) for _ in range(times)]
            chosen += few
            prompts += [number] * len(few)
            talks += [texts.conversations.get(key) or key[1]] * len(few)
    numbers = np.unique(talks, return_inverse=True)[1]
    return _Picked(chosen, numbers, np.array(prompts, dtype=np.int64))


def _people(replies: ContextReplies, controlled: NDArray[np.bool_]) -> ReplySample:
    lengths = np.array([_LENGTHS.index(n) if n in _LENGTHS else -1 for n in replies.lengths])
    return sample(replies.vectors, replies.scale, lengths, controlled, replies.conversations)
