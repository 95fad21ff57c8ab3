"""Finds tasks and targets by name: shipped, in an included folder, in an installed package, or at a path."""

from __future__ import annotations

import os
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import UserError, clip, nearest
from harness.raw import at_home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.files import Document

Kind = Literal["tasks", "targets"]
INCLUDE = "DISTALIGN_INCLUDE"
"""Environment variable: folders with ``tasks/`` and ``targets/``, separated as in PATH."""


def shipped(kind: Kind) -> Path:
    """The folder of built-in tasks or targets: inside the wheel, or beside a checkout's packages."""
    package = Path(__file__).parent.parent
    inside = package / "data" / kind
    return inside if inside.is_dir() else package.parent / kind


def folders(kind: Kind) -> list[Path]:
    """Where names are looked up, first match wins: included folders, entry points, then the shipped ones."""
    found = [root / kind if (root / kind).is_dir() else root for root in _included()]
    found += _of_packages(kind)
    found.append(shipped(kind))
    return found


@cache
def _of_packages(kind: Kind) -> tuple[Path, ...]:
    """The folders in installed packages. Looking through all that is installed takes longer than to read a task."""
    found = []
    for point in metadata.entry_points(group="distalign"):
        spec = find_spec(point.module)
        for place in (spec.submodule_search_locations or []) if spec else []:
            if (Path(place) / kind).is_dir():
                found.append(Path(place) / kind)
    return tuple(found)


def _included() -> list[Path]:
    """The folders that the user named."""
    found: list[Path] = []
    for entry in filter(None, os.environ.get(INCLUDE, "").split(os.pathsep)):
        root = at_home(entry)
        if not root.is_dir():
            raise UserError(
                "no such folder", where=INCLUDE, found=entry, expected="a folder with tasks/ or targets/"
            )
        found.append(root)
    return found


def beside(doc: Document, name: str) -> Path:
    """The path of a file that a document names relative to itself."""
    path = Path(os.path.normpath(doc.path.parent / name))
    return within(path, [doc.path.parent], f"{doc.path}: {clip(name)}")


def within(path: Path, homes: Sequence[Path], where: str) -> Path:
    """``path``, if it lies in one of these folders, or where names are looked up, once links are followed.

    A task that somebody else wrote must not read other files of this machine into prompts and pages.
    """
    real = Path(os.path.realpath(path))
    if _lies_in(real, [*homes, *_included()]) or _lies_in(real, [*folders("tasks"), *folders("targets")]):
        return path
    raise UserError(
        "a file outside the task's folder",
        where=where,
        found=real,
        expected=f"a file in {homes[0]}",
        hint=f"--include {real.parent}, if it may be read",
    )


def _lies_in(real: Path, roots: Sequence[Path]) -> bool:
    return any(real.is_relative_to(os.path.realpath(root)) for root in roots)


def names(kind: Kind) -> dict[str, Path]:
    """Every name that can be found, with its folder, sorted."""
    filename = _filename(kind)
    found: dict[str, Path] = {}
    for folder in folders(kind):
        for path in sorted(folder.glob(f"*/{filename}")):
            found.setdefault(path.parent.name, path.parent)
    return dict(sorted(found.items()))


def find(kind: Kind, name: str | Path, beside: Path | None = None) -> Path:
    """The YAML file of a task or target given by name or path.

    Args:
        kind: what is looked for.
        name: a name, a folder, or a YAML file.
        beside: a folder that relative paths may also start from (a task's own).
    """
    filename = _filename(kind)
    if not isinstance(name, str | Path) or not str(name):
        raise UserError(f"not a {kind[:-1]}", found=repr(name), expected="a name, a folder or a YAML file")
    name = str(name)
    for start in [Path(), *([beside] if beside else [])]:
        path = start / at_home(name)
        if path.is_file() and path.suffix in {".yaml", ".yml"}:
            return path
        if ("/" in name or name.startswith(".")) and (path / filename).is_file():
            return path / filename
    near = [beside / kind / name, beside.parent.parent / kind / name] if beside else []
    # A folder of this name that happens to be here comes last: it hides none of the known names.
    for folder in [*near, *(f / name for f in folders(kind)), Path(name)]:
        if (folder / filename).is_file():
            return folder / filename
    inside = sorted(str(path.parent) for path in at_home(name).glob(f"*/{filename}"))
    raise UserError(
        f"no {kind[:-1]} {name!r}",
        expected=f"a name of 'distalign list {kind}', a folder with {filename}, or a YAML file",
        nearest=", ".join(inside[:3]) or nearest(name, names(kind)),
        hint=f"distalign list {kind}",
    )


def _filename(kind: Kind) -> str:
    return f"{kind[:-1]}.yaml"
