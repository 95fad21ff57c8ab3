"""``distalign train``: the options of a training."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, Unpack

import click

from harness.cli.options import config_option


class OptionFlags(TypedDict):
    """The flags that are fields of ``Options``."""

    attribute: str
    recipe: Path | None
    settings: tuple[str, ...]
    completions: Path | None
    corpora: tuple[Path, ...]
    revision: str
    trust_pickle: bool


@click.command()
@click.argument("method")
@click.argument("model")
@click.option("--task", default="", help="Task name, folder or file; its training part is used.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    required=True,
    help="Target name or folder, or the task's name for one. May be repeated, for several corpora.",
)
@click.option(
    "--corpus",
    "corpora",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="File of people's replies, for a method that trains on them in place of a task. May be repeated.",
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Checkpoint folder to write."
)
@click.option("--attribute", default="", help="Which attribute, where the task has several.")
@click.option(
    "-r", "--recipe", type=click.Path(path_type=Path), help="YAML file over the method's own recipe."
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="One setting of the recipe. May be repeated.",
)
@click.option(
    "--completions",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV of texts per class (columns label, text and perhaps context), for tasks with long answers; "
    "default: class wordings, or the model's own draws.",
)
@click.option("--revision", default="", help="Hub revision of the model.")
@click.option("--trust-pickle", is_flag=True, help="Read weights in .bin files: a pickle may run code.")
@click.option(
    "--log-to",
    type=click.Choice(["trackio", "wandb"]),
    help="Show the losses while it trains, in a dashboard of that package; the same as --set log_to=…",
)
@config_option
def command(
    method: str,
    model: str,
    out: Path,
    task: str,
    targets: tuple[str, ...],
    log_to: str | None,
    **flags: Unpack[OptionFlags],
) -> None:
    """Train METHOD on MODEL so that its answers follow a target, and write a checkpoint folder.

    'distalign list methods' shows the methods, what each needs, and the recipe of each with all its settings.

    Only the task's training contexts and training paraphrases are used. The same command resumes a training
    that was stopped. Several GPUs: accelerate launch -m distalign train METHOD MODEL …
    """
    from baselines.driver import Options, train

    if log_to:
        flags["settings"] = (*flags["settings"], f"log_to={log_to}")
    train(method, model, task, targets, out, Options(**flags))
