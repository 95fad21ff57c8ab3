"""``distalign unpack``."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.echo import echo


@click.command()
@click.argument("archives", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="ARCHIVES…")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where the run folders are written.",
)
def command(archives: tuple[Path, ...], out: Path) -> None:
    """Write packed runs, or all under a folder, as run folders. A changed archive is refused."""
    from reports.archive import archives as found
    from reports.archive import unpack

    for archive in found(archives):
        echo(str(unpack(archive, out)))
