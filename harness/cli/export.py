"""``distalign export``."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def command() -> None:
    """Write tasks in the form of other harnesses."""


@command.command("lm-eval")
@click.argument("task")
@click.option("--target", default="", help="Which of the task's targets; the first one by default.")
@click.option("-n", default=100, show_default=True, type=click.IntRange(1), help="Draws per prompt.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Where the folder is written."
)
def lm_eval(task: str, target: str, n: int, out: Path) -> None:
    """Write a task that lm_eval --include_path OUT --tasks NAME runs as it is."""
    from harness.export_lmeval import export_task
    from harness.planning import targets_of
    from harness.tasks import load_task

    loaded = load_task(task)
    found = targets_of(loaded, [target] if target else [])
    folder = export_task(loaded, {a: t[0] for a, t in found.items()}, out, n)
    click.echo(f"wrote {folder}")
    click.echo(
        (folder / f"{loaded.name}.yaml").read_text(encoding="utf-8").splitlines()[1].removeprefix("# ")
    )
