"""Packed runs for tests: what their manifests hold that must not travel, and their files, read and written again."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

from harness.runs.manifest import EngineRecord
from reports.archive import SUMS

if TYPE_CHECKING:
    from pathlib import Path

Files = dict[str, bytes]
SECRET = {
    "model_string": "server:m@http://gpu7.corp.example:8000/v1?key=hunter2",
    "options": {"threads": "8", "tokenizer": "/home/alice/tok", "address": "10.0.0.7:6379"},
    "prompts_file": "",
    "engine": EngineRecord(
        name="hf", device="cuda", url="http://gpu7.corp.example:8000/v1", software="vLLM 0.20"
    ),
}


def one(runs: Path, model: str) -> Path:
    """The folder of a run on the first task."""
    return next(p.parent for p in sorted(runs.glob("*/gender_us@*/*/scores.json")) if model in str(p))


def files_of(archive: Path) -> Files:
    with zipfile.ZipFile(archive) as found:
        return {name: found.read(name) for name in found.namelist()}


def write(path: Path, files: Files, *, summed: bool = True) -> Path:
    """An archive, its hashes renewed by whoever changed it."""
    if summed:
        rows = [
            f"{hashlib.sha256(data).hexdigest()}  {name}\n"
            for name, data in sorted(files.items())
            if name != SUMS
        ]
        files = {**files, SUMS: "".join(rows).encode()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path
