"""Enumerations that are not done, in files, one a prompt: so that the same command continues from there."""

from __future__ import annotations

import json
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from harness.files import MISREAD, digest, make_folder, replacing
from harness.progress import say

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.sampling.hf.tree import Tree
    from harness.terms import Request

SECONDS = 30.0
"""Between two writes, which come between two passes: a kill loses that, and the pass that it ends."""


class Unfinished:
    """What is known of the requests that are at work."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._saved = time.monotonic()

    def load(self, request: Request, tree: Tree) -> None:
        """Put a tree where an earlier process left it, if one did."""
        if self.folder is None or not (path := _path(self.folder, request)).is_file():
            return
        try:
            with safe_open(path, framework="numpy") as file:
                told, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if told["sha256"] != _digest(told["tree"], arrays):
                raise ValueError("it is damaged")
            tree.restore(json.loads(told["tree"]), arrays)
        except (OSError, *MISREAD, SafetensorError) as err:
            say(
                f"{path}: what was enumerated of {request.context}/{request.prompt} cannot be read ({err}); "
                "it begins anew"
            )

    def save(self, trees: Mapping[Request, Tree], *, now: bool = False) -> None:
        """Write the trees as they were at the last mark, if it is time for it."""
        due = now or time.monotonic() - self._saved >= SECONDS
        if self.folder is None or not trees or not due:
            return
        make_folder(self.folder)
        for request, tree in trees.items():
            if (marked := tree.marked()) is not None:
                known, arrays = json.dumps(marked[0]), marked[1]
                with replacing(_path(self.folder, request)) as out:
                    out.write(save(arrays, {"tree": known, "sha256": _digest(known, arrays)}))
        self._saved = time.monotonic()


def _path(folder: Path, request: Request) -> Path:
    name = digest([request.context, request.prompt])[:16]
    return folder / f"{name}.safetensors"


def _digest(known: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    return digest([known, *(sha256(arrays[name].tobytes()).hexdigest() for name in sorted(arrays))])
