"""``distalign score``: reads and scores the draws of runs again."""

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
    from harness.errors import UserError
    from harness.rescore import score
    from harness.runs.folder import find_runs

    found = find_runs(list(runs))
    if not found:
        raise UserError(
            "no run under these folders",
            found=", ".join(runs),
            expected="folders that distalign evaluate wrote",
            hint="distalign list runs FOLDER",
        )
    for run in found:
        score(run, list(targets), task)
        show(run)
