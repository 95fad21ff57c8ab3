"""How near each reply is to what the person replied to the same prompt, and how alike the replies are."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.base import OfTexts, PerPrompt, Said, Texts, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_OTHERS = 20
"""Replies that one is compared with in self-BLEU."""


def units(text: str, language: str) -> list[str]:
    """Words without case, marks and articles in English; in Chinese characters, and words of other scripts."""
    if language == "zh":
        return re.findall(r"[\u3400-\u9fff\uf900-\ufaff]|[A-Za-z0-9]+", text.lower())
    return [w for w in re.findall(r"\w+(?:'\w+)?", text.lower()) if w not in ("a", "an", "the")]


def exact(reply: Sequence[str], person: Sequence[str]) -> float:
    """Whether both are the same; 0 or 1."""
    return float(list(reply) == list(person))


def f1(reply: Sequence[str], person: Sequence[str]) -> float:
    """Harmonic mean of the shares of each that the other holds too; 0 to 1, 1 where both are empty."""
    if not reply or not person:
        return float(not reply and not person)
    return 2 * (Counter(reply) & Counter(person)).total() / (len(reply) + len(person))


def rouge_l(reply: Sequence[str], person: Sequence[str]) -> float:
    """The same of the longest common subsequence; 0 to 1."""
    if not reply or not person:
        return float(not reply and not person)
    row = [0] * (len(person) + 1)
    for unit in reply:
        before = 0
        for j, other in enumerate(person, start=1):
            before, row[j] = row[j], before + 1 if unit == other else max(row[j], row[j - 1])
    return 2 * row[-1] / (len(reply) + len(person))


def _near(measure: Callable[[Sequence[str], Sequence[str]], float]) -> Callable[[Texts], PerPrompt]:
    """The mean over a prompt's draws of the best over its people."""

    def compute(texts: Texts) -> PerPrompt:
        value, weight = np.zeros(len(texts.said)), np.zeros(len(texts.said))
        for i, (key, said) in enumerate(texts.said.items()):
            people = [units(r, texts.language) for r in texts.references.get(key, ())]
            draws = sum(s.draws for s in said)
            if people and draws:
                found = sum(
                    s.draws * max(measure(units(s.text, texts.language), p) for p in people) for s in said
                )
                value[i], weight[i] = found / draws, 1.0
        return PerPrompt(value, weight)

    return compute


def self_bleu(texts: Texts, seed: int = 0) -> PerPrompt:
    """Self-BLEU-4: how far a reply is made of pieces of replies to other prompts of its context; 0 to 1.

    One reply a prompt against one each of up to 20 others, add-one smoothed above unigrams.
    """
    rng = np.random.default_rng(seed)
    value, weight = np.zeros(len(texts.said)), np.zeros(len(texts.said))
    picked = [units(_one(said, rng), texts.language) for said in texts.said.values()]
    keys = list(texts.said)
    for context in dict.fromkeys(context for context, _ in keys):
        rows = [i for i, key in enumerate(keys) if key[0] == context and picked[i]]
        for i in rows:
            others = [j for j in rows if j != i]
            if others:
                chosen = rng.permutation(others)[:_OTHERS]
                value[i], weight[i] = _bleu(picked[i], [picked[j] for j in chosen]), 1.0
    return PerPrompt(value, weight)


def _one(said: Sequence[Said], rng: np.random.Generator) -> str:
    draws = np.array([s.draws for s in said], dtype=float)
    return said[int(rng.choice(len(said), p=draws / draws.sum()))].text if draws.sum() else ""


def _bleu(reply: Sequence[str], others: Sequence[Sequence[str]]) -> float:
    logs = 0.0
    for n in range(1, 5):
        own = _grams(reply, n)
        most: Counter[tuple[str, ...]] = Counter()
        for other in others:
            most |= _grams(other, n)
        held, total = (own & most).total(), own.total()
        add = int(n > 1)
        if held + add == 0:
            return 0.0
        logs += math.log((held + add) / (total + add)) / 4
    nearest = min((abs(len(o) - len(reply)), len(o)) for o in others)[1]
    return math.exp(logs + min(0.0, 1 - nearest / len(reply)))


def _grams(units: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(units[i:] for i in range(n)), strict=False))


EXACT = OfTexts(
    key="exact_match",
    title=Words("Exact match", "完全一致"),
    under=Words("with the person’s reply", "与人的回复"),
    about=Words(
        "Share of replies that are the person’s, but for case, marks and articles.",
        "除大小写、标点外与人的回复相同的比例。",
    ),
    better="higher",
    formula="draws equal to the reference after normalising, over all draws",
    values="0 to 1",
    place="files",
    compute=_near(exact),
    needs="replies",
)
F1 = OfTexts(
    key="f1",
    title=Words("F1", "F1"),
    under=Words("words shared with the person’s reply", "与人的回复共有的词"),
    about=Words(
        "Words, in Chinese characters, that a reply shares with the person’s reply to the same prompt.",
        "回复与人对同一提示的回复共有的字（英文为词）。",
    ),
    better="higher",
    formula="2 x common units / (units of reply + units of reference)",
    values="0 to 1",
    place="offered",
    compute=_near(f1),
    needs="replies",
)
ROUGE_L = OfTexts(
    key="rouge_l",
    title=Words("ROUGE-L", "ROUGE-L"),
    under=Words("longest common subsequence", "最长公共子序列"),
    about=Words("As F1, of words that come in the same order.", "与 F1 相同，但只计顺序一致的词。"),
    better="higher",
    formula="2 x longest common subsequence / (units of reply + of reference)",
    values="0 to 1",
    place="offered",
    compute=_near(rouge_l),
    needs="replies",
)
SELF_BLEU = OfTexts(
    key="self_bleu",
    title=Words("Self-BLEU", "自 BLEU"),
    under=Words("replies alike", "回复之间的相似"),
    about=Words(
        "How far a reply is made of pieces of replies to other prompts of its context.",
        "一条回复在多大程度上由同一情境其他提示的回复片段组成。",
    ),
    better="lower",
    formula="BLEU-4 of a reply against those to 20 other prompts",
    values="0 to 1",
    place="files",
    compute=self_bleu,
    needs="replies",
)
