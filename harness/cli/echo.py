"""Prints: nothing that a command says can command a terminal, whoever wrote it."""

from __future__ import annotations

import click

from harness.plaintext import spelled


def echo(text: str, *, nl: bool = True) -> None:
    """Print a text, with what acts without being seen spelled out; JSON goes through ``escaped`` first."""
    click.echo(spelled(text), nl=nl)
