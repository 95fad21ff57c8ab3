"""Metrics of texts: diversity, and whether an answer agrees with the steering token before it."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.base import FloatArray, OfTexts, PerPrompt, Texts, Words

if TYPE_CHECKING:
    from collections.abc import Iterable

_DRAWS = 100


def distinct(texts: Texts, n: int, seed: int = 0) -> PerPrompt:
    """distinct-n: different n-grams over all n-grams of a prompt's draws; 0 to 1, none where no draw is so long.

    The ratio falls as texts are added, so each prompt is taken at the same number of draws, picked by ``seed``; a
    prompt with fewer gives all it has. Words in English, characters in Chinese (Li et al., 2016).
    """
    rng = np.random.default_rng(seed)
    value, weight = np.zeros(len(texts.said)), np.zeros(len(texts.said))
    for i, said in enumerate(texts.said.values()):
        counts: Counter[str] = Counter()
        for text, _, count in said:
            counts[text] += count
        sizes = np.array(list(counts.values()), dtype=np.int64)
        picked = rng.multivariate_hypergeometric(sizes, min(_DRAWS, int(sizes.sum())))
        grams: Counter[tuple[str, ...]] = Counter()
        for text, times in zip(counts, picked.tolist(), strict=True):
            if times:
                for gram in _grams(text, texts.language, n):
                    grams[gram] += times
        if grams:
            value[i], weight[i] = len(grams) / grams.total(), 1.0
    return PerPrompt(value, weight)


def _grams(text: str, language: str, n: int) -> Iterable[tuple[str, ...]]:
    units = re.findall(r"\w" if language == "zh" else r"\w+", text.casefold())
    return (tuple(units[i : i + n]) for i in range(len(units) - n + 1))


def steered(texts: Texts) -> PerPrompt:
    """Share of draws that begin with a steering token; 0 to 1, none for checkpoints without such tokens."""
    begun, _, total = _steering(texts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return PerPrompt(np.nan_to_num(begun / total), total * bool(texts.steering))


def consistent(texts: Texts) -> PerPrompt:
    """Of the draws that begin with a steering token, the share whose text is read as the token's class; 0 to 1.

    The semantic consistency of KL+KTO.
    """
    begun, agreeing, _ = _steering(texts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return PerPrompt(np.nan_to_num(agreeing / begun), begun)


def _steering(texts: Texts) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Per prompt: draws that begin with a token, of these those that agree with it, and all draws."""
    rows = np.zeros((len(texts.said), 3))
    for i, said in enumerate(texts.said.values()):
        for text, label, count in said:
            index = next((i for i, t in enumerate(texts.steering) if text.startswith(t)), None)
            agrees = index is not None and label == texts.classes[index]
            rows[i] += count * (index is not None), count * agrees, count
    return rows[:, 0], rows[:, 1], rows[:, 2]


DISTINCT_1 = OfTexts(
    key="distinct_1",
    title=Words("Distinct words", "不同词占比"),
    under=Words("of all words", "占全部词"),
    about=Words("Different words among all words of a prompt’s draws.", "同一提示的抽样中不同词所占比例。"),
    better="higher",
    formula="different words over all words, of 100 draws a prompt",
    values="0 to 1",
    place="files",
    compute=partial(distinct, n=1),
)
DISTINCT_2 = OfTexts(
    key="distinct_2",
    title=Words("Diversity", "多样性"),
    under=Words("distinct bigrams", "不同二元组占比"),
    about=Words(
        "Distinct bigrams among all bigrams of the longer answers.", "较长回答的所有二元组中不同者的占比。"
    ),
    better="higher",
    formula="different pairs of words over all pairs, of 100 draws a prompt",
    values="0 to 1",
    place="offered",
    compute=partial(distinct, n=2),
)
STEERED = OfTexts(
    key="steered",
    title=Words("Steered", "带引导"),
    under=Words("begin with a steering token", "以引导词元开头"),
    about=Words("Share of draws that begin with a steering token.", "以引导词元开头的抽样所占比例。"),
    better="higher",
    formula="draws that begin with a steering token over all draws",
    values="0 to 1",
    place="files",
    compute=steered,
)
CONSISTENT = OfTexts(
    key="consistent",
    title=Words("Consistency", "一致性"),
    under=Words("text agrees with its token", "文本与引导词元相符"),
    about=Words(
        "Of the draws that begin with a steering token, the share whose text says the token’s class.",
        "在以引导词元开头的抽样中，文本所属类别与词元相符的比例。",
    ),
    better="higher",
    formula="draws read as their token's class over draws with a token",
    values="0 to 1",
    place="offered",
    compute=consistent,
)
