"""The command group ``distalign``. The module of a subcommand is imported only when it runs."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from harness import __version__
from harness.errors import UserError, of_disk
from harness.plaintext import storable

VERBS = {
    "evaluate": "Evaluate models on tasks against target distributions.",
    "score": "Read and score a run's draws again, without a model.",
    "show": "Show what a model said in a run: texts, draws, class and reason.",
    "label": "Write a random sample of a run's texts, to be labelled by hand.",
    "compare": "Compare two runs: in each context, and on average.",
    "leaderboard": "Write the HTML leaderboard from runs.",
    "figure": "Draw figures for papers from runs.",
    "train": "Train a model by a method, from a task and a target.",
    "utility": "Measure what a training cost the model: perplexity, lm-eval tasks.",
    "task": "Make, check and show tasks.",
    "target": "Show targets, or import them from published tables.",
    "list": "List tasks, targets, methods or runs.",
    "export": "Tables, model-card metadata and Parquet from runs; a task for lm-eval.",
    "merge": "Unite the shards of one run.",
    "pack": "Pack a run into one archive to give away.",
    "unpack": "Write packed runs as run folders.",
    "board": "Keep a public board that takes runs by pull request.",
    "demo": "See the whole path run on a tiny model: train, evaluate, publish.",
    "env": "Print what an issue report needs.",
}
"""Verb -> the line that --help shows, so that --help imports nothing else."""

EPILOG = """\b
Examples:
  distalign evaluate known:target --task gender_us --target labor -n 100
  distalign evaluate path/to/model --task gender_us -n 100
  distalign leaderboard runs/ -o site/

Every option is also an environment variable: --seed of evaluate is DISTALIGN_EVALUATE_SEED.
Exit codes: 0 done, 2 something to mend (one message says what), 3 incomplete or not comparable."""


class Verbs(click.Group):
    """Loads ``harness.cli.<verb>`` on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order a user meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command object of one verb."""
        if cmd_name not in VERBS:
            return None
        command = import_module(f"harness.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101  # narrows a lazy import for the type checker
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with their static lines."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """An unknown verb is answered with the nearest ones."""
        if args and not args[0].startswith("-") and args[0] not in VERBS:
            from harness.cli.list import KINDS
            from harness.errors import nearest

            raise UserError(
                "no such command",
                found=args[0],
                expected=", ".join(VERBS),
                nearest=nearest(args[0], VERBS),
                hint=f"distalign list {args[0]}" if args[0] in KINDS else "distalign --help",
            )
        return super().resolve_command(ctx, args)


@click.group(
    cls=Verbs,
    epilog=EPILOG,
    context_settings={"auto_envvar_prefix": "DISTALIGN", "help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="distalign")
@click.option(
    "--include",
    metavar="FOLDER",
    help="A folder with tasks/ and targets/ of your own (several: joined as in PATH).",
)
def group(include: str | None) -> None:
    """Does a language model, asked again and again, answer with the distribution it should?"""
    if include:
        from harness.tasks.catalog import INCLUDE

        os.environ[INCLUDE] = include


def main(args: list[str] | None = None) -> None:
    """Run the command; errors that a user can mend are one message without a traceback."""
    sys.exit(run(args))


def run(args: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    try:
        _plain(sys.argv[1:] if args is None else args)
        group.main(args=args, prog_name="distalign", standalone_mode=False)
    except UserError as err:
        click.echo(f"distalign: {err}", err=True)
        return err.exit_code
    except click.exceptions.Exit as err:
        return err.exit_code
    except click.ClickException as err:
        click.echo(_usage(err), err=True)
        return 2
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo(
            "distalign: stopped; what was drawn or decided is kept, the same command goes on", err=True
        )
        return 130
    except BrokenPipeError:
        sys.stderr.close()
    except Exception as err:
        told = refused(err)
        if told is None:
            raise
        click.echo(f"distalign: {told}", err=True)
        return 2
    return 0


def _plain(args: list[str]) -> None:
    """Refuse arguments that no file, header or manifest can hold."""
    for arg in args:
        if not storable(arg):
            raise UserError("not plain text", found=repr(arg), expected="UTF-8 without null bytes")


def refused(err: Exception) -> UserError | None:
    """What the user is told where the system refused to read or write; None where an error is about something else."""
    where = str(err.filename2 or err.filename or "") if isinstance(err, OSError) else ""
    if not where and not of_disk(err):
        return None
    return UserError(
        "the system refuses to read or write; what was written before is kept",
        where=where,
        found=err.strerror if isinstance(err, OSError) and err.strerror else str(err),
        hint="make room, or give another path; then the same command again",
    )


def _usage(err: click.ClickException) -> str:
    context = getattr(err, "ctx", None)
    command = context.command_path if context else "distalign"
    message = err.format_message()
    if context and message == context.get_help():  # a group without a command
        return message
    if isinstance(err, click.NoSuchOption) and err.possibilities:
        message = message.split(" Did you mean")[0].split(" (Possible")[0]
        message += "\n  nearest:  " + ", ".join(sorted(err.possibilities))
    return f"distalign: {message}\n  next:     {command} --help"
