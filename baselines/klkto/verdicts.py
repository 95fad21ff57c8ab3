"""Training answers for KTO: each row as it is (desirable), and once with a wrong token or text (undesirable)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from baselines.texts import texts_of
from harness.errors import UserError

if TYPE_CHECKING:
    from baselines.klkto.recipe import RejectRule
    from baselines.rows import Row, TrainingSet


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer on its own, said to be desirable or not. ``digit`` is the steering token's class index."""

    row: Row
    digit: int
    answer: str
    desirable: bool


def verdicts(data: TrainingSet, rule: RejectRule, seed: int) -> list[Verdict]:
    """Answers for KTO: each row as it is (desirable) and once spoiled (undesirable).

    Rules: the class's digit with another class's text; another digit with the class's text; another digit
    with a third text, where the two differ when there are three classes or more (with two classes the other
    digit and the other word would agree with each other, so that rule needs at least three).
    """
    if rule == "other_digit_other_word" and len(data.classes) < 3:
        raise UserError(
            "with two classes another digit and another word agree with each other",
            where="reject_rule",
            found=rule,
            expected="same_digit_other_word or other_digit_same_word",
        )
    rng = np.random.default_rng([seed, 2])
    made = []
    for row in data.rows:
        own = data.classes.index(row.label)
        others = [k for k in range(len(data.classes)) if k != own]
        digit, word = own, own
        if rule == "same_digit_other_word":
            word = others[int(rng.integers(len(others)))]
        elif rule == "other_digit_same_word":
            digit = others[int(rng.integers(len(others)))]
        else:
            first, second = rng.permutation(len(others))[:2]
            digit, word = others[int(first)], others[int(second)]
        if word == own:
            answer = row.answer
        else:
            texts = texts_of(data.answers, row.context, data.classes[word])
            answer = texts[int(rng.integers(len(texts)))]
        made += [Verdict(row, own, row.answer, desirable=True), Verdict(row, digit, answer, desirable=False)]
    order = rng.permutation(len(made))
    return [made[i] for i in order]
