"""Training rows from a task and a target: which answer, how often, to which training prompt.

Only training contexts and training paraphrases are used. In each context the classes get the numbers of rows
that largest-remainder apportionment gives them, so the rows' own frequencies are the target's as closely as
whole numbers allow, and each class is spread evenly over the prompts.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from baselines.texts import answers, texts_of
from harness.errors import UserError
from harness.files import digest
from harness.tasks.prompts import render, select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from baselines.method import Job
    from baselines.needs import OneAttribute
    from baselines.recipe import TrainingRecipe
    from baselines.texts import Answers
    from harness.tasks.prompts import Rendered
    from harness.tasks.target import Target
    from harness.tasks.task import Attribute, Task


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


def training_rows(job: Job[TrainingRecipe, OneAttribute]) -> TrainingSet:
    """The rows of a job, as many and in the order that its recipe says."""
    about, recipe = job.about, job.recipe
    return training_set(about.task, about.attribute, about.target, answers(job), recipe.rows, recipe.seed)


def training_set(
    task: Task, attribute: Attribute, target: Target, texts: Answers, rows: int, seed: int
) -> TrainingSet:
    """``rows`` examples per training context, shuffled by ``seed``.

    Args:
        task: what is asked.
        attribute: the attribute whose distribution is trained.
        target: what the distribution should be.
        texts: for each class; see ``harness.reading`` for what makes a text one of a class.
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
        made.extend(_context_rows(asked, classes, apportion(row_shares, rows), texts, rng))
    order = rng.permutation(len(made))
    by_context = {c.id: tuple(float(s) for s in r) for c, r in zip(contexts, shares, strict=True)}
    return TrainingSet(classes, by_context, tuple(made[i] for i in order), texts)


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
