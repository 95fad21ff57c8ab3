"""What the README and the documentation name exists: files, modules to run, and commands with their options."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest

import harness
from harness.cli.main import group

ROOT = Path(harness.__file__).parent.parent
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("*.md"))]
HERE = ("harness/", "baselines/", "reports/", "tests/", "docs/", "targets/", "tasks/")


def blocks(text: str) -> list[str]:
    return re.findall(r"^ *```[^`\n]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def commands(text: str) -> list[list[str]]:
    """``distalign …`` in blocks and in the text, without comments; lines that end in a backslash are one."""
    lines = [line.strip() for block in blocks(text) for line in block.replace("\\\n", " ").splitlines()]
    pieces = [
        piece for line in [*lines, *spans(text)] for piece in re.split(r"(?<!from )(?=\bdistalign )", line)
    ]
    return [shlex.split(piece, comments=True)[1:] for piece in pieces if piece.startswith("distalign ")]


def unknown(words: list[str]) -> list[str]:
    """Verbs and options of a command line that the program does not have."""
    command: click.Command = group
    context = click.Context(group)
    rest = list(words)
    options = {name for parameter in group.params for name in parameter.opts}
    wrong = []
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            name = word.partition("=")[0]
            wrong += [name] if name not in options | {"--help"} else []
            rest = rest[1:] if name == "--include" else rest
        elif isinstance(command, click.Group):
            if word == "…":
                break
            if word not in command.list_commands(context):
                return [*wrong, word]
            command = command.get_command(context, word) or group
            options |= {name for parameter in command.params for name in parameter.opts}
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []
    named = [
        s for s in spans(text) if s.startswith(HERE) and re.fullmatch(r"[\w./-]+", s) and "NAME" not in s
    ]
    assert [s for s in named if not (ROOT / s).exists()] == []


def test_the_design_names_modules_that_exist() -> None:
    named = set(re.findall(r"[\w/]+\.py\b", (ROOT / "docs" / "design.md").read_text(encoding="utf-8")))
    there = [f"/{p.relative_to(ROOT)}" for pattern in ("*.py", "*/**/*.py") for p in ROOT.glob(pattern)]
    assert len(named) > 20
    assert [name for name in sorted(named) if not any(path.endswith(f"/{name}") for path in there)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_modules_to_run_exist(page: Path) -> None:
    modules = re.findall(
        r"python -m ((?:harness|baselines|reports|tests)[\w.]*)", page.read_text(encoding="utf-8")
    )
    assert [m for m in modules if importlib.util.find_spec(m) is None] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_and_their_options_exist(page: Path) -> None:
    found = {
        " ".join(words): bad
        for words in commands(page.read_text(encoding="utf-8"))
        if (bad := unknown(words))
    }
    assert found == {}


def test_a_wrong_command_is_found() -> None:
    text = "```\ndistalign evaluate m --task t --no-such 3   # why\n```\nand `distalign lst tasks`"
    assert [unknown(words) for words in commands(text)] == [["--no-such"], ["lst"]]
