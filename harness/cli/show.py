"""``distalign show``."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING

import click

from harness.cli.echo import echo

if TYPE_CHECKING:
    from harness.distinct import Heard
    from harness.runs.folder import Run

WIDTH = 100
"""Characters of a text that a table shows; CSV and JSON have all of it."""
COLUMNS = ("draws", "share", "outcome", "reason", "text")


@click.command()
@click.argument("run")
@click.option("--context", "contexts", multiple=True, help="Only answers in this context. May be repeated.")
@click.option("--prompt", "prompts", multiple=True, help="Only answers to this prompt. May be repeated.")
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    metavar="OUTCOME",
    help="Only unparsed, refused, truncated, failed, or a class. May be repeated.",
)
@click.option("--search", default="", help="Only texts that hold this, upper and lower case alike.")
@click.option("--attribute", default="", help="Whose outcome is told; default: the task's first.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Texts to show; 0 is all.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="csv and json have the texts whole.",
)
def command(
    run: str,
    contexts: tuple[str, ...],
    prompts: tuple[str, ...],
    outcomes: tuple[str, ...],
    search: str,
    attribute: str,
    limit: int,
    form: str,
) -> None:
    """Show what a model said in RUN: distinct texts with their draws, class and the reader's reason, commonest first."""
    from harness.distinct import Heard, Sought, said
    from harness.plaintext import escaped
    from harness.runs.folder import Run
    from harness.runs.source import task_of

    opened = Run.open(run)
    _refuse_without_texts(opened)
    task = task_of(opened)
    name = task.named(attribute).name
    found = said(opened, task, name, Sought(contexts, prompts, outcomes, search))
    shown = Heard(found.texts[:limit] if limit else found.texts, found.draws)
    if form == "json":
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in _rows(shown)]
        echo(escaped(json.dumps(rows, ensure_ascii=False, indent=1)))
    elif form == "csv":
        _csv(shown)
    else:
        others = [a for a in task.attributes if a != name]
        _table(opened, name, others, found, shown)


def _refuse_without_texts(run: Run) -> None:
    if run.identity.measure != "draws":
        from harness.errors import UserError
        from harness.scores import scored_targets
        from reports.command import command as again

        raise UserError(
            f"a run of the {run.identity.measure} measure keeps shares and no texts; "
            f"they are in {run.folder / 'shares.csv'}",
            where=str(run.folder),
            expected="a run with draws",
            hint=again(run, scored_targets(run), {"--measure": "draws", "-n": "100"}),
        )


def _rows(found: Heard) -> list[tuple[int, float, str, str, str]]:
    return [(t.draws, t.draws / found.draws, t.outcome, t.reason, t.text) for t in found.texts]


def _csv(found: Heard) -> None:
    from reports.text import cell

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(value) for value in row] for row in _rows(found))


def _table(run: Run, attribute: str, others: list[str], found: Heard, shown: Heard) -> None:
    from harness.plaintext import line, table

    draws = sum(text.draws for text in found.texts)
    also = f" (--attribute: {', '.join(others)})" if others else ""
    echo(
        f"{line(run.identity.asked)} on {run.identity.task}, {attribute}{also}: "
        f"{len(found.texts):,} distinct texts, {draws:,} of {found.draws:,} draws"
    )
    if run.identity.continue_from:
        echo(f"each goes on from: {line(run.identity.continue_from)}")
    for row in table(told(shown)):
        echo("  " + row)
    if left := len(found.texts) - len(shown.texts):
        echo(f"  and {left:,} more (--limit 0)")


def told(found: Heard, width: int = WIDTH) -> list[list[str]]:
    """The rows of a table, its head first."""
    from harness.plaintext import line

    rows = [
        [f"{draws:,}", f"{share:.1%}", outcome, reason, line(text, width)]
        for draws, share, outcome, reason, text in _rows(found)
    ]
    return [list(COLUMNS), *rows]
