"""``distalign score``: reads and scores the draws of runs again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.echo import echo

if TYPE_CHECKING:
    from harness.runs.folder import Run


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option(
    "--target",
    "targets",
    multiple=True,
    help="Target name, or 'all'; default: those it was scored against before.",
)
@click.option("--task", default="", help="The task, where it is not found by the name in the manifest.")
@click.option(
    "--labels",
    "sheets",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The filled-in sheet of distalign label; a second one, of another person or model, tells how far two agree.",
)
@click.option("--attribute", default="", help="What the labels are of; default: the task's first.")
def command(
    runs: tuple[str, ...], targets: tuple[str, ...], task: str, sheets: tuple[Path, ...], attribute: str
) -> None:
    """Read the draws of finished runs again and score them; no model is loaded, the draws stay as they are."""
    from harness.cli.running import show
    from harness.errors import UserError
    from harness.locks import held
    from harness.rescore import score
    from harness.runs.folder import WRITTEN, find_runs

    found = find_runs(list(runs))
    if not found:
        raise UserError(
            "no run under these folders",
            found=", ".join(runs),
            expected="folders that distalign evaluate wrote",
            hint="distalign list runs FOLDER",
        )
    if sheets and (len(found) > 1 or len(sheets) > 2):
        raise UserError(
            "labels are of one run, by one person or two",
            where="--labels",
            found=f"{len(found)} runs, {len(sheets)} sheets",
        )
    for run in found:
        with held(run.folder, WRITTEN):
            score(run.folder, list(targets), task, labels=sheets, attribute=attribute)
        if len(sheets) > 1:
            _agreement(run, task, attribute)
        show(run)


def _agreement(run: Run, task: str, attribute: str) -> None:
    from harness.labels import agreement, labels_of
    from harness.runs.source import task_of

    name = task_of(run, task).named(attribute).name
    same, texts, kappa = agreement(labels_of(run).attributes[name])
    echo(
        f"the two sheets agree on {same} of {texts} texts (Cohen's kappa {kappa:.2f}); the first one's labels count"
    )
