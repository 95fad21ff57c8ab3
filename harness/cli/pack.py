"""``distalign pack``."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.echo import echo


@click.command()
@click.argument("run")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Archive to write: its name ends in .zip.",
)
@click.option(
    "--name", default="", help="What the model is called; default: its hub id, or the last part of its path."
)
def command(run: str, out: Path, name: str) -> None:
    """Pack RUN into one archive to give away: counts, draws, scores, manifest and their sha256.

    Paths, addresses and what an engine said of failed draws are left out. The same run gives the same bytes.
    """
    from reports.packing import pack

    echo(str(pack(run, out, name)))
