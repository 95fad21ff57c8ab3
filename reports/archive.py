"""A packed run is read within limits: nothing but the files of one run, unchanged, under the hash of its identity."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from harness import limits
from harness.errors import UserError, clip
from harness.files import digest, make_folder, replacing
from harness.locks import held
from harness.plaintext import UNSEEN
from harness.raw import decoded, parse_json, read_bytes
from harness.records import from_text
from harness.runs.folder import Run, folder_name
from harness.runs.manifest import MANIFEST, PROMPTS, Manifest
from harness.scores import SCORES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import JsonValue

SUMS = "SHA256SUMS"
SUFFIX = ".zip"
TABLES = ("counts.csv", "shares.csv")
NEEDED = (MANIFEST, PROMPTS, SCORES)
"""What every archive has, besides one of the tables."""
_MEMBER = re.compile(
    r"SHA256SUMS|(?:manifest|prompts|scores|labels)\.json|(?:counts|shares)\.csv|draws/part-\d{6}\.parquet"
)
_ENTRY = b"PK\x01\x02"
"""What begins the entry of a file in an archive's directory."""
_DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, ValueError, OSError)
"""What zipfile raises where an archive is none, is cut, changed or locked."""


def archives(paths: Sequence[Path]) -> list[Path]:
    """The archives that are named, and those under the folders that are named, sorted by path."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UserError("no such file or folder", where=str(path), hint="distalign pack RUN -o run.zip")
        found += sorted(path.glob(f"**/*{SUFFIX}")) if path.is_dir() else [path]
    return found


def unpack(archive: Path, out: Path) -> Path:
    """Write a packed run as a run folder under ``out``, and return the folder. What is in it is checked first."""
    files = read_archive(archive)
    scratch = out / f".unpacked-{hashlib.sha256(b''.join(files.values())).hexdigest()[:12]}"
    with held(scratch, "this packed run is being unpacked here"):
        try:
            return _placed(files, scratch / "run", archive, out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _placed(files: dict[str, bytes], whole: Path, archive: Path, out: Path) -> Path:
    """Write a run's files, and move the whole of them to where a run of its name lies."""
    shutil.rmtree(whole, ignore_errors=True)  # what was left where this was stopped
    for name, data in files.items():
        with replacing(make_folder((whole / name).parent) / Path(name).name) as file:
            file.write(data)
    who = Run.open(whole).identity
    task = folder_name(f"{who.task}@{who.task_version}")
    folder = out / folder_name(who.adapter or who.model) / task / Run.open(whole).manifest.run
    if folder.exists():
        raise UserError("there already", where=str(folder), found=str(archive), expected="a new folder")
    make_folder(folder.parent)
    whole.rename(folder)
    return folder


def read_archive(path: Path) -> dict[str, bytes]:
    """The files of a packed run, by name, but for the list of their hashes.

    Nothing is written. What holds anything but the files of one run, was changed after it was packed, or is larger
    than the limits once it is unpacked, is a ``UserError``.
    """
    where = str(path)
    data = read_bytes(path, limits.ARCHIVE_BYTES)
    if data.count(_ENTRY) > limits.ARCHIVE_FILES:
        raise UserError("too many files", where=where, expected=f"at most {limits.ARCHIVE_FILES:,}")
    try:
        files = dict(_members(data, where))
    except _DAMAGED as err:
        told = clip(str(err) or type(err).__name__)
        raise UserError("not an archive of distalign pack", where=where, found=told) from None
    sums = files.pop(SUMS, b"")
    if not sums or not files.keys() >= {*NEEDED} or not files.keys() & {*TABLES}:
        raise UserError(
            "not an archive of distalign pack",
            where=where,
            found=", ".join(sorted(files)[:8]) or "nothing",
            expected=f"{', '.join(NEEDED)}, {SUMS}, and {' or '.join(TABLES)}",
        )
    if (rows := rows_of(files, where)) > limits.ARCHIVE_ROWS:
        most = f"at most {limits.ARCHIVE_ROWS:,}"
        raise UserError("too many rows of draws", where=where, found=f"{rows:,}", expected=most)
    _check_sums(files, sums, where)
    _check_manifest(decoded(files[MANIFEST], path), f"{where}:{MANIFEST}")
    return files


def _members(data: bytes, where: str) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    left = limits.ARCHIVE_UNPACKED
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            problem = ""
            if info.filename in seen:
                problem = "a file that stands in an archive twice"
            elif not _MEMBER.fullmatch(info.filename):
                problem = "a file that no run has"
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                problem = "a compression that is not used"
            if problem:
                raise UserError(problem, where=where, found=info.filename)
            seen.add(info.filename)
            with archive.open(info) as member:
                held = member.read(left + 1)
            left -= len(held)
            if left < 0:
                raise UserError(
                    "an archive that is too large when it is unpacked",
                    where=where,
                    expected=f"at most {limits.ARCHIVE_UNPACKED:,} bytes",
                )
            yield info.filename, held


def rows_of(files: Mapping[str, bytes], where: str) -> int:
    """Rows of all parts of draws."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = [data for name, data in files.items() if name.startswith("draws/")]
    try:
        return sum(pq.read_metadata(io.BytesIO(data)).num_rows for data in parts)
    except (pa.ArrowException, OSError) as err:
        raise UserError("a damaged part of a run", where=where, found=str(err)) from None


def _check_sums(files: Mapping[str, bytes], sums: bytes, where: str) -> None:
    lines = [line.partition("  ") for line in sums.decode("utf-8", "replace").splitlines()]
    claimed = {name: hashed for hashed, _, name in lines}
    found = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    for name in sorted({*claimed, *found}):
        if claimed.get(name) != found.get(name):
            raise UserError(
                f"not as it was packed: {clip(name)}",
                where=where,
                found=f"sha256 {found[name]}" if name in found else "no such file",
                expected=clip(claimed.get(name, f"a file that {SUMS} names")),
                hint=f"distalign pack RUN -o {where}",
            )


def _check_manifest(text: str, where: str) -> None:
    """The short hash is that of the identity, and no text hides a character."""
    claimed = from_text(text, where, Manifest, hint="distalign pack RUN").run
    manifest = parse_json(text, where)
    if claimed != short_hash(manifest):
        raise UserError(
            "the identity is not the one that was packed",
            where=f"{where}:run",
            found=clip(claimed),
            expected=f"{short_hash(manifest)}, the short hash of the identity",
        )
    for said in _texts(manifest):
        if UNSEEN.search(said):
            raise UserError("a text that hides characters", where=where, found=said)


def _texts(value: JsonValue) -> Iterator[str]:
    """Every text in a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def short_hash(manifest: JsonValue) -> str:
    """Of the identity as the file holds it: a later release, whose identities have more fields, finds the same."""
    if not isinstance(manifest, dict):
        return ""
    engine = manifest.get("engine")
    return digest([manifest.get("identity"), engine.get("name") if isinstance(engine, dict) else ""])[:12]
