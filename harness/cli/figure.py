"""``distalign figure``: the options of the figures for papers."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.echo import echo


@click.command()
@click.argument("kind", metavar="forest|shares|calibration|divergence")
@click.argument("runs", nargs=-1, required=True, metavar="RUNS…")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="File to write: .pdf, .svg or .png."
)
@click.option("--target", default="", help="Only results against this target.")
@click.option("--attribute", default="", help="Only results of this attribute.")
def command(kind: str, runs: tuple[str, ...], out: Path, target: str, attribute: str) -> None:
    """Draw a figure for a paper.

    \b
    forest       models of one task by their distance from the target, with intervals and floor
    shares       one run: each context's shares with 95% intervals, beside the target
    calibration  the models' shares against the target's
    divergence   mean TV against n, over the floor of a perfect model
    """
    from reports.figures import figure

    echo(str(figure(kind, list(runs), out, target=target, attribute=attribute)))
