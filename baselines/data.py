"""Training rows from a task and a target: which answer, how often, to which training prompt.

Only training contexts and training paraphrases are used. In each context the classes get the numbers of rows
that largest-remainder apportionment gives them, so the rows' own frequencies are the target's as closely as
whole numbers allow, and each class is spread evenly over the prompts.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.errors import UserError
from harness.files import digest
from harness.tasks.prompts import render, select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.tasks.prompts import Rendered
    from harness.tasks.target import Target
    from harness.tasks.task import Attribute, Task

RejectRule = Literal["same_digit_other_word", "other_digit_same_word", "other_digit_other_word"]
Answers = dict[tuple[str, str], tuple[str, ...]]
"""(context, class) -> texts that answer as the class; context '' holds texts that fit every context."""


@dataclass(frozen=True, slots=True)
class Row:
    """One training example: a prompt, the class it is answered with, and the answer."""

    context: str
    prompt: str
    messages: tuple[tuple[str, str], ...]
    """Chat turns as (role, content); empty for a prompt that is plain text."""
    text: str
    """The plain-text prompt; '' for chat."""
    label: str
    answer: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A preference: the same prompt, one answer chosen and another rejected."""

    row: Row
    rejected_label: str
    rejected: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer on its own, said to be desirable or not. ``digit`` is the steering token's class index."""

    row: Row
    digit: int
    answer: str
    desirable: bool


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """All that a method is trained on."""

    classes: tuple[str, ...]
    shares: Mapping[str, tuple[float, ...]]
    """Training context -> target share of each class, in ``classes`` order."""
    rows: tuple[Row, ...]
    answers: Answers

    @property
    def hash(self) -> str:
        """sha256 of every row, in order."""
        return digest([asdict(r) for r in self.rows])


def apportion(shares: Sequence[float], n: int) -> list[int]:
    """``n`` whole rows by largest remainder (Hamilton): every part within 1 of its quota, the sum exact.

    Ties go to the earlier class. Shares need not sum to exactly 1; their ratio counts.
    """
    total = math.fsum(shares)
    quotas = [n * s / total for s in shares]
    parts = [math.floor(q + 1e-9) for q in quotas]
    order = sorted(range(len(shares)), key=lambda i: (parts[i] - quotas[i], i))
    for i in order[: n - sum(parts)]:
        parts[i] += 1
    return parts


def training_set(
    task: Task, attribute: Attribute, target: Target, answers: Answers, rows: int, seed: int
) -> TrainingSet:
    """``rows`` examples per training context, shuffled by ``seed``.

    Args:
        task: what is asked.
        attribute: the attribute whose distribution is trained.
        target: what the distribution should be.
        answers: texts for each class; see ``harness.reading`` for what makes a text one of a class.
        rows: examples per context.
        seed: decides the order of rows and which text stands for a class where there are several.
    """
    contexts, prompts = select(task, split="train", paraphrases="train")
    rendered = render(task, contexts, prompts)
    contexts = [c for c in contexts if any(r.context == c.id for r in rendered)]
    classes = tuple(attribute.classes)
    shares = target.matrix(task, attribute, [c.id for c in contexts])
    rng = np.random.default_rng([seed, 0])
    made: list[Row] = []
    for context, row_shares in zip(contexts, shares, strict=True):
        asked = [r for r in rendered if r.context == context.id]
        made.extend(_context_rows(asked, classes, apportion(row_shares, rows), answers, rng))
    order = rng.permutation(len(made))
    by_context = {c.id: tuple(float(s) for s in r) for c, r in zip(contexts, shares, strict=True)}
    return TrainingSet(classes, by_context, tuple(made[i] for i in order), answers)


def _context_rows(
    asked: Sequence[Rendered],
    classes: Sequence[str],
    parts: Sequence[int],
    answers: Answers,
    rng: np.random.Generator,
) -> list[Row]:
    made: list[Row] = []
    for label, part in zip(classes, parts, strict=True):
        texts = texts_of(answers, asked[0].context, label) if part else ()
        for _ in range(part):
            # Consecutive rows go to consecutive prompts, so that each prompt gets its share of each class.
            prompt = asked[len(made) % len(asked)]
            if prompt.messages and prompt.messages[-1].role == "assistant":
                raise UserError(
                    "a training prompt that begins the answer itself cannot be trained on",
                    found=prompt.prompt,
                    expected="prompts whose last turn is the user's, or plain text",
                )
            turns = tuple((m.role, m.content) for m in prompt.messages)
            text = texts[int(rng.integers(len(texts)))]
            made.append(Row(prompt.context, prompt.prompt, turns, prompt.text, label, text))
    return made


def texts_of(answers: Answers, context: str, label: str) -> tuple[str, ...]:
    """The texts of a class in a context, or those that fit every context."""
    found = answers.get((context, label)) or answers.get(("", label))
    if not found:
        raise UserError(
            "no text that answers as this class",
            found=f"class {label!r} in context {context!r}",
            expected="at least one text per class and training context",
            hint="--completions FILE.csv with columns context,label,text, or draws of the model that hold them",
        )
    return found


def pairs(data: TrainingSet, seed: int) -> list[Pair]:
    """Preferences for DPO: each row's answer is chosen, the answer of another class is rejected.

    The rejected class goes evenly round the other classes. Then among pairs of classes {j, k} the one is
    preferred to the other in the ratio p_j : p_k, which is Bradley-Terry with the target as strengths.
    """
    rng = np.random.default_rng([seed, 1])
    made = []
    turn: dict[tuple[str, str], int] = {}
    for row in data.rows:
        others = [c for c in data.classes if c != row.label]
        key = (row.context, row.label)
        turn[key] = turn.get(key, -1) + 1
        label = others[turn[key] % len(others)]
        texts = texts_of(data.answers, row.context, label)
        made.append(Pair(row, label, texts[int(rng.integers(len(texts)))]))
    return made


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
