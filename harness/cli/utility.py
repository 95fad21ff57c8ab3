"""``distalign utility``: the options, and the scores of what a method cost a model."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import config_option


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
@config_option
def command(
    model: str,
    text: str | None,
    tasks: str,
    runs: tuple[Path, ...],
    include_path: Path | None,
    **flags: object,
) -> None:
    """Measure what MODEL can still do: perplexity on a text, lm-eval tasks, and what its draws are like.

    The findings are printed, and kept as utility.json in the model's folder and in each --run, where the
    leaderboard finds them.
    """
    import json

    from harness.retained.utility import Wanted, measure

    names = tuple(t for t in tasks.split(",") if t)
    if not (text or names or runs):
        raise click.UsageError("nothing to measure: give --text, --lm-eval or --run")
    chosen = {k: flags.pop(k) for k in ("column", "window", "stride", "limit")}
    wanted = Wanted(text or "", tasks=names, include=include_path, **chosen)  # type: ignore[arg-type]  # click checked the types
    click.echo(json.dumps(measure(model, wanted, runs, **flags), indent=1, ensure_ascii=False))
