"""``distalign label``."""

from __future__ import annotations

import csv
from pathlib import Path

import click


@click.command()
@click.argument("run")
@click.option("-n", default=100, show_default=True, type=click.IntRange(20), help="Draws in the sample.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("labels.csv"),
    show_default=True,
    help="The sheet to fill in.",
)
@click.option("--attribute", default="", help="What is labelled; default: the task's first.")
@click.option(
    "--from",
    "known",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A sheet that is filled in already: its labels serve where a text recurs. May be repeated.",
)
@click.option("--seed", default=0, show_default=True, help="Of the random sample.")
def command(run: str, n: int, out: Path, attribute: str, known: tuple[Path, ...], seed: int) -> None:
    """Write a random sample of RUN's texts as a sheet for labelling by hand; what the reader said is not in it."""
    from harness.cli.show import attribute_of
    from harness.errors import UserError
    from harness.files import replacing
    from harness.labels import DEFINITION, NONE, draw_sample, read_sheet
    from harness.runs.folder import Run
    from harness.runs.source import task_of
    from reports.text import cell

    if out.exists():
        raise UserError("the sheet is there already", where=str(out), hint="-o ANOTHER.csv, or move it away")
    opened = Run.open(run)
    task = task_of(opened)
    asked = task.attributes[attribute_of(task, attribute)]
    labels: dict[str, str] = {}
    for sheet in known:
        labels |= read_sheet(sheet, asked)
    texts = draw_sample(opened, task, asked, n, seed)
    names = ", ".join(asked.classes)
    definition = (
        f"{task.title} - {asked.name}. Write one of these into the column label: {names}; "
        f"or {NONE}, where a text decides for none of them, refuses, or is cut before it decides."
    )
    with replacing(out) as binary:
        import io

        file = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")
        writer = csv.writer(file)
        writer.writerow(("id", "label", "text"))
        writer.writerow((DEFINITION, "", definition))
        writer.writerows((name, labels.get(name, ""), cell(text)) for name, text in texts.items())
        file.flush()
        file.detach()
    left = sum(name not in labels for name in texts)
    click.echo(f"{out}: {len(texts)} texts of {n} draws, {left} without a label\n{definition}")
    click.echo(f"next: fill in the column label, then distalign score {run} --labels {out}")
