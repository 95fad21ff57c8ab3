"""What tests of PolyAlign's preferences share: a recipe, people with features, and pairs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines.polyalign.hdpo_recipe import HdpoRecipe
from baselines.polyalign.pairs import ReplyPair
from baselines.seed.people import answer, kinds, subject
from baselines.sft import METHOD as SFT
from harness.natural.features import features, names, token_count
from harness.natural.scaled import scale
from harness.reading.style import length_bin
from harness.tasks.people import ContextReplies, People
from harness.terms import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTEXTS = ("chat", "help")


def recipe(**settings: Any) -> HdpoRecipe:
    """Without any of the further terms, with what a test sets."""
    shared = SFT.read_recipe().model_dump(exclude={"rows", "learning_rate", "epochs", "batch_size"})
    plain = {
        "preference_learning_rate": 1e-3,
        "preference_epochs": 1.0,
        "preference_batch_size": 4,
        "log_to": "none",
        "as_published": False,
        "beta": 1.0,
        "gap_weight": 1.0,
        "lambda_hd": 0.0,
        "regulariser": "reference",
        "reply_weight": 0.0,
        "score": "critic",
        "encoder": "",
        "critic_learning_rate": 1e-3,
        "critic_epochs": 3,
        "critic_batch_size": 8,
    }
    return HdpoRecipe(**{**shared, **plain, "precision": "fp32", **settings})


@functools.cache
def said(number: int, count: int, seed: int) -> list[str]:
    """Replies by the stated law of the generated people in one of their English contexts."""
    rng = np.random.default_rng([seed, number])
    kind = kinds("en")[2 * number]
    return [answer(kind, "en", subject(kind, "en", rng), rng) for _ in range(count)]


def replies(vectors: NDArray[np.float64], lengths: tuple[str, ...]) -> ContextReplies:
    """One context of people."""
    return ContextReplies(vectors, np.arange(len(vectors)), lengths, scale(vectors))


@functools.cache
def people(count: int = 80) -> People:
    """The generated people of two contexts."""
    contexts = {}
    for number, name in enumerate(CONTEXTS):
        texts = said(number, count, 0)
        lengths = tuple(length_bin(token_count(t)) for t in texts)
        contexts[name] = replies(features(texts, "en"), lengths)
    return People(names("en"), contexts, "train", 0, "", "")


def pairs(count: int, rejected: Any) -> list[ReplyPair]:
    """Of each context; ``rejected`` makes the other reply of a person's and a number."""
    made = []
    for number, name in enumerate(CONTEXTS):
        for i, text in enumerate(said(number, count, 1)):
            prompt = (Message("user", f"question {name} {i}"),)
            other = rejected(text, i, number)
            made.append(ReplyPair(prompt, text, other, name, length_bin(token_count(text)), "en"))
    return made
