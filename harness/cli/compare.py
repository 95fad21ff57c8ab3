"""``distalign compare``: the options, and the output of a comparison of two runs."""

from __future__ import annotations

import click

from harness.cli.echo import echo
from harness.plaintext import escaped


@click.command()
@click.argument("run_a")
@click.argument("run_b")
@click.option(
    "--target",
    "targets",
    multiple=True,
    help="Compare on these targets; default: all that both were scored against.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def command(run_a: str, run_b: str, targets: tuple[str, ...], as_json: bool) -> None:
    """Compare two runs of one task, or two folders of runs: in each context, and on average.

    Where a folder has runs of several checkpoints on one task, such as trained with other seeds, these are compared
    for trainings like these.

    Exit code 3 when they are not comparable; the message names the setting that differs.
    """
    from harness.comparison import compare

    report = compare(run_a, run_b, list(targets))
    if as_json:
        echo(escaped(report.json()))
        return
    for line in report.lines():
        echo(line)
