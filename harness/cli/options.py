"""Options that several subcommands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from harness.sampling.engines import ENGINES, all_options

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")


class Subcommands(click.Group):
    """A group whose help says what each subcommand does, however long that is."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with its whole first sentence."""
        rows = [(name, self.commands[name].get_short_help_str(1000)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _load(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    if value is None:
        return None
    from harness.errors import UserError, nearest
    from harness.files import load_yaml

    doc = load_yaml(value)
    if not isinstance(doc.data, dict):
        raise UserError(
            "not a mapping", where=str(value), found=doc.data, expected="option: value, one a line"
        )
    known = {p.name: p for p in ctx.command.params if p.name and p.name != param.name}
    flags = {
        o.lstrip("-").replace("-", "_"): name
        for name, p in known.items()
        for o in (*p.opts, *p.secondary_opts)
    }
    values: dict[str, object] = {}
    for key, given in doc.data.items():
        name = flags.get(str(key).replace("-", "_"), str(key).replace("-", "_"))
        if name not in known:
            raise UserError(
                "unknown key",
                where=doc.where(str(key)),
                found=key,
                expected=", ".join(sorted(flags)),
                nearest=nearest(str(key), flags),
            )
        many = getattr(known[name], "multiple", False) or known[name].nargs == -1
        values[name] = [given] if many and not isinstance(given, list) else given
    ctx.default_map = {**(ctx.default_map or {}), **values}
    return value


def engine_options(function: F) -> F:
    """The options of every engine; an engine that does not take one refuses it."""
    for key, option in reversed(all_options().items()):
        takers = ", ".join(spec.name for spec in ENGINES if option in spec.options)
        function = click.option(
            option.flag,
            key,
            type=click.IntRange(1) if option.kind is int else option.kind,
            is_flag=option.kind is bool,
            default=None,
            help=f"{option.help} For {takers}.",
        )(function)
    return function


def config_option(function: F) -> F:
    """``-c run.yaml``: every option as a key; what stands on the command line wins."""
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=_load,
        help="YAML file with any of these options as keys; the command line wins.",
    )(function)
