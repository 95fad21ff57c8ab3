"""``board new``: the files of a repository for a board that takes runs by pull request."""

from __future__ import annotations

from pathlib import Path

from harness import __version__
from harness.errors import UserError
from harness.files import make_folder, write_atomic

PLACES = {
    "README.md": "README.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "requirements.txt": "requirements.txt",
    "gitignore": ".gitignore",
    "board.yml": ".github/workflows/board.yml",
}
"""File beside this module -> its place in the repository."""
FOLDERS = ("runs", "tasks", "targets")
"""Empty at first: Git keeps a folder by a file in it."""
VERSION = "@VERSION@"


def make(folder: Path) -> list[Path]:
    """Write the repository's files and return their paths."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            "a board begins in a new folder", where=str(folder), expected="none of that name, or empty"
        )
    texts = {f"{name}/.gitkeep": "" for name in FOLDERS}
    for name, place in PLACES.items():
        text = (Path(__file__).parent / name).read_text(encoding="utf-8")
        texts[place] = text.replace(VERSION, __version__)
    for place, text in texts.items():
        make_folder((folder / place).parent)
        write_atomic(folder / place, text)
    return [folder / place for place in texts]
