"""Where a training may write: a new folder, an empty one, or one that the same training wrote before."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from harness.contract import FILE
from harness.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

STAGES = "stages"
"""Folder of a checkpoint in which its stages are trained."""
BEGUN = "job.json"
"""File of ``STAGES`` that says what is being trained."""
DRAWN = "draws"
"""Folder of ``STAGES`` with texts that the model drew to be trained on."""
OURS = (STAGES, ".lock", "README.md")


def claim(out: Path, model: Path) -> None:
    """Refuse an output folder that is the model's own, or that holds anything but a training of ours.

    Args:
        out: the folder to write.
        model: the folder of the model that the training starts from.
    """
    if out.exists() and not out.is_dir():
        raise UserError(
            "a file stands where the checkpoint's folder should be", where=str(out), hint="-o ANOTHER"
        )
    if os.path.realpath(out) == os.path.realpath(model):  # a loop of links is no path for resolve()
        raise UserError(
            "this is the model's own folder, and its weights would be written over",
            where=str(out),
            expected="a folder of its own for the checkpoint",
            hint="-o ANOTHER",
        )
    if (out / FILE).is_file():
        return  # a finished training, whose settings the driver compares
    foreign = sorted(_names(out) - _left_by_a_stopped_training(out))
    if foreign:
        raise UserError(
            "not a folder of this training, and what is in it would be written over",
            where=str(out),
            found=", ".join(foreign[:5]) + (f" and {len(foreign) - 5} more" if len(foreign) > 5 else ""),
            expected=f"a new or empty folder, or a training's with {FILE} or {STAGES}/",
            hint="-o ANOTHER",
        )


def _left_by_a_stopped_training(out: Path) -> set[str]:
    """Names that a training may leave before its record is written: those of a finished stage are put beside it."""
    finished = {name for final in out.glob(f"{STAGES}/*/final") for name in _names(final)}
    return {*OURS, *finished, *(f".{name}.tmp" for name in {*OURS, *finished, FILE})}


def _names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()} if folder.is_dir() else set()


def link_or_copy(source: Path, place: Path) -> None:
    """The same file under another name: a hard link where the file system allows it."""
    place.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), place)
    except OSError:
        shutil.copyfile(source, place)
