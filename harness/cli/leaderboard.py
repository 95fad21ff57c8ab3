"""``distalign leaderboard``: its options."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.echo import echo
from harness.cli.options import config_option


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUNS…")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("site"),
    show_default=True,
    help="Folder to write.",
)
@click.option(
    "--check/--no-check",
    "recompute",
    default=None,
    help="Compute every number again from the counts, and the counts from the draws that are there, or none. "
    "By default runs are whose draws are there.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Which sample texts are kept."
)
@config_option
def command(runs: tuple[str, ...], out: Path, recompute: bool | None, seed: int) -> None:
    """Write the leaderboard of all runs under RUNS: index.html, leaderboard.csv, leaderboard.json, counts.csv.

    The page is one file that opens from disk. Runs that are not comparable are shown apart with the reason.
    A run that cannot be read is named and left out. Exit code 3 when there is one, or a number that
    does not follow.
    """
    from reports.leaderboard import leaderboard

    echo(str(leaderboard(list(runs), out, recompute=recompute, seed=seed)))
