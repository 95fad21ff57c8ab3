"""``distalign board``: a public board that takes runs by pull request."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.echo import echo
from harness.cli.options import Subcommands


@click.group(cls=Subcommands)
def command() -> None:
    """Keep a public leaderboard in a repository: strangers submit runs, and every number is computed again."""


@command.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
def new(folder: Path) -> None:
    """Make a repository for a board: a folder for runs, instructions, and a GitHub Actions workflow."""
    from reports.repository import make

    for path in make(folder):
        echo(str(path))


@command.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUNS")
@click.option(
    "--known",
    type=click.Path(path_type=Path),
    help="The archives that are on the board: they are not checked again, and may not be changed.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Also write the verdict as Markdown.")
def check(folder: Path, known: Path | None, out: Path | None) -> None:
    """Check the archives under RUNS: whole, complete, and every number as it follows from counts, and these from draws.

    Exit code 2 when one is refused.
    """
    from harness.errors import UserError
    from harness.files import write_atomic
    from reports.submitted import judge, told

    verdicts = judge(folder, known)
    text = told(verdicts)
    echo(text, nl=False)
    if out is not None:
        write_atomic(out, text)
    refused = [verdict.archive for verdict in verdicts if verdict.problem]
    if refused:
        raise UserError(
            f"{len(refused)} of {len(verdicts)} runs are refused",
            where=str(folder),
            found=", ".join(refused[:5]),
            hint="distalign pack RUN, from the run's folder as distalign wrote it",
        )
