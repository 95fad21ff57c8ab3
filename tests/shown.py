"""What the documents show: commands with what they print. ``python -m tests.shown`` writes into the pages what is printed now.

A block ``console`` holds commands behind ``$`` and what they print. ``…`` in it stands for anything. A block with
``title="NAME"`` is a file of that name. The blocks of one page are taken in order, in one empty folder, in which
``baselines`` are those of the checkout. A translation shows the blocks of its page.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
from pathlib import Path
from typing import NamedTuple

import harness
from harness.cli.main import run as distalign

ROOT = Path(harness.__file__).parent.parent
PAGES = ("README.md", "docs/how-many-draws.md", "docs/adding-a-task.md")
WITH_MODELS = ("docs/tutorial.md",)
"""Pages that load the tiny models."""
TRANSLATED = {"README.zh.md": "README.md", "docs/tutorial.zh.md": "docs/tutorial.md"}
_BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARYING = (
    (re.compile(r"(?<=@\d/)[0-9a-f]{12}"), "…"),
    (re.compile(r"(?<=sha256 )[0-9a-f]+"), "…"),
    (re.compile(r"(?<=time: about )[\d.,]+"), "…"),
)
"""What differs from version to version, or from machine to machine."""


class Block(NamedTuple):
    """A file to write, or commands with what they print."""

    kind: str
    title: str
    text: str

    def calls(self) -> list[tuple[str, str]]:
        """Each command as it is written, with what is shown under it."""
        parts = re.split(r"^(?=\$ )", self.text.replace("\\\n", "\0"), flags=re.MULTILINE)
        found = (part.partition("\n") for part in parts if part.startswith("$ "))
        return [(command.replace("\0", "\\\n"), shown) for command, _, shown in found]


def blocks(text: str) -> list[Block]:
    """The blocks of a page that are files or commands."""
    found = [Block(*match) for match in _BLOCK.findall(text)]
    return [block for block in found if block.kind == "console" or block.title]


def page_blocks(page: str) -> list[Block]:
    """Those of a page by its path from the top."""
    return blocks((ROOT / page).read_text(encoding="utf-8"))


def plain(text: str) -> str:
    """Without blanks at the ends of lines, and without empty lines around."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def fits(shown: str, printed: str) -> bool:
    """Whether this was printed, ``…`` standing for anything."""
    pattern = ".*?".join(re.escape(part) for part in plain(shown).split("…"))
    return re.fullmatch(pattern, plain(printed), re.DOTALL) is not None


def call(command: str) -> str:
    """Run a command of ``distalign`` here, ``*`` replaced by what is there; what it prints."""
    name, *rest = shlex.split(command.removeprefix("$ ").replace("\\\n", " "))
    assert name == "distalign", command
    words = [str(p) for word in rest for p in (sorted(Path().glob(word)) if "*" in word else [word])]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = distalign(words)
    assert code == 0, f"{command}\n{err.getvalue()}"
    return out.getvalue()


def run_page(text: str) -> list[tuple[str, str, str]]:
    """Every command of a page, run in the current folder: how it is written, what is shown, what is printed."""
    Path("baselines").symlink_to(ROOT / "baselines")
    found = []
    for block in blocks(text):
        if block.title:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(block.text, encoding="utf-8")
        else:
            found += [(command, shown, call(command)) for command, shown in block.calls()]
    return found


def renewed(shown: str, printed: str) -> str:
    """What to show now: all lines at the head and at the end that were shown, and ``…`` where some were left out."""
    for pattern, mark in _VARYING:
        printed = pattern.sub(mark, printed)
    now, before = plain(printed).split("\n"), plain(shown).split("\n")
    if "…" not in before:
        return "\n".join(now) + "\n"
    head, tail = before.index("…"), before[::-1].index("…")
    return "\n".join([*now[:head], "…", *now[len(now) - tail :]]) + "\n"


def renew(page: str) -> None:
    """Write into a page what its commands print now."""
    file = ROOT / page
    text = file.read_text(encoding="utf-8")
    for command, shown, printed in run_page(text):
        if not fits(shown, printed):
            text = text.replace(f"{command}\n{shown}", f"{command}\n{renewed(shown, printed)}")
    file.write_text(text, encoding="utf-8")


def translate(translated: str, page: str) -> None:
    """Write the blocks of a page into its translation."""
    now = iter(m.group() for m in _BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")) if _used(m))
    file = ROOT / translated
    text = file.read_text(encoding="utf-8")
    file.write_text(_BLOCK.sub(lambda m: next(now) if _used(m) else m.group(), text), encoding="utf-8")


def _used(match: re.Match[str]) -> bool:
    return match[1] == "console" or bool(match[2])


if __name__ == "__main__":
    for one in (*PAGES, *WITH_MODELS):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            renew(one)
    for translation in TRANSLATED.items():
        translate(*translation)
