"""Folders that a command fills: new, empty, or left by the same command when it was stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


def refuse_others(folder: Path, ours: Collection[str], problem: str) -> None:
    """Refuse a folder that holds any file but those that are about to be written, by their paths in it."""
    if folder.is_dir():
        files = (p.relative_to(folder) for p in folder.rglob("*") if not p.is_dir())
        half = {str(f.with_name(f"{f.name.removeprefix('.').removesuffix('.tmp')}")): f for f in files}
        others = sorted(str(f) for name, f in half.items() if not {name, str(f)} & {*ours})
    else:
        others = [folder.name] if folder.exists() else []
    if others:
        raise UserError(
            problem,
            where=str(folder),
            found=", ".join(others[:5]),
            expected="none of that name, or an empty one",
        )
