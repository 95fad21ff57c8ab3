"""``distalign label``."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.echo import echo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.labels import FilledSheet


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
@click.option(
    "--judge",
    default="",
    metavar="MODEL",
    help="A model that gives the labels that are still missing. They are noted as its own, never as a person's.",
)
def command(
    run: str, n: int, out: Path, attribute: str, known: tuple[Path, ...], seed: int, judge: str
) -> None:
    """Write a random sample of RUN's texts as a sheet for labelling by hand; what the reader said is not in it."""
    from harness.errors import UserError
    from harness.labels import NONE, FilledSheet, draw_sample, judged, read_sheet
    from harness.locks import held
    from harness.runs.folder import WRITTEN, Run
    from harness.runs.source import task_of

    if out.exists():
        raise UserError("the sheet is there already", where=str(out), hint="-o ANOTHER.csv, or move it away")
    opened = Run.open(run)
    task = task_of(opened)
    asked = task.named(attribute)
    sheets = [read_sheet(sheet, asked) for sheet in known]
    with held(opened.folder, WRITTEN):
        texts = draw_sample(opened, task, asked, n, seed)
    done = {name for sheet in sheets for name in sheet.labels}
    if judge and (missing := {name: text for name, text in texts.items() if name not in done}):
        sheets.insert(0, judged(missing, task, asked, judge))
    labels = {name: label for sheet in sheets for name, label in sheet.labels.items()}
    # The last sheet that has a label says whose it is.
    by = {name: sheet.by.get(name, "") for sheet in sheets for name in sheet.labels}
    names = ", ".join(asked.classes)
    definition = (
        f"{task.title} - {asked.name}. Write one of these into the column label: {names}; "
        f"or {NONE}, where a text decides for none of them, refuses, or is cut before it decides."
    )
    _write(out, definition, texts, FilledSheet(labels, by))
    left = sum(name not in labels for name in texts)
    echo(f"{out}: {len(texts)} texts of {n} draws, {left} without a label\n{definition}")
    given = sum(bool(by.get(name)) for name in texts)
    if given:
        echo(f"{given} labels are of a model, as the column by says: empty it where a person gives the label")
    echo(f"next: {'fill in the column label, then ' if left else ''}distalign score {run} --labels {out}")


def _write(out: Path, definition: str, texts: Mapping[str, str], filled: FilledSheet) -> None:
    from harness.files import replacing
    from harness.labels import DEFINITION
    from reports.text import cell

    labels, by = filled
    # Whose a label is stands beside it only where a model gave some.
    shown = ("id", "label", "by", "text") if any(by.get(name) for name in texts) else ("id", "label", "text")
    with replacing(out) as binary:
        file = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")
        sheet = csv.DictWriter(file, shown, extrasaction="ignore")
        sheet.writeheader()
        sheet.writerow({"id": DEFINITION, "text": definition})
        sheet.writerows(
            {"id": name, "label": labels.get(name, ""), "by": cell(by.get(name, "")), "text": cell(text)}
            for name, text in texts.items()
        )
        file.flush()
        file.detach()
