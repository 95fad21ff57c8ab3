"""``distalign list``."""

from __future__ import annotations

import click

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
        click.echo(line)


def _tasks(folders: tuple[str, ...]) -> list[str]:
    from harness.plaintext import table
    from harness.tasks.catalog import names
    from harness.tasks.task import load_task

    rows = [["task", "language", "contexts", "prompts", "attributes: classes", "targets"]]
    for path in names("tasks").values():
        task = load_task(str(path / "task.yaml"))
        classes = "; ".join(f"{a.name}: {', '.join(a.classes)}" for a in task.attributes.values())
        targets = ", ".join(dict.fromkeys(alias for a in task.attributes.values() for alias in a.targets))
        rows.append(
            [task.name, task.language, str(len(task.contexts)), str(len(task.prompts)), classes, targets]
        )
    return table(rows)


def _targets(folders: tuple[str, ...]) -> list[str]:
    from harness.plaintext import table
    from harness.tasks.catalog import names
    from harness.tasks.target import load_target

    rows = [["target", "kind", "attributes (rows)", "publisher", "year"]]
    for path in names("targets").values():
        target = load_target(str(path / "target.yaml"))
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
    return table(rows)


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
                run.identity.model,
                run.identity.task,
                str(run.n),
                state,
                str(run.folder),
            ]
        )
    return table(rows)
