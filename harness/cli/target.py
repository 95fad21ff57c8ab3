"""``distalign target``: shows a target; its subcommand ``import`` is in ``importing``."""

from __future__ import annotations

import click

from harness.cli import importing
from harness.cli.echo import echo
from harness.cli.options import Subcommands


@click.group(cls=Subcommands)
def command() -> None:
    """Show targets, or import them from published tables."""


command.add_command(importing.command)


@command.command()
@click.argument("name")
@click.option("--attribute", default="", help="Only this attribute.")
@click.option("--context", "contexts", multiple=True, help="Only these rows. May be repeated.")
def show(name: str, attribute: str, contexts: tuple[str, ...]) -> None:
    """Show a target: its figures and where they come from."""
    from harness.errors import UserError, nearest
    from harness.plaintext import table
    from harness.tasks.target import load_target

    target = load_target(name)
    echo(f"{target.name}: {target.title} ({target.kind}; sha256 {target.hash[:12]})")
    if target.provenance:
        for key, value in target.provenance.model_dump().items():
            if value != "":
                echo(f"  {key}: {value}")
    if target.smoothing:
        echo(f"  smoothing: {target.smoothing}")
    if attribute and attribute not in target.tables:
        raise UserError(
            f"target {name!r} has no such attribute",
            where="--attribute",
            found=attribute,
            expected=", ".join(target.tables),
            nearest=nearest(attribute, target.tables),
        )
    for label, figures in target.tables.items():
        if attribute and label != attribute:
            continue
        for context in contexts:
            if context not in figures.rows:
                raise UserError(
                    f"target {name!r} has no such row",
                    where="--context",
                    found=context,
                    nearest=nearest(context, figures.rows),
                )
        chosen = list(contexts) or list(figures.rows)
        sized = ["replies", "independent"] if figures.samples else []
        rows = [
            [label, *figures.classes, *sized],
            *(
                [
                    c,
                    *(f"{figures.rows[c][k]:.4f}" for k in figures.classes),
                    *(f"{size:g}" for size in figures.samples.get(c, ())),
                ]
                for c in chosen
            ),
        ]
        for line in table(rows):
            echo(line)
