"""``distalign target import``: makes a target from a published table or from people's replies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.echo import echo
from harness.cli.options import Subcommands
from harness.threads import processors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.importers.corpus import Splits
    from harness.tasks.target_file import Provenance

OUT = click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="The target folder to write."
)
DECIMAL = click.option(
    "--decimal",
    type=click.Choice([".", ","]),
    default=None,
    help="The decimal mark of numbers written as text. The point; where cells are parted by ; or tabs, say it.",
)


@click.group("import", cls=Subcommands)
def command() -> None:
    """Import a target from a published table, or from a corpus of human replies."""


def _provenance(function: Callable[..., None]) -> Callable[..., None]:
    function = click.option("--note", default="", help="What a reader of the figures must know.")(function)
    for name, text in (
        ("--link", "Where it is published."),
        ("--license", "Its licence."),
        ("--table", "Name of the table or corpus."),
        ("--publisher", "Who publishes it."),
    ):
        function = click.option(name, required=True, help=text)(function)
    function = click.option("--title", default="", help="A title for people.")(function)
    return click.option(
        "--year", type=click.IntRange(1800, 2100), required=True, help="The year that the figures are of."
    )(function)


def _source(flags: Mapping[str, object]) -> Provenance:
    from pydantic import ValidationError

    from harness.errors import UserError, plainly
    from harness.tasks.target_file import Provenance

    try:
        return Provenance.model_validate({key: flags[key] for key in Provenance.model_fields})
    except ValidationError as err:
        first = err.errors()[0]
        told, expected = plainly(first)
        raise UserError(told, where=f"--{first['loc'][0]}", found=first["input"], expected=expected) from None


def _report(path: Path) -> None:
    from harness.tasks.target import load_target

    target = load_target(str(path / "target.yaml"))
    for attribute, figures in target.tables.items():
        echo(f"{attribute}: {len(figures.rows)} rows of {', '.join(figures.classes)}")
    if target.provenance and target.provenance.note:
        echo(f"note: {target.provenance.note}")
    echo(f"wrote {path}")
    echo(f"next: distalign target show {path}/target.yaml")


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--year", type=int, required=True, help="The year that the workbook is of; checked against its title."
)
@DECIMAL
@OUT
def bls(file: Path, year: int, decimal: str | None, out: Path) -> None:
    """BLS Current Population Survey, Table 11: the workbook cpsaat11.xlsx, or its text as CSV."""
    from harness.importers.bls import import_bls

    _report(import_bls(file, year, out, decimal or ""))


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--year", type=int, required=True, help="The year that the workbook is of; checked against its title."
)
@click.option(
    "--subtraction", is_flag=True, help="Also rows where one sex is found by subtracting the other from all."
)
@OUT
def ons(file: Path, year: int, subtraction: bool, out: Path) -> None:
    """ONS Annual Survey of Hours and Earnings, Table 14.1a: jobs by sex and occupation."""
    from harness.importers.ons import import_ons

    _report(import_ons(file, year, out, subtraction=subtraction))


@command.command("table")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--attribute", required=True, help="What the classes are classes of.")
@click.option(
    "--class",
    "classes",
    multiple=True,
    required=True,
    metavar="NAME[=HEADER]",
    help="A class and its column; 'NAME=' is what the others leave of the whole. Repeat it.",
)
@click.option(
    "--context", default="context", show_default=True, help="Header of the column with the contexts."
)
@click.option(
    "--unit",
    type=click.Choice(["shares", "percent", "counts"]),
    default="shares",
    show_default=True,
    help="What the figures are.",
)
@click.option(
    "--precision",
    default="",
    help="Step of the published figures, such as 0.1: a zero is then read as the middle of what rounds to zero.",
)
@DECIMAL
@click.option(
    "--keep", "informative", multiple=True, help="Header of a column to keep beside the figures. Repeat it."
)
@OUT
@_provenance
def any_table(
    file: Path, classes: tuple[str, ...], informative: tuple[str, ...], out: Path, **flags: object
) -> None:
    """Any table with one row per context and one column per class."""
    from harness.errors import UserError
    from harness.importers.table import TableOptions, import_table

    columns = {name: header if sign else name for name, sign, header in (c.partition("=") for c in classes)}
    if len(columns) < len(classes):
        raise UserError(
            "a class stands twice", where="--class", found=" ".join(classes), expected="each once"
        )
    chosen = {k: flags[k] or "" for k in ("attribute", "context", "unit", "precision", "decimal", "title")}
    options = TableOptions(classes=columns, informative=informative, provenance=_source(flags), **chosen)  # type: ignore[arg-type]  # click checked the types
    _report(import_table(file, out, options))


@command.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE.jsonl[.gz]|FILE.parquet|hf:NAME…")
@click.option(
    "--language",
    type=click.Choice(["en", "zh"]),
    required=True,
    help="Records of other languages are passed over.",
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="FIELD=NAME",
    help="What the corpus calls a field: reply, question, passage, history, language, track, family, style, conversation, "
    "id, turn, split, or turns, the list of a whole conversation. Repeat it.",
)
@click.option(
    "--stratified",
    multiple=True,
    metavar="SOURCE",
    help="A source sampled by length: it counts within a length bin only. Repeat it.",
)
@click.option(
    "--split",
    type=click.Choice(["all", "train", "validation", "test"]),
    default="all",
    show_default=True,
    help="Whose replies the figures are of: the records' own split, or that of --shares and --seed.",
)
@click.option(
    "--shares",
    default="70/10/20",
    show_default=True,
    metavar="TRAIN/VALIDATION/TEST",
    help="How conversations are shared out where records name no split.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the splits.")
@click.option(
    "--task",
    type=click.Path(path_type=Path),
    default=None,
    help="Also write the test split here as a task: its prompts, and people's replies as hidden references.",
)
@OUT
@_provenance
def reference(
    sources: tuple[str, ...],
    fields: tuple[str, ...],
    shares: str,
    seed: int,
    task: Path | None,
    out: Path,
    **flags: object,
) -> None:
    """A corpus of human replies: shares of their shapes, and features, per kind of exchange. Figures only."""
    from harness.errors import UserError
    from harness.importers.reference import ReferenceOptions, import_reference

    if len({f.partition("=")[0] for f in fields}) < len(fields):
        raise UserError(
            "a field is named twice", where="--field", found=" ".join(fields), expected="each once"
        )
    for given in fields:
        if "=" not in given:
            raise UserError(
                "a field is FIELD=NAME", where="--field", found=given, expected="for example response=answer"
            )
    options = ReferenceOptions(
        provenance=_source(flags),
        fields=dict(f.split("=", 1) for f in fields),
        **{k: flags[k] for k in ("language", "title", "stratified", "split")},  # type: ignore[arg-type]  # click checked the types
        splits=_splits(shares, seed),
        task=task,
        processes=processors(),
    )
    _report(import_reference(sources, out, options))
    if task is not None:
        echo(f"wrote {task}\nnext: distalign evaluate MODEL --task {task} -n 4")


def _splits(shares: str, seed: int) -> Splits:
    from harness.errors import UserError
    from harness.importers.corpus import Splits

    parts = shares.split("/")
    numbers = [float(p) if p.replace(".", "", 1).isdecimal() else -1.0 for p in parts]
    if len(numbers) != 3 or min(numbers) < 0 or not sum(numbers):
        raise UserError("not three shares", where="--shares", found=shares, expected="such as 70/10/20")
    train, validation, _ = (n / sum(numbers) for n in numbers)
    return Splits(train, validation, seed)


@command.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.csv|FILE.json|FILE.jsonl")
@click.option("--name", required=True, help="What the names of the tasks begin with: NAME_1, NAME_2, …")
@click.option(
    "--group",
    "groups",
    multiple=True,
    help="A group of people, which becomes a target. Repeat it; without it all.",
)
@click.option(
    "--without",
    multiple=True,
    default=("Refused",),
    show_default=True,
    help="An option that is no answer; the shares of the others are scaled to 1. Repeat it.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("tasks"),
    show_default=True,
    help="Folder to write the tasks in.",
)
@_provenance
def survey(
    file: Path, name: str, groups: tuple[str, ...], without: tuple[str, ...], out: Path, **flags: object
) -> None:
    """Questions, options and shares by group, as in OpinionQA and GlobalOpinionQA: tasks with their targets.

    Each question is a context. Questions with the same options are one task.
    """
    from harness.importers.survey import SurveyOptions, import_survey

    made = import_survey(file, out, SurveyOptions(name, _source(flags), str(flags["title"]), groups, without))
    left = f"; {made.left_out} without shares of every group are left out" if made.left_out else ""
    echo(f"{made.questions} questions in {len(made.tasks)} tasks, one for each list of options{left}")
    for path in made.tasks[:20]:
        echo(f"wrote {path}")
    if len(made.tasks) > 20:
        echo(f"… and {len(made.tasks) - 20} more")
    echo(f"next: distalign task check {made.tasks[0]}")
