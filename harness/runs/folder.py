"""Run folders: manifest, draws written whole, one writer at a time, resumed and topped up."""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from harness.contract import Contract
from harness.errors import IncompleteError, UserError
from harness.files import make_folder, replacing, write_atomic
from harness.locks import held
from harness.terms import Draw, Finish, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

SCHEMA = 1
RETRY = 1_000_000
"""Chunk numbers from here on replace draws of a chunk that failed: number + RETRY x attempt."""
FLUSH_ROWS = 20_000
FLUSH_SECONDS = 5.0
COLUMNS = ("context", "prompt", "chunk", "n", "seed", "text", "count", "finish", "tokens", "error")


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
    manifest: dict[str, object]

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Open a run folder; anything else is a ``UserError``."""
        if not isinstance(folder, str | Path):
            raise UserError("not a run", found=repr(folder), expected="a run folder's path")
        path = Path(folder).expanduser()
        file = path / "manifest.json"
        if not file.is_file():
            inside = sorted(str(p.parent) for p in path.glob("**/manifest.json"))[:3] if path.is_dir() else []
            raise UserError(
                "not a run folder",
                where=str(path),
                expected="a folder with manifest.json",
                nearest=", ".join(inside),
                hint="distalign list runs",
            )
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as err:
            raise UserError(f"not valid JSON: {err}", where=str(file)) from None
        if not isinstance(manifest, dict) or not isinstance(manifest.get("identity"), dict):
            raise UserError("not a manifest", where=str(file), expected="the manifest.json of a run")
        schema = manifest.get("schema")
        if not isinstance(schema, int) or schema < 1 or schema > SCHEMA:
            raise UserError(
                "a run of another schema version",
                where=str(file),
                found=schema,
                expected=f"{SCHEMA} or older",
                hint="pip install -U distalign",
            )
        return cls(path, manifest)

    @property
    def identity(self) -> Mapping[str, object]:
        """What was asked of what, word for word."""
        return cast("dict[str, object]", self.manifest["identity"])

    def text(self, key: str) -> str:
        """A text field of the identity ('' when absent)."""
        return str(self.identity.get(key, ""))

    def task_source(self) -> str:
        """The task's file where it was, if it is still there; else its name."""
        path = Path(str(self.manifest.get("task_source", "")))
        return str(path) if path.suffix in {".yaml", ".yml"} and path.is_file() else self.text("task")

    @property
    def contract(self) -> Contract:
        """The decoding contract that its checkpoint carries."""
        return Contract.model_validate_json(json.dumps(self.identity.get("contract", {})))

    @property
    def plan(self) -> list[int]:
        """Chunk sizes, the same for every prompt: their sum is n."""
        return [int(size) for size in cast("list[int]", self.manifest.get("plan", []))]

    @property
    def n(self) -> int:
        """Draws per prompt."""
        return sum(self.plan)

    def prompt_keys(self) -> list[tuple[str, str]]:
        """(context, prompt) of every question, in the task's order."""
        return [
            (str(p["context"]), str(p["prompt"]))
            for p in cast("list[dict[str, object]]", self.load("prompts.json")["prompts"])
        ]

    def load(self, name: str) -> dict[str, object]:
        """One of the run's JSON files."""
        path = self.folder / name
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(
                "a run folder without " + name, where=str(path), hint="the command that made the run, again"
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError) as err:
            raise UserError(f"not valid JSON: {err}", where=str(path)) from None
        if not isinstance(data, dict):
            raise UserError("not a JSON object", where=str(path))
        return data

    def scored_targets(self) -> list[str]:
        """Names of the targets that it was scored against, if any."""
        if not (self.folder / "scores.json").is_file():
            return []
        results = cast("list[dict[str, dict[str, str]]]", self.load("scores.json").get("results", []))
        return list(dict.fromkeys(r["target"]["name"] for r in results))

    def chunks(self) -> Iterator[Chunk]:
        """Every complete chunk on disk, in file order."""
        import pyarrow.parquet as pq
        from pyarrow import ArrowInvalid

        seen: dict[tuple[str, str, int], str] = {}
        for part in sorted((self.folder / "draws").glob("part-*.parquet")):
            try:
                table = pq.read_table(part)
            except (ArrowInvalid, OSError) as err:
                raise UserError(
                    f"a damaged part: {err}", where=str(part), hint=f"rm {part}, then the same command again"
                ) from None
            if set(COLUMNS) - set(table.column_names):
                raise UserError(
                    "not a part of a run",
                    where=str(part),
                    found=", ".join(table.column_names),
                    expected=", ".join(COLUMNS),
                )
            for chunk in _chunks(table):
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


def _chunks(table: pa.Table) -> Iterator[Chunk]:
    columns = {name: table.column(name).to_pylist() for name in COLUMNS}
    groups: dict[tuple[str, str, int], list[int]] = {}
    for i, key in enumerate(zip(columns["context"], columns["prompt"], columns["chunk"], strict=True)):
        groups.setdefault(key, []).append(i)
    for (context, prompt, chunk), rows in groups.items():
        draws = tuple(
            Draw(
                text=columns["text"][i],
                count=columns["count"][i],
                finish=cast("Finish", columns["finish"][i]),
                tokens=columns["tokens"][i],
                error=columns["error"][i],
            )
            for i in rows
        )
        yield Chunk(context, prompt, chunk, columns["n"][rows[0]], columns["seed"][rows[0]], draws)


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
        self.buffer.append(
            Chunk(request.context, request.prompt, request.chunk, request.n, request.seed, tuple(draws))
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
            import pyarrow.parquet as pq

            chunks = list(_chunks(pq.read_table(part)))
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
        write_atomic(
            self.run.folder / "manifest.json",
            json.dumps(self.run.manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
        )

    def _next_part(self) -> Path:
        folder = make_folder(self.run.folder / "draws")
        numbers = [int(p.stem.split("-")[1]) for p in folder.glob("part-*.parquet")]
        return folder / f"part-{max(numbers, default=0) + 1:06d}.parquet"

    def _write_part(self, path: Path, chunks: list[Chunk]) -> None:
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
        with replacing(path) as out:
            pq.write_table(table, out, compression="zstd")


def _storable(text: str) -> str:
    """Text that UTF-8 can hold: lone surrogates become replacement characters."""
    return text.encode("utf-8", "replace").decode("utf-8")


@contextmanager
def writing(folder: Path, manifest: dict[str, object] | None = None) -> Iterator[Writer]:
    """Lock a run folder and write to it; a folder that is new gets ``manifest``. Buffered draws are kept on any exit."""
    with held(folder, "another process is writing this run"):
        for torn in (folder / "draws").glob("*.tmp"):
            torn.unlink()
        fresh = not (folder / "manifest.json").is_file() and manifest is not None
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
    runs: list[Run] = []
    for name in paths:
        if not isinstance(name, str | Path):
            raise UserError("not a run", found=repr(name), expected="a folder's path")
        root = Path(name).expanduser()
        if not root.exists():
            raise UserError(
                "no such folder",
                where=str(name),
                expected="a run, or a folder of runs",
                hint="distalign evaluate …",
            )
        found = (
            [root]
            if (root / "manifest.json").is_file()
            else sorted(p.parent for p in root.glob("**/manifest.json"))
        )
        runs.extend(Run.open(p) for p in found)
    return runs
