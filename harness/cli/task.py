"""``distalign task``: makes, checks and shows tasks."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.echo import echo
from harness.cli.options import Subcommands


@click.group(cls=Subcommands)
def command() -> None:
    """Make, check and show tasks."""


@command.command()
@click.argument("name")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("tasks"),
    show_default=True,
    help="Folder to write NAME/task.yaml in.",
)
def new(name: str, out: Path) -> None:
    """Write a commented task.yaml that passes 'task check' as it is."""
    from harness.tasks.scaffold import write_task

    path = write_task(name, out)
    echo(f"wrote {path}")
    echo(f"next: distalign task check {path}")


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--like", required=True, help="The task whose classes, contexts, reader and targets are used.")
@click.option("--name", required=True, help="Name of the new task.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("tasks"),
    show_default=True,
    help="Folder to write NAME/task.yaml in.",
)
def import_(file: Path, like: str, name: str, out: Path) -> None:
    """Make a task that asks a paper's own prompts: JSON records with 'messages' (or 'prompt')."""
    from harness.importers.prompts import import_prompts
    from harness.tasks.task import load_task

    path = import_prompts(file, load_task(like), name, out)
    task = load_task(str(path))
    echo(f"wrote {path}: {len(task.prompts)} prompts in {len(task.contexts)} contexts")
    echo(f"next: distalign task check {path}")


@command.command()
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every task that can be found.")
@click.option(
    "--prompts",
    "shown",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="How many rendered prompts to print.",
)
def check(names: tuple[str, ...], everything: bool, shown: int) -> None:
    """Validate tasks, render prompts, resolve targets, and measure the reader on the labelled examples. No model is needed."""
    from harness.checking import check_task
    from harness.errors import UserError
    from harness.tasks.catalog import names as known

    if everything and names:
        raise UserError(
            "either names or --all",
            found=" ".join(names),
            hint="tasks of a folder: distalign --include FOLDER task check --all",
        )
    chosen = [str(p / "task.yaml") for p in known("tasks").values()] if everything else list(names)
    if not chosen:
        raise UserError("nothing to check", expected="task names, or --all", hint="distalign list tasks")
    failed = []
    for name in chosen:
        report = check_task(name, shown)
        for line in report.lines:
            echo(line)
        if report.problems:
            failed.append(f"{report.name}: {'; '.join(report.problems)}")
    if failed:
        raise UserError(
            f"{len(failed)} of {len(chosen)} tasks do not pass: " + " | ".join(failed),
            hint="mend the reader, its wordings or the examples",
        )
    echo(f"{len(chosen)} task{'s' if len(chosen) > 1 else ''} passed")


@command.command()
@click.argument("name")
@click.argument(
    "sheets", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The classifier's file, READER.json.",
)
@click.option("--attribute", default="", help="What the labels are of; default: the task's first.")
def fit(name: str, sheets: tuple[Path, ...], out: Path, attribute: str) -> None:
    """Fit a classifier to filled-in sheets of distalign label, as a reader of task NAME; prints its error on texts left out."""
    from harness.errors import UserError
    from harness.labels import labelled_texts
    from harness.reading import fitting
    from harness.records import write
    from harness.tasks.task import load_task
    from harness.terms import FITTED

    if out.suffix != FITTED or out.exists():
        raise UserError(
            "no name for a new classifier",
            where="-o",
            found=f"{out}" + (", which is there already" if out.exists() else ""),
            expected=f"a new file that ends in {FITTED}",
        )
    task = load_task(name)
    asked = task.named(attribute)
    texts, judged = labelled_texts(sheets, asked)
    fitted, quality = fitting.fit(texts)
    for line in quality.lines(f"{asked.name}, each text read by a fit without it"):
        echo(line)
    echo(quality.told(f"{fitting.FOLDS}-fold cross-validation"))
    if judged:
        echo(f"{judged} of the labels are a judge model's: the error is against these")
    write(out, fitted)
    echo(f"wrote {out}; beside the task's file, in it:  reader: {{name: classifier, path: {out.name}}}")


@command.command()
@click.argument("name")
@click.option(
    "--prompts",
    "shown",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="How many rendered prompts to print.",
)
def show(name: str, shown: int) -> None:
    """Show a task: classes, contexts, prompts as rendered, sampling parameters, targets."""
    from harness.checking import describe
    from harness.tasks.task import load_task

    for line in describe(load_task(name), shown):
        echo(line)
