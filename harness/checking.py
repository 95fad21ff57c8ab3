"""``task check``: checks a task without a model. Finds targets, renders prompts, runs the reader on the examples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.reading import make_reader, quality
from harness.tasks import prompts
from harness.tasks.target import load_target
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from harness.reading.quality import Quality
    from harness.tasks.task import Attribute, Task

LISTED = 100
"""Contexts that are named."""
LEAST_ACCURACY = 0.9
"""Below this a reader's own errors are larger than most differences between models."""
WITH_MODELS = ("classifier", "judge")
"""Readers that ask a model: what they make of the examples takes time, so only ``task check`` looks."""


@dataclass(slots=True)
class Report:
    """What a check found."""

    name: str
    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def check_task(name: str, shown: int = 3) -> Report:
    """Check one task. A mistake in its files raises ``UserError``; a reader that errs too often is a problem of the report."""
    task = load_task(name)
    report = Report(task.name, describe(task, shown))
    prompts.render(task, task.contexts, task.prompts, {"choice": "…"} if task.measure == "choices" else None)
    for attribute in task.attributes.values():
        _check_targets(task, attribute, report)
        _check_reader(task, attribute, report)
    return report


def _check_targets(task: Task, attribute: Attribute, report: Report) -> None:
    ids = [c.id for c in task.contexts]
    for alias, spec in attribute.targets.items():
        target = load_target(spec, task, alias, attribute.name)
        target.matrix(task, attribute, ids)
        source = target.provenance
        told = f" ({source.publisher}, {source.table}, {source.year}; {source.license})" if source else ""
        report.lines.append(f"  target {alias}: {target.name}{told}")


def _check_reader(task: Task, attribute: Attribute, report: Report) -> None:
    if task.measure == "choices":
        return
    reader = make_reader(attribute.reader, attribute.classes, task.language)
    if attribute.blind:
        blind = quality.measure(reader, attribute.blind, list(attribute.classes))
        report.lines += ["  " + line for line in blind.table()]
        report.lines.append("  " + blind.told(f"{attribute.name}, texts never used to mend the reader"))
        if 1 - blind.accuracy > quality.DOUBTFUL:
            report.lines.append(
                f"  that is more than {quality.DOUBTFUL:.0%}: check runs by hand, distalign label RUN -o labels.csv"
            )
    if not attribute.examples:
        report.lines.append(f"  {attribute.name}: no labelled examples; the reader's error rate is unknown")
        return
    measured = quality.measure(reader, attribute.examples, list(attribute.classes))
    report.lines.extend("  " + line for line in measured.lines(attribute.name))
    report.problems.extend(_problems(attribute, measured))


def _problems(attribute: Attribute, measured: Quality) -> list[str]:
    if measured.accuracy >= LEAST_ACCURACY:
        return []
    return [
        f"the reader of {attribute.name} reads {measured.accuracy:.0%} of its examples right, {LEAST_ACCURACY:.0%} is the least"
    ]


def doubts(task: Task) -> list[str]:
    """What makes a task's readers fail its check, as far as no model has to be asked for it."""
    found = []
    for attribute in task.attributes.values():
        if attribute.examples and task.measure != "choices" and attribute.reader["name"] not in WITH_MODELS:
            reader = make_reader(attribute.reader, attribute.classes, task.language)
            found += _problems(
                attribute, quality.measure(reader, attribute.examples, list(attribute.classes))
            )
    return found


def describe(task: Task, shown: int) -> list[str]:
    """A task in plain lines, with its first rendered prompts."""
    lines = [f"{task.name} v{task.version}: {task.title}"]
    lines.append(f"  language {task.language}; measure {task.measure}; {task.source.path}")
    for attribute in task.attributes.values():
        classes = ", ".join(
            f"{c} ({len(w)} wordings)" if len(w) > 1 else c for c, w in attribute.classes.items()
        )
        lines.append(
            f"  {attribute.name}: {classes}; {_order(attribute)}reader {attribute.reader['name']}; {len(attribute.examples)} examples"
        )
    splits = {s: sum(c.split == s for c in task.contexts) for s in ("train", "validation", "test")}
    wordings = {s: sum(p.split == s for p in task.prompts) for s in ("train", "validation", "test", "many")}
    lines.append(
        f"  {len(task.contexts)} contexts ({_split(splits)}); {len(task.prompts)} prompts ({_split(wordings)})"
    )
    ids = [c.id for c in task.contexts[:LISTED]]
    lines.append(f"  contexts: {', '.join(ids)}{', …' if len(task.contexts) > LISTED else ''}")
    lines.append(f"  sampling {task.sampling.told()}")
    extra = {"choice": "…"} if task.measure == "choices" else None
    for one in prompts.render(task, task.contexts[: max(shown, 1)], task.prompts, extra)[:shown]:
        text = one.text or " | ".join(f"{m.role}: {m.content}" for m in one.messages)
        lines.append(f"  prompt {one.prompt} in {one.context}: {text}")
    return lines


def _order(attribute: Attribute) -> str:
    """From the lowest class to the highest, with where they stand between 0 and 1."""
    if attribute.positions is None:
        return ""
    placed = sorted(zip(attribute.positions, attribute.classes, strict=True))
    return "ordered " + ", ".join(f"{name} ({place:.3g})" for place, name in placed) + "; "


def _split(numbers: dict[str, int]) -> str:
    return ", ".join(f"{v} {k}" for k, v in numbers.items() if v)
