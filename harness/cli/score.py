"""``distalign score``."""

from __future__ import annotations

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option(
    "--target",
    "targets",
    multiple=True,
    help="Target name, or 'all'; default: those it was scored against before.",
)
@click.option("--task", default="", help="The task, where it is not found by the name in the manifest.")
def command(runs: tuple[str, ...], targets: tuple[str, ...], task: str) -> None:
    """Read the draws of finished runs again and score them; no model is loaded, the draws stay as they are."""
    from harness.cli.running import show
    from harness.rescore import score
    from harness.runs.folder import find_runs

    for run in find_runs(list(runs)):
        score(run, list(targets), task)
        show(run)
