"""A run folder: reads and writes manifest, draws, counts and scores. Only one process at a time writes."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypedDict, Unpack, get_args

from harness.errors import IncompleteError, UserError, clip
from harness.files import make_folder, replacing
from harness.limits import MOST_TOKENS
from harness.locks import held
from harness.raw import at_home, read_parquet
from harness.records import read, write
from harness.runs.manifest import (
    MANIFEST,
    PROMPTS,
    EngineRecord,
    Identity,
    IndependenceRecord,
    Manifest,
    ProbeRecord,
    Prompts,
    from_before,
)
from harness.terms import Draw, Finish, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.contract import Contract
    from harness.sampling.base import Served

AGAIN = "the command that made the run, again"
WRITTEN = "another process is writing this run"
"""What is told where a run's lock is held."""
RETRY = 1_000_000
"""Chunk numbers from here on replace draws of a chunk that failed: number + RETRY x attempt."""
FINISHES: dict[str, Finish] = {name: name for name in get_args(Finish)}
"""How a draw may have ended, by the text in its file."""
FLUSH_ROWS = 20_000
FLUSH_SECONDS = 5.0
COLUMNS = {
    **dict.fromkeys(("context", "prompt"), "string"),
    **dict.fromkeys(("chunk", "n", "seed"), "int64"),
    "text": "string",
    "count": "int64",
    "finish": "string",
    "tokens": "int64",
    "error": "string",
}
"""Columns of a part, and what Arrow calls their types."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """All draws of one request."""

    context: str
    prompt: str
    chunk: int
    n: int
    seed: int
    draws: tuple[Draw, ...]


@dataclass(slots=True)
class Run:
    """A run folder, opened for reading."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Open a run folder; anything else is a ``UserError``."""
        if not isinstance(folder, str | Path):
            raise UserError("not a run", found=repr(folder), expected="a run folder's path")
        path = at_home(folder)
        file = path / MANIFEST
        if not file.is_file():
            inside = sorted(str(p.parent) for p in path.glob(f"**/{MANIFEST}"))[:3] if path.is_dir() else []
            raise UserError(
                "not a run folder",
                where=str(path),
                expected=f"a folder with {MANIFEST}",
                nearest=", ".join(inside),
                hint="distalign list runs",
            )
        return cls(path, read(file, Manifest, hint=f"rm -r {path}, then evaluate again", older=from_before))

    @property
    def identity(self) -> Identity:
        """What was asked of what, word for word."""
        return self.manifest.identity

    @property
    def contract(self) -> Contract:
        """The decoding contract that its checkpoint carries."""
        return self.identity.contract

    @property
    def plan(self) -> tuple[int, ...]:
        """Chunk sizes, the same for every prompt: their sum is n."""
        return self.manifest.plan

    @property
    def state(self) -> str:
        """How far it is, in words: complete, but for prompts that a limit ended."""
        state, left = self.manifest.state, len(self.manifest.open)
        return f"{state}; a limit ended {left} prompts: bounds are as wide as that" if left else state

    @property
    def n(self) -> int:
        """Draws per prompt."""
        return sum(self.plan)

    @property
    def planned(self) -> int:
        """What the run is to hold of each prompt: n draws, or its shares once."""
        return self.n if self.identity.measure == "draws" else 1

    def prompts(self) -> Prompts:
        """Every prompt, as it was sent."""
        path = self.folder / PROMPTS
        if not path.is_file():
            raise UserError(f"a run folder without {PROMPTS}", where=str(path), hint=AGAIN)
        return read(path, Prompts, hint=f"rm {path}, then {AGAIN}")

    def chunks(self) -> Iterator[Chunk]:
        """Every complete chunk on disk, in file order."""
        seen: dict[tuple[str, str, int], str] = {}
        for part in sorted((self.folder / "draws").glob("part-*.parquet")):
            for chunk in read_part(part):
                key = (chunk.context, chunk.prompt, chunk.chunk)
                if key in seen:
                    raise UserError(
                        f"a chunk stands in two parts ({seen[key]}): {key}",
                        where=str(part),
                        expected="each chunk once",
                    )
                seen[key] = part.name
                if sum(d.count for d in chunk.draws) != chunk.n:
                    raise UserError(
                        f"a chunk of {chunk.n} draws does not add up: {key}",
                        where=str(part),
                        found=sum(d.count for d in chunk.draws),
                    )
                yield chunk


def read_part(part: Path) -> Iterator[Chunk]:
    """The chunks of one file of draws."""
    hint = f"mv {part} {part}.damaged, then {AGAIN}: it draws exactly what is missing"
    table = read_parquet(part, hint)
    types = {field.name: str(field.type) for field in table.schema}
    if {name: types.get(name) for name in COLUMNS} != COLUMNS or any(c.null_count for c in table.columns):
        raise UserError(
            "not a part of a run", where=str(part), found=clip(types), expected=clip(COLUMNS), hint=hint
        )
    columns = {name: table.column(name).to_pylist() for name in COLUMNS}
    strange = set(columns["finish"]) - set(FINISHES)
    if strange or min(columns["count"], default=1) < 1:
        raise UserError("not draws of a run", where=str(part), found=", ".join(sorted(strange)), hint=hint)
    groups: dict[tuple[str, str, int], list[int]] = {}
    for i, key in enumerate(zip(columns["context"], columns["prompt"], columns["chunk"], strict=True)):
        groups.setdefault(key, []).append(i)
    for (context, prompt, chunk), rows in groups.items():
        draws = tuple(
            Draw(
                text=columns["text"][i],
                count=columns["count"][i],
                finish=FINISHES[columns["finish"][i]],
                tokens=columns["tokens"][i],
                error=columns["error"][i],
            )
            for i in rows
        )
        yield Chunk(context, prompt, chunk, columns["n"][rows[0]], columns["seed"][rows[0]], draws)


class Changes(TypedDict, total=False):
    """What may change in a manifest while its run is drawn."""

    plan: tuple[int, ...]
    state: str
    open: tuple[tuple[str, str], ...]
    independence: IndependenceRecord
    probe: ProbeRecord
    engine: EngineRecord
    server: Served | None
    seen_people: int | None
    seconds: float
    tokens: int


@dataclass(slots=True)
class Writer:
    """Writes a run folder. Use ``writing(folder)``, which holds the lock."""

    run: Run
    buffer: list[Chunk] = field(default_factory=list)
    rows: int = 0
    last: float = field(default_factory=time.monotonic)

    def add(self, request: Request, draws: list[Draw]) -> None:
        """Take one complete request; it reaches the disk with the next part."""
        drawn = sum(d.count for d in draws)
        if drawn != request.n:
            raise IncompleteError(
                f"an engine returned {drawn} of {request.n} draws for {request.context}/{request.prompt}",
                where=str(self.run.folder),
                hint="run the same command again; report this engine",
            )
        kept = tuple(_countable(d) for d in draws)
        self.buffer.append(
            Chunk(request.context, request.prompt, request.chunk, request.n, request.seed, kept)
        )
        self.rows += len(draws)
        if self.rows >= FLUSH_ROWS or time.monotonic() - self.last >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered as one new part: whole, or not at all."""
        if self.buffer:
            self._write_part(self._next_part(), self.buffer)
        self.buffer, self.rows, self.last = [], 0, time.monotonic()

    def drop_failed(self) -> None:
        """Take failed draws out of the parts, so that the same chunk can be completed under a new number."""
        for part in sorted((self.run.folder / "draws").glob("part-*.parquet")):
            chunks = list(read_part(part))
            if not any(d.finish == "failed" for c in chunks for d in c.draws):
                continue
            kept = []
            for chunk in chunks:
                good = tuple(d for d in chunk.draws if d.finish != "failed")
                if good:
                    kept.append(
                        Chunk(
                            chunk.context,
                            chunk.prompt,
                            chunk.chunk,
                            sum(d.count for d in good),
                            chunk.seed,
                            good,
                        )
                    )
            if kept:
                self._write_part(part, kept)
            else:
                part.unlink()

    def save(self) -> None:
        """Write the manifest."""
        write(self.run.folder / MANIFEST, self.run.manifest)

    def note(self, **changes: Unpack[Changes]) -> None:
        """Change the manifest, and write it."""
        self.run.manifest = self.run.manifest.model_copy(update=dict(changes))
        self.save()

    def _next_part(self) -> Path:
        folder = make_folder(self.run.folder / "draws")
        numbers = [int(p.stem.split("-")[1]) for p in folder.glob("part-*.parquet")]
        return folder / f"part-{max(numbers, default=0) + 1:06d}.parquet"

    def _write_part(self, path: Path, chunks: list[Chunk]) -> None:
        with replacing(path) as out:
            write_part(out, chunks)


def write_part(out: BinaryIO, chunks: Sequence[Chunk]) -> None:
    """Write chunks as a file of draws."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [(c, d) for c in chunks for d in c.draws]
    table = pa.table(
        {
            "context": pa.array([c.context for c, _ in rows], pa.string()),
            "prompt": pa.array([c.prompt for c, _ in rows], pa.string()),
            "chunk": pa.array([c.chunk for c, _ in rows], pa.int64()),
            "n": pa.array([c.n for c, _ in rows], pa.int64()),
            "seed": pa.array([c.seed for c, _ in rows], pa.int64()),
            "text": pa.array([_storable(d.text) for _, d in rows], pa.string()),
            "count": pa.array([d.count for _, d in rows], pa.int64()),
            "finish": pa.array([d.finish for _, d in rows], pa.string()),
            "tokens": pa.array([d.tokens for _, d in rows], pa.int64()),
            "error": pa.array([_storable(d.error) for _, d in rows], pa.string()),
        }
    )
    pq.write_table(table, out, compression="zstd")


def _countable(draw: Draw) -> Draw:
    """A draw whose number of tokens can be stored; one with another, such as a server may tell, has failed."""
    if 0 <= draw.tokens <= MOST_TOKENS:
        return draw
    told = f"the engine says that this draw has {clip(draw.tokens)} tokens"
    return Draw(text="", count=draw.count, finish="failed", error=told)


def _storable(text: str) -> str:
    """Text that UTF-8 can hold: lone surrogates become replacement characters."""
    return text.encode("utf-8", "replace").decode("utf-8")


@contextmanager
def writing(folder: Path, manifest: Manifest | None = None) -> Iterator[Writer]:
    """Lock a run folder and write to it; a folder that is new gets ``manifest``. Buffered draws are kept on any exit."""
    with held(folder, WRITTEN):
        for torn in (folder / "draws").glob("*.tmp"):
            torn.unlink()
        fresh = not (folder / MANIFEST).is_file() and manifest is not None
        writer = Writer(Run(folder, manifest)) if fresh and manifest is not None else Writer(Run.open(folder))
        if fresh:
            writer.save()
        try:
            yield writer
        finally:
            writer.flush()


def folder_name(model: str) -> str:
    """A model's name as one path component, recognisable and safe."""
    parts = [p for p in re.split(r"[/\\]", model) if p not in ("", ".", "..")]
    slug = re.sub(r"[^A-Za-z0-9._=,+-]+", "-", "-".join(parts[-2:])).strip("-.")
    return slug[-80:] or "model"


def find_runs(paths: Sequence[str | Path]) -> list[Run]:
    """Every run under the given folders, sorted by path."""
    return [Run.open(folder) for folder in run_folders(paths)]


def run_folders(paths: Sequence[str | Path]) -> list[Path]:
    """The folder of every run under the given ones, sorted by path."""
    found: list[Path] = []
    for name in paths:
        if not isinstance(name, str | Path):
            raise UserError("not a run", found=repr(name), expected="a folder's path")
        root = at_home(name)
        if not root.exists():
            raise UserError(
                "no such folder",
                where=str(name),
                expected="a run, or a folder of runs",
                hint="distalign evaluate …",
            )
        if (root / MANIFEST).is_file():
            found.append(root)
        else:
            within = (p.parent for p in root.glob(f"**/{MANIFEST}"))
            # A hidden folder is one that a command has not finished.
            found.extend(sorted(p for p in within if not any(n[0] == "." for n in p.relative_to(root).parts)))
    return found
