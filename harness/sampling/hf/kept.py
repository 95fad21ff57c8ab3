"""Enumerations that are not done, in files, one a prompt: so that the same command continues from there."""

from __future__ import annotations

import json
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from harness.files import digest, make_folder, replacing
from harness.progress import say

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.sampling.hf.tree import Tree
    from harness.terms import Request

UNFIT = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading anything else than such a tree may raise."""
SECONDS = 30.0
"""Between two writes: what a kill loses at most."""


class Unfinished:
    """What is known of the requests that are at work."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._saved = time.monotonic()

    def load(self, request: Request, tree: Tree) -> None:
        """Put a tree where an earlier process left it, if one did."""
        path = self._path(request)
        if path is None or not path.is_file():
            return
        try:
            with safe_open(path, framework="numpy") as file:
                told, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if told["sha256"] != _digest(told["tree"], arrays):
                raise ValueError("it is damaged")
            tree.restore(json.loads(told["tree"]), arrays)
        except (OSError, *UNFIT, SafetensorError) as err:
            say(
                f"{path}: what was enumerated of {request.context}/{request.prompt} cannot be read ({err}); "
                "it begins anew"
            )

    def save(self, trees: Mapping[Request, Tree], *, now: bool = False) -> None:
        """Write the trees as they were at the last mark, if it is time for it."""
        if self.folder is None or not (now or time.monotonic() - self._saved >= SECONDS):
            return
        make_folder(self.folder)
        for request, tree in trees.items():
            path = self._path(request)
            if path is not None and (marked := tree.marked()) is not None:
                known, arrays = json.dumps(marked[0]), marked[1]
                with replacing(path) as out:
                    out.write(save(arrays, {"tree": known, "sha256": _digest(known, arrays)}))
        self._saved = time.monotonic()

    def _path(self, request: Request) -> Path | None:
        name = digest([request.context, request.prompt])[:16]
        return self.folder and self.folder / f"{name}.safetensors"


def _digest(known: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    return digest([known, *(sha256(arrays[name].tobytes()).hexdigest() for name in sorted(arrays))])
