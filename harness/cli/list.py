"""``distalign list``: lists tasks, targets, methods and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from harness.cli.echo import echo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.tasks.catalog import Kind

Loaded = TypeVar("Loaded")
KINDS = ("tasks", "targets", "methods", "runs")


@click.command()
@click.argument("kind", metavar="tasks|targets|methods|runs")
@click.argument("folders", nargs=-1)
def command(kind: str, folders: tuple[str, ...]) -> None:
    """List tasks, targets, methods, or the runs under FOLDERS (default: runs/)."""
    from harness.errors import UserError, nearest

    if kind not in KINDS:
        raise UserError(
            "nothing of that kind", found=kind, expected=", ".join(KINDS), nearest=nearest(kind, KINDS)
        )
    for line in globals()[f"_{kind}"](folders):
        echo(line)


def _usable(kind: Kind, load: Callable[[Path], Loaded], bad: list[str]) -> Iterator[Loaded]:
    """All that can be loaded; why the others cannot is put into ``bad``."""
    from harness.errors import UserError
    from harness.tasks.catalog import names

    for path in names(kind).values():
        try:
            yield load(path / f"{kind[:-1]}.yaml")
        except UserError as err:
            bad.append(str(err))


def _refuse(kind: Kind, bad: list[str]) -> None:
    from harness.errors import UserError

    if bad:
        raise UserError("\n".join([f"{kind} that cannot be used, left out above: {len(bad)}", *bad]))


def _tasks(folders: tuple[str, ...]) -> Iterator[str]:
    from harness.plaintext import table
    from harness.tasks.task import load_task

    bad: list[str] = []

    rows = [["task", "language", "contexts", "prompts", "attributes: classes", "targets"]]
    for task in _usable("tasks", load_task, bad):
        classes = "; ".join(f"{a.name}: {', '.join(a.classes)}" for a in task.attributes.values())
        targets = ", ".join(dict.fromkeys(alias for a in task.attributes.values() for alias in a.targets))
        rows.append(
            [task.name, task.language, str(len(task.contexts)), str(len(task.prompts)), classes, targets]
        )
    yield from table(rows)
    _refuse("tasks", bad)


def _targets(folders: tuple[str, ...]) -> Iterator[str]:
    from harness.plaintext import table
    from harness.tasks.target import load_target

    bad: list[str] = []

    rows = [["target", "kind", "attributes (rows)", "publisher", "year"]]
    for target in _usable("targets", load_target, bad):
        sizes = ", ".join(f"{a} ({len(t.rows)})" for a, t in target.tables.items())
        source = target.provenance
        rows.append(
            [
                target.name,
                target.kind,
                sizes,
                source.publisher if source else "",
                str(source.year) if source else "",
            ]
        )
    yield from table(rows)
    _refuse("targets", bad)


def _methods(folders: tuple[str, ...]) -> list[str]:
    from baselines.methods import METHODS
    from harness.plaintext import table

    rows = [[m.name, m.title, " ".join(m.need.required), str(m.recipe_file)] for m in METHODS]
    return table([["method", "what it is", "needs", "recipe"], *rows])


def _runs(folders: tuple[str, ...]) -> list[str]:
    from harness.plaintext import table
    from harness.runs.folder import find_runs

    rows = [["run", "model", "task", "n", "state", "folder"]]
    for run in find_runs(list(folders) or ["runs"]):
        state = run.manifest.state
        rows.append(
            [
                run.manifest.run,
                run.identity.asked,
                run.identity.task,
                str(run.n),
                state,
                str(run.folder),
            ]
        )
    return table(rows)
