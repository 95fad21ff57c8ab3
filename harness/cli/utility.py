"""``distalign utility``: the options, and the scores of what a method cost a model."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, Unpack

import click

from harness.cli.echo import echo
from harness.cli.options import config_option


class Flags(TypedDict):
    """How a text is read and a model loaded."""

    column: str
    window: int
    stride: int
    limit: int | None
    revision: str
    dtype: str
    device: str
    trust_remote_code: bool
    trust_pickle: bool


@click.command()
@click.argument("model")
@click.option(
    "--text",
    metavar="FILE|DATASET",
    help="Text for the perplexity: a file, or a hub data set as NAME[:CONFIG][@SPLIT].",
)
@click.option("--column", default="text", show_default=True, help="Column of a data set that holds its text.")
@click.option(
    "--window",
    type=click.IntRange(0),
    default=0,
    help="Tokens seen at once; default: the model's, at most 1024.",
)
@click.option(
    "--stride", type=click.IntRange(0), default=0, help="Tokens between windows; default: half a window."
)
@click.option(
    "--lm-eval", "tasks", metavar="TASK,…", default="", help="Tasks of lm-evaluation-harness to score."
)
@click.option(
    "--replies",
    metavar="TASK",
    default="",
    help="Task with people's replies to its prompts: bits per byte of these, without any draw.",
)
@click.option(
    "--encoder",
    metavar="PATH",
    default="",
    help="Folder of a sentence encoder: the meanings of each --run's replies are compared with people's.",
)
@click.option(
    "--limit", type=click.IntRange(1), default=None, help="Documents per lm-eval task; default: all."
)
@click.option(
    "--include-path",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with lm-eval tasks of your own.",
)
@click.option(
    "--run",
    "runs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A run of this model: the findings are kept there too, with what its draws are like. May be repeated.",
)
@click.option("--revision", default="", help="Hub revision of the model.")
@click.option("--dtype", default="auto", show_default=True, help="auto, float32, bfloat16 or float16.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, …")
@click.option("--trust-remote-code", is_flag=True, help="Run code that comes with the model.")
@click.option("--trust-pickle", is_flag=True, help="Read weights in .bin files: a pickle may run code.")
@config_option
def command(
    model: str,
    text: str | None,
    tasks: str,
    replies: str,
    encoder: str,
    runs: tuple[Path, ...],
    include_path: Path | None,
    **flags: Unpack[Flags],
) -> None:
    """Measure what MODEL can still do: perplexity on a text, bits of people's replies, lm-eval tasks, its draws.

    The findings are printed, and kept as utility.json in the model's folder and in each --run, where the
    leaderboard finds them.
    """
    from harness.plaintext import escaped
    from harness.records import to_text
    from harness.retained.utility import Wanted, measure

    names = tuple(t for t in tasks.split(",") if t)
    if not (text or names or replies or encoder or runs):
        raise click.UsageError("nothing to measure: give --text, --replies, --lm-eval or --run")
    wanted = Wanted(
        text or "",
        flags["column"],
        flags["window"],
        flags["stride"],
        names,
        replies,
        encoder,
        flags["limit"],
        include_path,
    )
    found = measure(
        model,
        wanted,
        runs,
        revision=flags["revision"],
        dtype=flags["dtype"],
        device=flags["device"],
        trust_remote_code=flags["trust_remote_code"],
        trust_pickle=flags["trust_pickle"],
    )
    echo(escaped(to_text(found)), nl=False)
