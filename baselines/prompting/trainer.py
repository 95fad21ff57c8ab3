"""Writes the arms of ``prompting`` as checkpoints: the model's own weights, and a chat template that changes the question."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from baselines.chat_templates import own_template, wrap
from baselines.method import Trained
from baselines.output import link_or_copy
from baselines.policy import load_tokenizer
from baselines.prompting.wordings import STATEMENTS, WORDINGS
from harness.contract import FILE, Contract
from harness.errors import UserError
from harness.files import digest
from harness.sampling.gguf import origin
from harness.sampling.hf.source import WEIGHTS
from harness.tasks.prompts import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from baselines.method import Job
    from baselines.needs import OneAttribute
    from baselines.prompting.recipe import Recipe
    from harness.tasks.task import Attribute, Task

SHARED_COLUMNS = ("id", "split")
"""Columns of a context that no question shows."""


def fit(job: Job[Recipe, OneAttribute]) -> Trained:
    """Write the folder; nothing is trained."""
    recipe = job.recipe
    task, attribute = job.about.task, job.about.attribute
    tokenizer = load_tokenizer(job.source.folder)
    wording = WORDINGS[task.language][recipe.arm]
    named = class_names(task, attribute)
    after = wording.after.replace("{classes}", ", ".join(named.values()))
    stated = statements(job.about, named) if recipe.state_target or recipe.arm == "target" else []
    template = own_template(tokenizer, job.source.name)
    if wording.before or after or stated:
        template = wrap(template, wording.before, after, stated)
    tokenizer.chat_template = template
    final = job.stage("prompting") / "final"
    final.mkdir(parents=True, exist_ok=True)
    weights = {p for pattern in WEIGHTS for p in job.source.folder.glob(pattern)}
    for path in sorted(weights):
        link_or_copy(path, final / path.name)
    # What describes the model is small, and may be edited: it is copied.
    for path in sorted(job.source.folder.iterdir()):
        if path.suffix in (".json", ".py") and path.name not in (FILE, origin.FILE):
            shutil.copyfile(path, final / path.name)
    tokenizer.save_pretrained(str(final))
    return Trained(final, digest(stated), Contract(arm=recipe.arm, sampled=recipe.arm != "verbalised"))


def class_names(task: Task, attribute: Attribute) -> dict[str, str]:
    """How each class is called in a question: its first wording in the task's language."""
    chinese = task.language == "zh"
    return {
        label: next((w for w in wordings if not chinese or not w.isascii()), label)
        for label, wordings in attribute.classes.items()
    }


def statements(about: OneAttribute, named: dict[str, str]) -> list[tuple[str, str]]:
    """(phrase, statement of the target's shares) for every phrase by which a question shows its context.

    A template sees the text of a question, not its context. So a context is told by the longest of the
    task's column values that the text contains, and every question of the task is tried: one that would be
    given another context's figures, or none, is refused here rather than answered wrongly later.
    """
    task, attribute = about.task, about.attribute
    contexts = [c.id for c in task.contexts]
    shares = about.target.matrix(task, attribute, contexts)
    sentence, item, between = STATEMENTS[task.language]
    said = {}
    for context, row in zip(contexts, shares, strict=True):
        parts = [
            item.format(name=name, share=f"{100 * share:.1f}")
            for name, share in zip(named.values(), row, strict=True)
        ]
        said[context] = sentence.format(shares=between.join(parts))
    if len(set(said.values())) == 1:
        return [("", next(iter(said.values())))]
    phrases = _phrases(task)
    _check(task, phrases, said)
    return [(phrase, said[context]) for phrase, context in phrases]


def _phrases(task: Task) -> list[tuple[str, str]]:
    found = {
        (value, context.id)
        for context in task.contexts
        for column, value in context.fields.items()
        if column not in SHARED_COLUMNS and value
    }
    return sorted(found, key=lambda pair: (-len(pair[0]), pair))


def _check(task: Task, phrases: Sequence[tuple[str, str]], said: dict[str, str]) -> None:
    for question in render(task, task.contexts, task.prompts):
        text = next((m.content for m in reversed(question.messages) if m.role == "user"), None)
        if text is None:
            raise UserError(
                "a prompting arm changes chat turns, and this prompt is plain text",
                where=str(task.source.path),
                found=question.prompt,
            )
        context = next((c for phrase, c in phrases if phrase in text), None)
        if context is None or said[context] != said[question.context]:
            raise UserError(
                "the question does not show which context it is about, so its figures cannot be stated",
                where=str(task.source.path),
                found=text,
                expected=f"a column of context {question.context!r} in the text, longer than any other context's",
            )
