"""Metrics that only tests know: one of counts, one of texts, one of texts beside people's replies."""

from __future__ import annotations

import numpy as np

from harness.metrics.base import About, Counted, FloatArray, OfCounts, OfTexts, PerPrompt, Texts, Words


def hellinger(table: Counted) -> FloatArray:
    """Hellinger distance; 0 to 1."""
    return np.asarray(
        np.sqrt(np.maximum(1 - np.sqrt(table.shares * table.target).sum(axis=-1), 0.0)), dtype=np.float64
    )


def length(texts: Texts) -> PerPrompt:
    """Mean characters of an answer."""
    rows = np.array(
        [
            [sum(len(s.text) * s.draws for s in said), sum(s.draws for s in said)]
            for said in texts.said.values()
        ],
        dtype=np.float64,
    )
    return PerPrompt(rows[:, 0] / rows[:, 1], rows[:, 1])


def as_long_as_people(texts: Texts) -> PerPrompt:
    """Mean characters of an answer over those of people's replies to the same prompt."""
    people = [np.mean([len(text) for text in texts.references[key]]) for key in texts.said]
    value, weight = length(texts)
    return PerPrompt(value / np.array(people), weight)


def of_two_classes(about: About) -> bool:
    """Where the toy of counts means something."""
    return len(about.classes) == 2


HELLINGER = OfCounts(
    key="hellinger",
    title=Words("Hellinger", "海林格距离"),
    under=Words("as a toy", "示例"),
    about=Words("Distance of the roots of the shares.", "比例平方根之间的距离。"),
    better="lower",
    compute=hellinger,
    applies=of_two_classes,
)
LENGTH = OfTexts(
    key="length",
    title=Words("Length", "长度"),
    under=Words("characters", "字符"),
    about=Words("Mean characters of an answer.", "回答的平均字符数。"),
    better="neither",
    compute=length,
)
PEOPLE = OfTexts(
    key="as_long_as_people",
    title=Words("Relative length", "相对长度"),
    under=Words("people = 1", "人类为 1"),
    about=Words("Length over that of people’s replies.", "与人类回复长度之比。"),
    better="neither",
    compute=as_long_as_people,
    needs="replies",
)
