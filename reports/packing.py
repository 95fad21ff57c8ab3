"""``pack``: a run as one small archive that can be given away, without paths and addresses of the machine it is from."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

from harness import limits
from harness.errors import IncompleteError, UserError
from harness.files import make_folder, replacing
from harness.labels import LABELS
from harness.raw import parse_json, read_bytes
from harness.records import to_text
from harness.runs.folder import AGAIN, Run, read_part, write_part
from harness.runs.manifest import MANIFEST, PROMPTS, EngineRecord, Manifest
from harness.scores import SCORES, scores_of
from reports.archive import SUFFIX, SUMS, TABLES, rows_of, short_hash

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = re.compile(r"[\w-][\w.-]*(?:/[\w-][\w.-]*)?")
"""What a model may be called: as the Hub has it."""
_STEP = re.compile(r"(?:checkpoint|step|epoch)[-_]?\d+", re.IGNORECASE)
_PLAIN = re.compile(r"[\w.+-]+(?:(?:/|, ?| )[\w.+-]+)*")
"""A name, a version or a number: no address, and no path from the root or from a home."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file, so that the same run gives the same bytes."""


def pack(folder: str | Path, out: Path, name: str = "") -> Path:
    """Write a complete, scored run as one archive, without paths, addresses and messages of the machine that made it.

    Args:
        folder: the run's folder.
        out: the archive to write; its name ends in .zip.
        name: what the model is called; '' for its hub id, or the last part of its path.
    """
    if out.suffix != SUFFIX:
        raise UserError(f"an archive's name ends in {SUFFIX}", where="-o", found=str(out))
    if name and not NAME.fullmatch(name):
        raise UserError("not a model's name", where="--name", found=name, expected="NAME or OWNER/NAME")
    run = Run.open(folder)
    if run.manifest.state != "complete":
        raise IncompleteError(
            "only a complete run is packed", where=str(run.folder), found=run.manifest.state, hint=AGAIN
        )
    files = {**_records(run, name), **_tables(run), **_draws(run)}
    files[SUMS] = _sums(files)
    archived = _archived(files)
    rows = rows_of(files, str(run.folder))
    sizes = (len(files), sum(map(len, files.values())), len(archived), rows)
    most = (limits.ARCHIVE_FILES, limits.ARCHIVE_UNPACKED, limits.ARCHIVE_BYTES, limits.ARCHIVE_ROWS)
    if any(size > limit for size, limit in zip(sizes, most, strict=True)):
        told = "{:,} files of {:,} bytes, {:,} bytes when packed; {:,} rows of draws"
        raise UserError(
            "a run that is too large for an archive",
            where=str(run.folder),
            found=told.format(*sizes),
            expected=f"at most {told.format(*most)}",
        )
    make_folder(out.parent)
    with replacing(out) as file:
        file.write(archived)
    return out


def _archived(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(info, files[name], compresslevel=9)
    return made.getvalue()


def _records(run: Run, name: str) -> dict[str, bytes]:
    """The JSON files, with the short hash that the run has once its identity holds no path."""
    manifest = portable(run.manifest, name)
    scores = scores_of(run).model_copy(update={"run": manifest.run})
    made = {MANIFEST: manifest, PROMPTS: run.prompts(), SCORES: scores}
    return {file: to_text(record).encode() for file, record in made.items()}


def _tables(run: Run) -> dict[str, bytes]:
    there = [file for file in (*TABLES, LABELS) if (run.folder / file).is_file()]
    return {file: read_bytes(run.folder / file) for file in there}


def _draws(run: Run) -> dict[str, bytes]:
    """The parts, without what an engine said of failed draws: that may name hosts, folders and keys."""
    made = {}
    for part in sorted((run.folder / "draws").glob("part-*.parquet")):
        silent = [
            replace(chunk, draws=tuple(replace(draw, error="") for draw in chunk.draws))
            for chunk in read_part(part)
        ]
        data = io.BytesIO()
        write_part(data, silent)
        made[f"draws/{part.name}"] = data.getvalue()
    return made


def _sums(files: Mapping[str, bytes]) -> bytes:
    """As ``sha256sum`` writes and checks them."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def portable(manifest: Manifest, name: str = "") -> Manifest:
    """A manifest without paths and addresses of a machine, under the short hash that this gives."""
    who = manifest.identity
    model, adapter = public(who.model), public(who.adapter)
    if name and adapter:
        adapter = name
    elif name:
        model = name
    changed = manifest.model_copy(
        update={
            "identity": who.model_copy(update={"model": model, "adapter": adapter}),
            "engine": EngineRecord(**_plain(manifest.engine.model_dump())),
            "model_string": "",
            "options": _plain(manifest.options),
            "prompts_file": public(manifest.prompts_file),
            "task_source": "",
        }
    )
    return changed.model_copy(update={"run": short_hash(parse_json(to_text(changed), MANIFEST))})


def _plain(told: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in told.items() if _PLAIN.fullmatch(text)}


def public(text: str) -> str:
    """A hub id as it is; a path by its last part, or by its last two where the last is a step of a training."""
    if text.startswith("known:"):
        return "known:" + public(text.removeprefix("known:"))
    if NAME.fullmatch(text):
        return text
    parts = [p for p in re.split(r"[/\\]", text) if p not in ("", ".", "..", "~")]
    return "/".join(parts[-2:] if parts and _STEP.fullmatch(parts[-1]) else parts[-1:])
