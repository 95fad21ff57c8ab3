"""A note in a folder that was made from a GGUF file: which file, and how its weights were stored."""

from __future__ import annotations

import json
import os
from pathlib import Path

FILE = "gguf.json"


def cache() -> Path:
    """Where the folders are kept."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "distalign" / "gguf"


def write_origin(folder: Path, sha256: str, quantisation: str) -> None:
    """Note the file's sha256 (over names and hashes where the model is split) and its quantisation."""
    text = json.dumps({"sha256": sha256, "quantisation": quantisation}, indent=1)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read_origin(folder: Path) -> dict[str, str]:
    """``sha256`` and ``quantisation``; empty for a folder that was not made here from a GGUF file, whatever it says."""
    path = folder / FILE
    ours = folder.resolve().parent == cache().resolve() and path.is_file()
    found = json.loads(path.read_text(encoding="utf-8")) if ours else {}
    return {name: str(value) for name, value in found.items()}
