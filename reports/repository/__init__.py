"""``board new``: the files of a repository for a board that takes runs by pull request."""

from __future__ import annotations

from pathlib import Path

from harness import __version__
from harness.begun import refuse_others
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
    texts = {f"{name}/.gitkeep": "" for name in FOLDERS}
    for name, place in PLACES.items():
        text = (Path(__file__).parent / name).read_text(encoding="utf-8")
        texts[place] = text.replace(VERSION, __version__)
    there = {place: folder / place for place in texts if (folder / place).is_file()}
    unchanged = {place for place, path in there.items() if path.read_bytes() == texts[place].encode()}
    ours = {place for place in texts if place not in there or place in unchanged}
    refuse_others(folder, ours if len(there) < len(texts) else (), "a board begins in a new folder")
    for place, text in texts.items():
        make_folder((folder / place).parent)
        write_atomic(folder / place, text)
    return [folder / place for place in texts]
