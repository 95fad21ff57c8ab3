"""A run's replies and people's as samples of features, for the metrics that compare them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.natural import features
from harness.reading.style import OUTCOMES, length_bin
from harness.scoring.people import ReplySample, of_people, sample

if TYPE_CHECKING:
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
    ours = {c: _model(texts, c, people.contexts[c], controlled) for c in contexts}
    theirs = {c: _people(people.contexts[c], controlled) for c in contexts}
    return Likeness(*of_people({c: s for c, s in ours.items() if s}, theirs, about))


def _model(
    texts: Texts, context: str, beside: ContextReplies, controlled: NDArray[np.bool_]
) -> ReplySample | None:
    """A random few of each prompt's draws."""
    rng = np.random.default_rng(0)
    chosen: list[str] = []
    groups: list[int] = []
    talks: list[str] = []
    prompts = [(key, said) for key, said in texts.said.items() if key[0] == context]
    for number, (key, said) in enumerate(prompts):
        given = [s for s in said if s.label != "failed"]
        counts = np.array([s.draws for s in given], dtype=np.int64)
        if counts.sum():
            picked = rng.multivariate_hypergeometric(counts, min(DRAWS, int(counts.sum())))
            few = [s.text for s, times in zip(given, picked, strict=True) for _ in range(times)]
            chosen += few
            groups += [number] * len(few)
            talks += [texts.conversations.get(key) or key[1]] * len(few)
    if not chosen:
        return None
    lengths = np.array([_LENGTHS.index(length_bin(features.token_count(t))) for t in chosen])
    values = features.features(chosen, texts.language)
    numbers = np.unique(talks, return_inverse=True)[1]
    return sample(values, beside.scale, lengths, controlled, numbers, np.array(groups))


def _people(replies: ContextReplies, controlled: NDArray[np.bool_]) -> ReplySample:
    lengths = np.array([_LENGTHS.index(n) if n in _LENGTHS else -1 for n in replies.lengths])
    return sample(replies.vectors, replies.scale, lengths, controlled, replies.conversations)
