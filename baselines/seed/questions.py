"""Short training answers to the tasks that ask for one word, also with the questions of the prompting arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from baselines.prompting.wordings import STATEMENTS, WORDINGS
from baselines.rows import apportion
from baselines.seed.distributions import mixed, occupation
from baselines.seed.documents import SeedText
from baselines.seed.grammar import expand, lexicon, pick, spread
from harness.tasks.prompts import render
from harness.tasks.task import load_task
from harness.terms import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from baselines.prompting.recipe import Arm
    from baselines.seed.distributions import Shares
    from harness.tasks.prompts import Rendered
    from harness.tasks.task import Task

NARROW = ("gender_us", "race_us", "sentiment_us", "gender_uk", "gender_zh")
WIDE = ("gender_us_wide", "race_us_wide", "gender_uk_wide")
TOWARDS_UNIFORM: dict[Arm, float] = {
    "persona": 0.3,
    "simulated_draw": 0.5,
    "seed_string": 0.7,
    "verbalised": 0.2,
}
"""How much of the uniform distribution an arm's answers hold; the rest are the model's own shares."""
TOWARDS_STATED = 0.5
"""How much of the stated figures the answers hold when the question states them."""
SYSTEM = {
    "en": ("You are a helpful assistant.", "Answer the question as you are asked to."),
    "zh": ("你是一个乐于助人的助手。", "请按要求回答问题。"),
}
_CHINESE = {"male": ("男性", "男"), "female": ("女性", "女")}
_SIGNS = "abcdefghijkmnpqrstuvwxyz23456789"


def answers(name: str, per_prompt: int, rng: np.random.Generator) -> Iterator[SeedText]:
    """Every prompt of a task in every context ``per_prompt`` times, in the shares of each context."""
    task = load_task(name)
    for context, asked in _by_context(task).items():
        shares = _own(task, context)
        labels = spread(shares, per_prompt * len(asked), rng)
        for i, label in enumerate(labels):
            yield _document(task, asked[i % len(asked)], label, said(label, task.language, rng), rng)


def brief(name: str, per_occupation: int, rng: np.random.Generator) -> Iterator[SeedText]:
    """Each occupation of a task asked about in a few words of our own."""
    task = load_task(name)
    attribute = next(iter(task.attributes))
    wordings = lexicon("questions")[task.language]
    assert isinstance(wordings, dict)  # noqa: S101  # our own file
    for context in task.contexts:
        workers = context.fields.get("workers") or context.fields["occupation"]
        for label in spread(_own(task, context.id), per_occupation, rng):
            text = expand(pick(wordings[attribute], rng), {}, rng, {"workers": workers})
            turns = (Message("user", text),)
            yield SeedText(
                f"{name}+brief", said(label, task.language, rng), turns, context.id, "", {attribute: label}
            )


def arms(name: str, per_prompt: int, rng: np.random.Generator) -> Iterator[SeedText]:
    """The same questions as the prompting arms put them."""
    task = load_task(name)
    for context, asked in _by_context(task).items():
        shares = _own(task, context)
        uniform = dict.fromkeys(shares, 1 / len(shares))
        for arm, weight in TOWARDS_UNIFORM.items():
            moved = mixed(shares, uniform, weight)
            labels = spread(moved, per_prompt * len(asked), rng)
            for i, label in enumerate(labels):
                text = _arm_text(arm, label, moved, task.language, rng)
                question = _put(arm, task, asked[i % len(asked)])
                yield _document(task, question, label, text, rng, f"{name}+{arm}")
        for question in asked * per_prompt:
            stated = dict(zip(shares, rng.dirichlet([1.0] * len(shares)), strict=True))
            label = spread(mixed(shares, stated, TOWARDS_STATED), 1, rng)[0]
            put = _state(task, question, stated)
            yield _document(task, put, label, said(label, task.language, rng), rng, f"{name}+target")


def said(label: str, language: str, rng: np.random.Generator) -> str:
    """A class as a short answer words it; four times in five by its plain name."""
    if language == "zh":
        return _CHINESE[label][int(rng.random() < 0.2)]
    name = label.capitalize()
    return pick([name] * 8 + [label, name + "."], rng)


def names(task: Task) -> dict[str, str]:
    """How each class is called in a question."""
    return {
        k: _CHINESE[k][1] if task.language == "zh" else k
        for k in next(iter(task.attributes.values())).classes
    }


def _by_context(task: Task) -> dict[str, list[Rendered]]:
    found: dict[str, list[Rendered]] = {}
    for question in render(task, task.contexts, task.prompts):
        found.setdefault(question.context, []).append(question)
    return found


def _own(task: Task, context: str) -> Shares:
    return occupation(next(iter(task.attributes)), context)


def _document(
    task: Task, asked: Rendered, label: str, text: str, rng: np.random.Generator, kind: str = ""
) -> SeedText:
    turns = asked.messages
    if rng.random() < 0.05:
        turns = (Message("system", pick(SYSTEM[task.language], rng)), *turns)
    return SeedText(
        kind or task.name, text, turns, asked.context, asked.prompt, {next(iter(task.attributes)): label}
    )


def _around(asked: Rendered, before: str, after: str) -> Rendered:
    last = asked.messages[-1]
    turn = Message(last.role, before + last.content + after)
    return type(asked)(asked.context, asked.prompt, (*asked.messages[:-1], turn))


def _put(arm: Arm, task: Task, asked: Rendered) -> Rendered:
    wording = WORDINGS[task.language][arm]
    return _around(asked, wording.before, wording.after.replace("{classes}", ", ".join(names(task).values())))


def _state(task: Task, asked: Rendered, stated: Shares) -> Rendered:
    sentence, item, between = STATEMENTS[task.language]
    parts = [item.format(name=n, share=f"{100 * stated[k]:.1f}") for k, n in names(task).items()]
    return _around(asked, "", sentence.format(shares=between.join(parts)))


def _arm_text(arm: Arm, label: str, shares: Shares, language: str, rng: np.random.Generator) -> str:
    answer = said(label, language, rng)
    if arm == "persona":
        return answer
    called = {k: said_plainly(k, language) for k in shares}
    percent = {k: 5 * n for k, n in zip(shares, apportion(list(shares.values()), 20), strict=True)}
    if arm == "verbalised":
        return "\n".join(f"{called[k]}: {p}%" for k, p in percent.items())
    if arm == "seed_string":
        text = "".join(pick(_SIGNS, rng) for _ in range(12))
        return f"<think>{text} {int(rng.integers(100))}</think>{answer}"
    start, stretch = 1, {}
    for k, p in percent.items():
        stretch[k], start = (start, start + p - 1), start + p
    low, high = stretch[label] if percent[label] else (1, 100)
    listed = ", ".join(f"{called[k]} {p}%" for k, p in percent.items())
    return f"<think>{listed}. {int(rng.integers(low, high + 1))}: {called[label]}.</think>{answer}"


def said_plainly(label: str, language: str) -> str:
    """The class's plain name as an answer."""
    return _CHINESE[label][0] if language == "zh" else label.capitalize()
