"""``distalign export``: one subcommand for each form of export."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.echo import echo
from harness.cli.options import Subcommands

RUNS = click.argument("runs", nargs=-1, required=True, metavar="RUNS…")
OUT = click.option("-o", "--out", type=click.Path(path_type=Path), help="File to write; default: print.")


@click.group(cls=Subcommands)
def command() -> None:
    """Give the board's numbers, or a task, the form that another tool takes."""


@command.command()
@RUNS
@OUT
def markdown(runs: tuple[str, ...], out: Path | None) -> None:
    """Markdown tables, one per task and target."""
    from reports import export

    _write(export.markdown(export.load(runs)), out)


@command.command()
@RUNS
@OUT
def latex(runs: tuple[str, ...], out: Path | None) -> None:
    """LaTeX tables (booktabs), one per task and target."""
    from reports import export

    _write(export.latex(export.load(runs)), out)


@command.command("model-card")
@RUNS
@OUT
def model_card(runs: tuple[str, ...], out: Path | None) -> None:
    """Metadata for the Hugging Face model card of one model (model-index)."""
    from reports.export import load
    from reports.formats import hub

    _write(hub.model_card(load(runs)), out)


@command.command("eval-results")
@RUNS
@click.option("--dataset", required=True, metavar="OWNER/NAME", help="The benchmark: a data set on the Hub.")
@OUT
def eval_results(runs: tuple[str, ...], dataset: str, out: Path | None) -> None:
    """Results of one model for its .eval_results folder on the Hugging Face Hub: a TV for each task and target."""
    from reports.export import load
    from reports.formats import hub

    _write(hub.eval_results(load(runs), dataset), out)


@command.command("every-eval-ever")
@RUNS
@click.option(
    "--by", required=True, metavar="NAME", help="The organization or person who made the evaluation."
)
@click.option(
    "--relationship",
    type=click.Choice(["first_party", "third_party", "collaborative", "other"]),
    default="other",
    show_default=True,
    help="What they are to the model.",
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder to write data/ into."
)
def every_eval_ever(runs: tuple[str, ...], by: str, relationship: str, out: Path) -> None:
    """Records of Every Eval Ever: a JSON file a run, every metric with its interval."""
    from reports.export import load
    from reports.formats.every_eval_ever import write

    for path in write(load(runs), out, by, relationship):
        echo(str(path))


@command.command()
@click.argument("run")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write: its name ends in .json.",
)
def inspect(run: str, out: Path) -> None:
    """A log of RUN for Inspect: a sample is a prompt, an epoch a draw."""
    from reports.formats.inspect_log import write

    echo(str(write(run, out)))


@command.command()
@RUNS
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder to write; new or empty."
)
def datasets(runs: tuple[str, ...], out: Path) -> None:
    """A folder of draws, prompts, counts and scores with a card, that datasets.load_dataset reads."""
    from reports.formats.dataset import write

    echo(str(write(runs, out)))


@command.command()
@RUNS
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="File to write.")
def parquet(runs: tuple[str, ...], out: Path) -> None:
    """One row per result, for pandas and others."""
    from reports import export

    echo(str(export.parquet(export.load(runs), out)))


@command.command("lm-eval")
@click.argument("task")
@click.option("--target", default="", help="Which of the task's targets; the first one by default.")
@click.option("-n", default=100, show_default=True, type=click.IntRange(1), help="Draws per prompt.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Where the folder is written."
)
def lm_eval(task: str, target: str, n: int, out: Path) -> None:
    """Write a task that lm_eval --include_path OUT --tasks NAME runs as it is."""
    from harness.lmeval.export import export_task
    from harness.tasks.target import targets_of
    from harness.tasks.task import load_task

    loaded = load_task(task)
    found = targets_of(loaded, [target] if target else [])
    folder = export_task(loaded, {a: t[0] for a, t in found.items()}, out, n)
    echo(f"wrote {folder}")
    echo((folder / f"{loaded.name}.yaml").read_text(encoding="utf-8").splitlines()[1].removeprefix("# "))


def _write(text: str, out: Path | None) -> None:
    if out is None:
        echo(text, nl=False)
        return
    from harness.files import write_atomic

    write_atomic(out, text)
    echo(str(out))
