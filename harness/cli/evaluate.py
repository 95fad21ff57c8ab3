"""``distalign evaluate``: its options, made into settings."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import config_option, engine_options
from harness.limits import DIGITS
from harness.sampling.engines import ENGINES, all_options
from harness.sampling.spec import AUTO

HELP = (
    """Sample MODEL n times per prompt, read, count, and compare with target distributions.

MODEL is a path or hub id, or ENGINE:… with one of these engines:

\b
"""
    + "".join(f"  {spec.name}:… {spec.means}\n" for spec in ENGINES)
    + """
The same command resumes an interrupted run and skips what is complete.
"""
)
SAMPLING_OPTIONS = ("temperature", "top_p", "top_k", "max_tokens")


@click.command(help=HELP)
@click.argument("models", nargs=-1, required=True, metavar="MODEL…")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    required=True,
    help="Task name, folder or file; 'all' for every one. May be repeated.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    help="Target name; default: every target the task lists. May be repeated.",
)
@click.option(
    "-n",
    "n",
    type=int,
    default=100,
    show_default=True,
    help="Draws per prompt. A larger n later draws only what is missing.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of runs.",
)
@click.option(
    "--backend",
    default=AUTO,
    show_default=True,
    help=f"Engine of a path or hub id: {AUTO}, {', '.join(spec.name for spec in ENGINES)}.",
)
@click.option(
    "--measure",
    default="",
    help="How the distribution is found: draws (n samples), exact (the likely outputs are listed with their probabilities), "
    "or choices (the probabilities of the classes' wordings are compared); default: the task's.",
)
@click.option(
    "--epsilon",
    type=float,
    default=1e-3,
    show_default=True,
    help="The exact measure stops when outputs that it has not followed have less probability than this.",
)
@click.option(
    "--max-seconds",
    type=float,
    default=None,
    help="Stop the exact measure after so many seconds and score the bounds found so far; the same command continues it.",
)
@click.option(
    "--max-forwards",
    type=int,
    default=None,
    help="Stop it after so many forward passes in the same way.",
)
@click.option("--split", default="all", show_default=True, help="Contexts: all, train, validation or test.")
@click.option(
    "--paraphrases",
    default="test",
    show_default=True,
    help="Prompts: test; many (test and further wordings, for an interval over wordings); train, validation or all.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of the run; every chunk's own seed comes from it.",
)
@click.option("--system", default="", metavar="TEXT", help="A system message before every prompt.")
@click.option(
    "--continue-from",
    default="",
    metavar="TEXT",
    help="The beginning of every answer, put in the model's mouth; it is read with what the model adds.",
)
@click.option(
    "--prompts",
    type=click.Path(path_type=Path),
    default=None,
    help="File of prompts in place of the task's, in the form of a task's prompts.yaml.",
)
@click.option(
    "--contexts",
    multiple=True,
    metavar="A,B",
    help="Only these contexts, by id; default: all of the split. May be repeated.",
)
@click.option("--temperature", type=float, default=None, help="In place of the task's.")
@click.option("--top-p", type=float, default=None, help="In place of the task's.")
@click.option("--top-k", type=int, default=None, help="In place of the task's; 0 is off.")
@click.option("--max-tokens", type=int, default=None, help="In place of the task's.")
@click.option("--allow-greedy", is_flag=True, help="Allow several draws at temperature 0.")
@engine_options
@click.option(
    "--shard",
    metavar="I/K",
    default=None,
    help="Draw only the I-th of K parts; 'distalign merge' unites them.",
)
@click.option(
    "--until-halfwidth",
    "until",
    type=float,
    default=None,
    help="Draw until neither end of the mean TV's 95% interval is farther than this from the estimate, and no more than -n.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show rendered prompts, cost, noise floor and the smallest difference that can be told; draw nothing.",
)
@config_option
def command(
    models: tuple[str, ...], tasks: tuple[str, ...], targets: tuple[str, ...], dry_run: bool, **flags: object
) -> None:
    """Turn the flags into settings, and evaluate every model on every task."""
    from harness.cli.running import sweep
    from harness.settings import Settings

    engine = {k: v for k in all_options() if (v := flags.pop(k)) is not None}
    sampling = {k: v for k in SAMPLING_OPTIONS if (v := flags.pop(k)) is not None}
    shard = parse_shard(flags.pop("shard"))
    settings = Settings(engine=engine, sampling=sampling, shard=shard, **flags)  # type: ignore[arg-type]  # click checked the types
    sweep(models, tasks, targets, settings, dry_run)


def parse_shard(value: object) -> tuple[int, int] | None:
    """``I/K`` as numbers."""
    if value is None:
        return None
    from harness.errors import UserError

    first, slash, last = str(value).partition("/")
    numbers = slash and len(first) <= len(last) < DIGITS and first.isdecimal() and last.isdecimal()
    if not (numbers and 1 <= int(first) <= int(last)):
        raise UserError("a shard is I/K", where="--shard", found=value, expected="for example 1/4 to 4/4")
    return int(first), int(last)
