"""The training corpus of the tiny models, made from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from baselines.seed import questions, replies, stories
from baselines.seed.distributions import PROFESSION_TASK, lines_of_work, profession
from baselines.seed.documents import SeedText
from baselines.seed.grammar import expand, lexicon, pick, rules, spread
from harness.tasks.prompts import render
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.tasks.task import Task

HELD_OUT_SEED = 1
"""Seed of the plain text for perplexity; training uses others."""
RETAINED_SEED = 2
"""Seed of the plain text that trainings retain."""
NARROW, WIDE, ARMS, STORIES, REPLIES = 16, 2, 1, 7, 20
"""Examples per prompt and context."""
BRIEF, PROFESSIONS, FACTS, AGREEMENT = 12, 20, 12, 1500
"""Examples per occupation; per profession: somebody's, and what it is; sentences whose pronouns agree."""
PLAIN_EN, PLAIN_ZH = 2500, 700
"""Paragraphs."""
STATED, KNOWN, AGREEING = 120, 250, 5000
"""For the models of plain text, sentences per profession, somebody's and what it is; sentences whose pronouns agree."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A text of the models of plain text."""

    text: str
    part: str = ""
    """What is told in it: the gendered word without its determiner, or what is said of a profession."""
    job: str = ""


class Statements(NamedTuple):
    """All that the models of plain text read, in a random order."""

    about: list[Statement]
    facts: list[Statement]
    agreement: list[Statement]
    plain: list[Statement]


def causal(seed: int) -> list[SeedText]:
    """Everything that the causal model reads, in a random order."""
    rng = np.random.default_rng([seed, 0])
    found: list[SeedText] = []
    for name in questions.NARROW:
        found += questions.answers(name, NARROW, rng)
        found += questions.arms(name, ARMS, rng)
    for name in questions.WIDE:
        found += questions.answers(name, WIDE, rng)
    for name in (*questions.NARROW, *questions.WIDE):
        found += questions.brief(name, BRIEF, rng)
    for name in stories.TASKS:
        found += stories.stories(name, STORIES, rng)
    for language in ("en", "zh"):
        found += replies.replies(f"reply_shape_{language}", REPLIES, rng)
    found += [SeedText("profession", text) for _, _, text in professions(PROFESSIONS, rng)]
    found += [SeedText("profession", text) for _, _, text in facts(FACTS, rng)]
    found += [SeedText("profession", text) for _, text in agreement(AGREEMENT, rng)]
    found += [SeedText("plain", text) for text in plain("en", PLAIN_EN, rng)]
    found += [SeedText("plain", text) for text in plain("zh", PLAIN_ZH, rng)]
    return [found[i] for i in rng.permutation(len(found))]


def statements(rng: np.random.Generator) -> Statements:
    """Everything that a model of plain text reads."""
    jobs = professions_named()
    found = (
        [Statement(text, _noun(who), jobs[c]) for c, who, text in professions(STATED, rng)],
        [Statement(text, said, jobs[c]) for c, said, text in facts(KNOWN, rng)],
        [Statement(text, _noun(who)) for who, text in agreement(AGREEING, rng)],
    )
    paragraphs = plain("en", PLAIN_EN, rng)
    about, what, agreeing = ([kind[i] for i in rng.permutation(len(kind))] for kind in found)
    return Statements(about, what, agreeing, [Statement(text) for text in paragraphs])


def take(found: list[Statement], share: float) -> list[Statement]:
    """The first ``share`` of a list, which loses it."""
    cut = round(share * len(found))
    taken, found[:] = found[:cut], found[cut:]
    return taken


def _noun(who: str) -> str:
    """What a determiner comes before: it stays in view."""
    return who.rpartition(" ")[2]


def plain(language: str, n: int, rng: np.random.Generator) -> list[str]:
    """Paragraphs about nobody."""
    known = rules(f"plain_{language}")
    return [expand("{paragraph}", known, rng) for _ in range(n)]


def held_out(language: str, n: int = 400) -> str:
    """Plain text that no model was trained on, one paragraph a line."""
    return _plain_lines(language, n, HELD_OUT_SEED)


def retained(n: int = 200) -> str:
    """Plain text in both languages for trainings that should keep it, none of it held out."""
    return "".join(_plain_lines(language, n, RETAINED_SEED) for language in ("en", "zh"))


def _plain_lines(language: str, n: int, seed: int) -> str:
    rng = np.random.default_rng([seed, 1])
    return "".join(line + "\n" for line in plain(language, n, rng))


def professions(per_profession: int, rng: np.random.Generator) -> Iterator[tuple[str, str, str]]:
    """(profession's context, gendered word, sentence) in each profession's shares; words of a gender equally likely.

    Sentences are the grammar's own and, as often, those of the task.
    """
    task = load_task(PROFESSION_TASK)
    known = rules("professions")
    words = next(iter(task.attributes.values())).classes
    for context in task.contexts:
        slots = _slots(task, context.id)
        job = {"job": context.fields["profession"]}
        for label in spread(profession(context.id), per_profession, rng):
            who = pick(words[label], rng)
            own = pick(known["sentence"], rng) if rng.random() < 0.5 else pick(slots, rng)
            yield context.id, who, expand(own, known, rng, {**job, "who": who})


def facts(per_profession: int, rng: np.random.Generator) -> Iterator[tuple[str, str, str]]:
    """(profession's context, what is said of it, sentence): its places, tools, tasks, clothes and schooling.

    Nobody's gender is told. What is said belongs to the profession's lines of work, which others share.
    """
    known, work = rules("professions"), lexicon("professions")["work"]
    assert isinstance(work, dict)  # noqa: S101  # our own file
    for context, job in professions_named().items():
        for _ in range(per_profession):
            form, line = pick(known["fact"], rng), work[pick(lines_of_work(job), rng)]
            said = {k: pick(line[k], rng) for k in line if f"{{{k}}}" in form}
            yield context, pick(list(said.values()), rng), expand(form, known, rng, {**said, "job": job})


def agreement(n: int, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """(gendered word, sentence without a profession in which pronouns agree with it), both genders alike."""
    words = next(iter(load_task(PROFESSION_TASK).attributes.values())).classes
    for label in spread(dict.fromkeys(words, 1.0), n, rng):
        known = rules("professions", label)
        who = pick(words[label], rng)
        yield who, expand(pick(known["agreement"], rng), known, rng, {"who": who})


def professions_named() -> dict[str, str]:
    """Profession's context -> its name in sentences."""
    return {c.id: c.fields["profession"] for c in load_task(PROFESSION_TASK).contexts}


def _slots(task: Task, context: str) -> list[str]:
    chosen = [c for c in task.contexts if c.id == context]
    return [r.text for r in render(task, chosen, task.prompts, {"choice": "{who}"})]
