"""Answers for training: for each class its wordings, texts from a file, or draws of the model itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from baselines.output import DRAWN
from baselines.processes import processes
from harness.contract import Contract
from harness.errors import UserError, nearest
from harness.files import read_csv
from harness.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from baselines.method import Job
    from baselines.needs import OneAttribute
    from baselines.recipe import Recipe
    from harness.runs.folder import Run
    from harness.tasks.task import Attribute, Task

Answers = dict[tuple[str, str], tuple[str, ...]]
"""(context, class) -> texts that answer as the class; context '' holds texts that fit every context."""
OWN_DRAWS = 200
"""Draws per training prompt when the model writes its own training texts."""
SHORT = "words"
"""The reader of tasks whose answers are a class's wording and nothing more."""


def short_answers(task: Task, attribute: Attribute) -> Answers | None:
    """Each class by its wording, for tasks read by words; None where the answer is a longer text.

    The wording is the first, the class's name leading, that is written in the task's language and that the
    task's own reader reads as the class; its first letter is a capital.
    """
    from harness.reading import make_reader, read_draws

    if attribute.reader.get("name") != SHORT:
        return None
    reader = make_reader(attribute.reader, attribute.classes, task.language)
    found: Answers = {}
    for label, wordings in attribute.classes.items():
        fitting = [w for w in wordings if _written_in(w, task.language)] or list(wordings)
        texts = [w[:1].upper() + w[1:] for w in fitting]
        readings = read_draws([(t, "stop") for t in texts], reader, Contract())
        good = [t for t, r in zip(texts, readings, strict=True) if r.label == label]
        if not good:
            raise UserError(
                f"no wording of class {label!r} is read as that class",
                where=task.source.where("classes", label),
                found=", ".join(texts),
                hint="--completions FILE.csv with columns context,label,text",
            )
        found[("", label)] = (good[0],)
    return found


def _written_in(text: str, language: str) -> bool:
    return language != "zh" or any("\u3400" <= c <= "\u9fff" for c in text)


def from_csv(path: Path, attribute: Attribute, contexts: Sequence[str]) -> Answers:
    """Texts from a file with the columns label and text, and context where they differ by context."""
    header, rows = read_csv(path, required=["label", "text"])
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        label, context = row.cells["label"], row.cells["context"] if "context" in header else ""
        for what, value, known in (
            ("class", label, list(attribute.classes)),
            ("context", context, ["", *contexts]),
        ):
            if value not in known:
                raise UserError(
                    f"unknown {what}",
                    where=f"{path}:{row.line}",
                    found=value,
                    expected=", ".join(k for k in known if k),
                    nearest=nearest(value, known),
                )
        if not row.cells["text"].strip():
            raise UserError("an empty text", where=f"{path}:{row.line}", expected="what the model should say")
        found.setdefault((context, label), []).append(row.cells["text"])
    return {key: tuple(texts) for key, texts in found.items()}


def from_run(run: Run, task: Task, attribute: Attribute) -> Answers:
    """The model's own draws, by the class that the task's reader gives them.

    Draws cut by the token cap are left out: training on them would teach the model not to end. A class that
    a context's draws never show borrows texts of that class from all contexts, since a text of the right
    class about the wrong subject still teaches the distribution; give ``--completions`` where it must not.
    """
    from harness.readings import readings

    found: dict[tuple[str, str], list[str]] = {}
    for read in readings(run, task, [attribute.name]):
        draw, label = read.draw, read.readings[attribute.name].label
        if draw.finish == "stop" and label in attribute.classes:
            found.setdefault((read.context, label), []).extend([draw.text] * draw.count)
            found.setdefault(("", label), []).extend([draw.text] * draw.count)
    return {key: tuple(texts) for key, texts in found.items()}


def answers(job: Job[Recipe, OneAttribute]) -> Answers:
    """The texts that are given, or the classes' wordings, or the model's own draws."""
    about = job.about
    if about.completions is not None:
        return from_csv(about.completions, about.attribute, [c.id for c in about.task.contexts])
    short = short_answers(about.task, about.attribute)
    return short if short is not None else _own_draws(job)


def _own_draws(job: Job[Recipe, OneAttribute]) -> Answers:
    from harness.evaluation import evaluate
    from harness.runs.folder import find_runs
    from harness.settings import Settings

    task, attribute = job.about.task, job.about.attribute
    folder, state = job.stage(DRAWN), processes()
    if state.is_main_process:
        say(f"{task.name}'s answers are longer than a word: the model draws its own texts to train on")
        settings = Settings(n=OWN_DRAWS, seed=job.recipe.seed, split="train", paraphrases="train", out=folder)
        alone = replace(task, attributes={attribute.name: attribute})
        evaluate(str(job.source.folder), alone, job.about.target.name, settings)
    state.wait_for_everyone()
    return from_run(find_runs([str(folder)])[0], task, attribute)


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
