"""``distalign merge``: joins the shards of runs and scores them."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("shards", nargs=-1, required=True, metavar="SHARD…")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of runs to write the whole run in.",
)
@click.option("--target", "targets", multiple=True, help="Target name; default: every target the task lists.")
def command(shards: tuple[str, ...], out: Path, targets: tuple[str, ...]) -> None:
    """Unite the shards of runs ('evaluate --shard I/K' with an -o of its own each) and score them."""
    from harness.cli.running import show
    from harness.merging import merge

    for run in merge(list(shards), out, list(targets)):
        show(run)
