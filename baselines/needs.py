"""What a method must be given: a task and a target, several attributes of a task, or a corpus of people's replies."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from harness.contract import TargetRecord, TaskRecord
from harness.errors import UserError, nearest
from harness.tasks.target import load_target, resolve
from harness.tasks.task import load_task
from reports.text import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.tasks.target import Target
    from harness.tasks.task import Attribute, Task


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call says that a training is about."""

    task: str = ""
    targets: tuple[str, ...] = ()
    attribute: str = ""
    completions: Path | None = None
    """CSV of texts per class, for tasks whose answers are longer than a word."""
    corpora: tuple[Path, ...] = ()
    """Files of people's replies."""

    def given(self) -> dict[str, str]:
        """Option -> what was given with it, for every option that was."""
        values = {
            "--task": self.task,
            "--target": ", ".join(self.targets),
            "--attribute": self.attribute,
            "--completions": str(self.completions or ""),
            "--corpus": ", ".join(str(c) for c in self.corpora),
        }
        return {option: value for option, value in values.items() if value}


class Stated(NamedTuple):
    """What a checkpoint's record says that it was trained on."""

    task: TaskRecord | None = None
    attribute: str = ""
    target: TargetRecord | None = None
    targets: Mapping[str, TargetRecord] = {}
    corpora: tuple[str, ...] = ()
    completions: str = ""

    def target_names(self) -> str:
        """Its target, or its targets parted by commas."""
        several = dict.fromkeys(t.name for t in self.targets.values())
        return self.target.name if self.target else ", ".join(several)


class Subject(Protocol):
    """What a training is about, as its record and its model card say it."""

    def stated(self) -> Stated:
        """What of it decides what is learned."""

    def goal(self) -> str:
        """What the checkpoint's answers follow, for its model card."""

    def command(self) -> str:
        """The options of ``distalign evaluate`` that ask it the same, quoted for a shell."""


@dataclass(frozen=True, slots=True)
class OneAttribute:
    """One attribute of a task, and its target."""

    task: Task
    attribute: Attribute
    target: Target
    completions: Path | None = None

    def stated(self) -> Stated:
        """Task, attribute, target and the texts that were given."""
        given = _sha256(self.completions) if self.completions else ""
        return Stated(_asked(self.task), self.attribute.name, _figures(self.target), completions=given)

    def goal(self) -> str:
        """The task, its attribute and the target."""
        return (
            f"the task\n**{self.task.name}** (attribute {escaped(self.attribute.name)}) "
            f"follow the target **{self.target.name}**"
        )

    def command(self) -> str:
        """Task and target."""
        return shlex.join(["--task", self.task.name, "--target", self.target.name])


@dataclass(frozen=True, slots=True)
class SeveralAttributes:
    """All attributes of a task, each with its target."""

    task: Task
    targets: Mapping[str, Target]
    """By attribute."""

    def stated(self) -> Stated:
        """The task and the target of each attribute."""
        targets = {name: _figures(target) for name, target in self.targets.items()}
        return Stated(_asked(self.task), ", ".join(self.targets), targets=targets)

    def goal(self) -> str:
        """The task, and each attribute's target."""
        follow = ", ".join(f"{escaped(name)}: **{target.name}**" for name, target in self.targets.items())
        return f"the task\n**{self.task.name}** follow the targets of its attributes ({follow})"

    def command(self) -> str:
        """The task, with its own targets."""
        return shlex.join(["--task", self.task.name])


@dataclass(frozen=True, slots=True)
class Replies:
    """Corpora of people's replies, and the targets that were counted from them."""

    corpora: tuple[Path, ...]
    targets: tuple[Target, ...]

    def stated(self) -> Stated:
        """The files' hashes, and the targets'; there is no task."""
        targets = {t.name: _figures(t) for t in self.targets}
        return Stated(targets=targets, corpora=tuple(_sha256(c) for c in self.corpora))

    def goal(self) -> str:
        """The corpora and the targets."""
        corpora = ", ".join(f"**{c.name}**" for c in self.corpora)
        return (
            f"the prompts of\n{corpora} follow the targets {', '.join(f'**{t.name}**' for t in self.targets)}"
        )

    def command(self) -> str:
        """The first target, with the task that it belongs to."""
        return shlex.join(["--task", "TASK", "--target", self.targets[0].name])


S_co = TypeVar("S_co", bound=Subject, covariant=True)


@dataclass(frozen=True, slots=True)
class Need(Generic[S_co]):
    """What a method needs to be told, and how that is read."""

    required: tuple[str, ...]
    """Options that must be given."""
    optional: tuple[str, ...]
    """Options that may be given; every other one is refused."""
    read: Callable[[Asked], S_co]

    def about(self, method: str, asked: Asked) -> S_co:
        """What the training is about, checked."""
        given = asked.given()
        for option in self.required:
            if option not in given:
                raise UserError(
                    f"{method} needs {option}", where=option, expected=" and ".join(self.required)
                )
        for option, value in given.items():
            if option not in (*self.required, *self.optional):
                raise UserError(
                    f"{method} takes no {option}",
                    where=option,
                    found=value,
                    expected=", ".join((*self.required, *self.optional)),
                )
        return self.read(asked)


def one_attribute(measure: str = "draws", *, texts: bool = True) -> Need[OneAttribute]:
    """A task of a measure and a target for one of its attributes.

    Args:
        measure: of the tasks that the method trains on.
        texts: whether texts per class may be given.
    """
    optional = ("--attribute", "--completions") if texts else ("--attribute",)
    return Need(("--task", "--target"), optional, partial(_one_attribute, measure))


def several_attributes() -> Need[SeveralAttributes]:
    """A task, and a target that has figures for all of its attributes."""
    return Need(("--task", "--target"), (), _several_attributes)


def replies() -> Need[Replies]:
    """People's replies, and their targets; both may be given more than once."""
    return Need(("--corpus", "--target"), (), _replies)


def _one_attribute(measure: str, asked: Asked) -> OneAttribute:
    task = _task(asked.task, measure)
    names = list(task.attributes)
    if not asked.attribute and len(names) > 1:
        raise UserError(
            "the task has several attributes", where="--attribute", expected="one of " + ", ".join(names)
        )
    wanted = asked.attribute or names[0]
    if wanted not in names:
        raise UserError(
            "no such attribute",
            where="--attribute",
            found=wanted,
            expected=", ".join(names),
            nearest=nearest(wanted, names),
        )
    attribute = task.attributes[wanted]
    return OneAttribute(task, attribute, _target(task, attribute, _only(asked.targets)), asked.completions)


def _several_attributes(asked: Asked) -> SeveralAttributes:
    task, name = _task(asked.task, "draws"), _only(asked.targets)
    return SeveralAttributes(task, {a.name: _target(task, a, name) for a in task.attributes.values()})


def _replies(asked: Asked) -> Replies:
    return Replies(asked.corpora, tuple(load_target(name) for name in asked.targets))


def _task(name: str, measure: str) -> Task:
    task = load_task(name)
    if task.measure != measure:
        raise UserError(
            "the method trains on tasks of another measure",
            where=str(task.source.path),
            found=f"measure: {task.measure}",
            expected=f"measure: {measure}",
        )
    return task


def _target(task: Task, attribute: Attribute, name: str) -> Target:
    target = resolve(task, attribute, name)
    target.check(task, attribute, [c.id for c in task.contexts if c.split == "train"])
    return target


def _only(targets: tuple[str, ...]) -> str:
    if len(targets) > 1:
        raise UserError("a task is trained towards one target", where="--target", found=", ".join(targets))
    return targets[0]


def _asked(task: Task) -> TaskRecord:
    return TaskRecord(name=task.name, version=task.version, hash=task.hash)


def _figures(target: Target) -> TargetRecord:
    return TargetRecord(name=target.name, hash=target.hash)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
