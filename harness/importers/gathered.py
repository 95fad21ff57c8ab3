"""What is kept of a corpus while it is read: a few bytes a reply, and a sample of texts per context."""

from __future__ import annotations

import heapq
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.importers.corpus import Reply, messages, share
from harness.importers.slug import slug
from harness.reading.style import OUTCOMES, Feature
from harness.reading.told import ToldCount, holds, names_length

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

TEXTS = 5000
"""Replies whose features are computed per context, at most."""
LENGTH = OUTCOMES["length"]


class ShapeCounts(NamedTuple):
    """One attribute in one context, or in one context and length."""

    level: str
    """context or length."""
    context: str
    counts: NDArray[np.float64]
    """Conversations x classes."""
    second: NDArray[np.bool_]
    """Conversations of the second half."""


class SampledReply(NamedTuple):
    """A reply in the sample."""

    order: float
    """Random; the largest are kept."""
    text: str
    talk: int
    second: bool
    length: int
    """Index of the length bin, -1 where unknown."""
    answer: bool
    """Whether the prompt holds the reply."""
    gold_length: bool
    """Whether the prompt names the reply's length."""


@dataclass(slots=True)
class Gathered:
    """Replies as columns."""

    contexts: dict[str, int] = field(default_factory=dict)
    context: array[int] = field(default_factory=lambda: array("H"))
    stratified: array[int] = field(default_factory=lambda: array("b"))
    second: array[int] = field(default_factory=lambda: array("b"))
    talk: array[int] = field(default_factory=lambda: array("Q"))
    labels: dict[Feature, array[int]] = field(default_factory=lambda: {name: array("b") for name in OUTCOMES})
    texts: dict[tuple[str, bool], list[SampledReply]] = field(default_factory=dict)
    """(context, whether stratified) -> a sample."""

    def add(self, reply: Reply, shape: Mapping[str, str], stratified: bool) -> None:
        """Count a reply, and perhaps keep its text until features are computed."""
        name = context_of(reply)
        talk, second = reply.talk, share("half", reply) >= 0.5
        self.context.append(self.contexts.setdefault(name, len(self.contexts)))
        self.stratified.append(stratified)
        self.second.append(second)
        self.talk.append(talk)
        for attribute, classes in OUTCOMES.items():
            label = shape.get(attribute)
            self.labels[attribute].append(classes.index(label) if label in classes else -1)
        kept = self.texts.setdefault((name, stratified), [])
        order = reply.key / 2**64
        if len(kept) < TEXTS or order > kept[0].order:
            asked = "\n".join(m.content for m in messages(reply))
            told = holds(asked, reply.text), names_length(asked, reply.text)
            one = SampledReply(order, reply.text, talk, second, self.labels["length"][-1], *told)
            (heapq.heappush if len(kept) < TEXTS else heapq.heappushpop)(kept, one)

    def told(self) -> dict[str, ToldCount]:
        """How often prompts tell the reply or its length, in the sample of each context."""
        found = {}
        for name in sorted(self.contexts):
            kept = self.texts.get((name, False), []) + self.texts.get((name, True), [])
            found[name] = ToldCount(len(kept), sum(k.answer for k in kept), sum(k.gold_length for k in kept))
        return found

    def groups(self, attribute: Feature) -> Iterator[ShapeCounts]:
        """Contexts, then contexts within a length (for the attributes other than length), by name."""
        columns = [np.frombuffer(c, dtype=c.typecode) for c in (self.context, self.stratified, self.talk)]
        context, stratified, talk = columns
        second = np.frombuffer(self.second, dtype=bool)
        labels = np.frombuffer(self.labels[attribute], dtype=np.int8)
        lengths = np.frombuffer(self.labels["length"], dtype=np.int8)
        read, natural = labels >= 0, stratified == 0
        named = sorted(self.contexts.items())
        chosen = [("context", name, read & natural & (context == at)) for name, at in named]
        if attribute != "length":
            chosen += [
                ("length", f"{name}_{size}", read & (context == at) & (lengths == number))
                for name, at in named
                for number, size in enumerate(LENGTH)
            ]
        for level, name, rows in chosen:
            if rows.any():
                talks, first, where = np.unique(talk[rows], return_index=True, return_inverse=True)
                counts = np.zeros((len(talks), len(OUTCOMES[attribute])))
                np.add.at(counts, (where, labels[rows]), 1)
                yield ShapeCounts(level, name, counts, second[rows][first])


def context_of(reply: Reply) -> str:
    """A context is named by track, family and style, so that styles of two tracks stay apart."""
    kind = slug(f"{reply.track} {reply.family}")
    style = slug(reply.style)
    return f"{kind}_{style}" if style not in ("", kind) else kind


def split_lengths(kept: Sequence[SampledReply]) -> dict[str, list[SampledReply]]:
    """Length bin -> the replies of that length."""
    return {name: [k for k in kept if k.length == at] for at, name in enumerate(LENGTH)}
