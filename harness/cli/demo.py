"""``distalign demo``: the options of the demonstration on the tiny models."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.echo import echo


@click.command()
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder for checkpoints, runs and the page.",
)
def command(out: Path) -> None:
    """Train every method on the shipped tiny model, evaluate all alike, and write the leaderboard.

    The same command goes on where it stopped. The tiny model is for seeing the path; it is no evidence about
    real models.
    """
    from baselines.demo import demo

    echo(str(demo(out)))
