"""Finds the task of a run: its own task file, or a task of the same name and hash."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.progress import say
from harness.tasks.task import Task, load_task

if TYPE_CHECKING:
    from harness.runs.folder import Run


def task_of(run: Run, given: str | Task = "") -> Task:
    """The task of a run; that it was changed since is said.

    Args:
        run: the run.
        given: the task by name, path or loaded; '' looks for it as ``locate`` does.
    """
    if isinstance(given, Task):
        task = given
    elif given:
        task = load_task(given)
    else:
        task = locate(run.manifest.task_source, run.identity.task, run.identity.task_hash)
    if task.name != run.identity.task:
        raise UserError(
            "the run is of another task", where=str(run.folder), found=task.name, expected=run.identity.task
        )
    if task.hash != run.identity.task_hash:
        say(
            f"{run.folder}: {task.source.path} is not as it was when the run was made; it is used as it is now"
        )
    return task


def locate(source: str, name: str, asked: str) -> Task:
    """A run's own task file where it still is, edited or not; else the task of its name, only if it is the same.

    A file of the same name in another folder, or in another release, is another task.

    Args:
        source: full path of the task's file when the run was made; '' where it is not known.
        name: the task's name.
        asked: the task's hash when the run was made.
    """
    if source and Path(source).is_file():
        try:
            return load_task(source)
        except UserError:
            # A task of another installation reads files outside its folder, which only our own may. The same is here.
            with suppress(UserError):
                if (same := load_task(name)).hash == asked:
                    return same
            raise
    task = load_task(name)
    if task.hash != asked:
        raise UserError(
            f"the task {name!r} that is found here is not the one that the run asked",
            where=str(task.source.path),
            found=f"hash {task.hash[:12]}",
            expected=f"hash {asked[:12]}" + (f", from {source}" if source else ""),
            hint=f"--task {task.source.path}, to use it all the same",
        )
    return task
