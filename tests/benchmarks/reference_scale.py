"""How much memory and time does a large corpus take? ``python -m tests.benchmarks.reference_scale OUT [-n 1000000]``.

A corpus of n English records in three formats: JSON lines, the same packed, Parquet. The texts are those of the
generated corpus of people; each record is a conversation of its own. Measured: how many replies a second the readers
of class attributes take, in one process and in as many as there are cores; and per format the time, the peak of the
memory (of the process and of its largest child) and the target's hash, which is to be the same. OUT gets
reference_scale.json, after each format, and reference_scale.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import resource
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from baselines.seed.people import corpus
from harness.importers.reference import ReferenceOptions, import_reference, read_shapes, shape_readers
from harness.natural.features import token_count
from harness.progress import phase, say
from harness.records import Record, read, write
from harness.tasks.target import load_target
from harness.tasks.target_file import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Provenance(publisher="-", table="-", year=2000, license="-", link="https://example.org")
BATCH = 500
ROW = "row.json"


def records(n: int) -> Iterator[dict[str, object]]:
    """The generated corpus again and again, each time with other questions."""
    texts = [
        {k: r[k] for k in ("language", "track", "family", "style", "question", "reply")} for r in corpus("en")
    ]
    for i in range(n):
        one = texts[i % len(texts)]
        yield {"id": f"c{i}", **one, "question": f"{i}: {one['question']}"}


def write_corpus(folder: Path, n: int) -> list[Path]:
    """The corpus in three formats."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = [
        folder / name / f"people{end}"
        for name, end in (("a", ".jsonl"), ("b", ".jsonl.gz"), ("c", ".parquet"))
    ]
    for path in paths:
        path.parent.mkdir()
    writer: pq.ParquetWriter | None = None
    with paths[0].open("w", encoding="utf-8") as plain, gzip.open(paths[1], "wt", compresslevel=1) as packed:
        every = records(n)
        while batch := list(islice(every, 10_000)):
            lines = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in batch)
            plain.write(lines)
            packed.write(lines)
            table = pa.Table.from_pylist(batch)
            writer = writer or pq.ParquetWriter(paths[2], table.schema)
            writer.write_table(table)
    assert writer is not None
    writer.close()
    return paths


class ScaleRow(Record):
    """The import of one format."""

    format: str
    seconds: float
    peak_gib: float
    """Of the process."""
    child_gib: float
    """Of its largest child."""
    hash: str


class ScaleRecord(Record):
    """All that was measured."""

    cores: int
    records: int
    texts: int
    """That the readers were timed on."""
    tokens: float
    """Of a text, in the mean."""
    one_process: float
    """Replies a second."""
    all_cores: float
    rows: tuple[ScaleRow, ...] = ()


def page(record: ScaleRecord) -> str:
    """The page of a record."""
    same = len({row.hash for row in record.rows}) == 1
    lines = [
        "# A large corpus of people\n",
        "Made by `python -m tests.benchmarks.reference_scale OUT` from [reference_scale.json](reference_scale.json). Do not edit.\n",
        f"The readers of class attributes (length, act, list, sentiment) take {record.one_process:,.0f} English replies a second in one",
        f"process and {record.all_cores:,.0f} on {record.cores} cores ({record.texts:,} replies of {record.tokens:.0f} tokens in the mean).\n",
        f"`distalign target import reference` of {record.records:,} records, features and held-out task included:\n",
        "| format | seconds | records a second | peak memory, GiB | of a child process, GiB |",
        "|---|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {r.format} | {r.seconds:,.0f} | {record.records / r.seconds:,.0f} | {r.peak_gib:.2f} | {r.child_gib:.2f} |"
        for r in record.rows
    ]
    lines.append(f"\nThe targets have {'one hash' if same else '**different hashes**'}.\n")
    return "\n".join(lines)


def attributes(texts: list[str], n: int) -> ScaleRecord:
    """How fast the class attributes are read."""
    shape_readers("en")(texts[:50])
    one = time.perf_counter()
    shape_readers("en")(texts)
    one = time.perf_counter() - one
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        batches = [("en", texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
        pool.starmap(read_shapes, batches[: 2 * cores], chunksize=1)
        wall = time.perf_counter()
        pool.starmap(read_shapes, batches, chunksize=1)
        wall = time.perf_counter() - wall
    tokens = float(np.mean([token_count(t) for t in texts]))
    found = ScaleRecord(
        cores=cores,
        records=n,
        texts=len(texts),
        tokens=tokens,
        one_process=len(texts) / one,
        all_cores=len(texts) / wall,
    )
    say(
        f"class attributes: {found.one_process:,.0f} replies/s in one process, {found.all_cores:,.0f} in {cores}"
    )
    return found


def imported(path: Path, out: Path) -> None:
    """In a process of its own, so that the peak is that of one import; its row goes to a file."""
    begin = time.perf_counter()
    options = ReferenceOptions("en", SOURCE, split="train", task=out / "asked", processes=os.cpu_count() or 1)
    target = load_target(str(import_reference([str(path)], out / "people", options)))
    spent = time.perf_counter() - begin
    own, child = (
        resource.getrusage(who).ru_maxrss / 2**20 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    row = ScaleRow(format=path.name, seconds=spent, peak_gib=own, child_gib=child, hash=target.hash)
    write(out / ROW, row)


def main() -> None:
    """Readers first, then whole imports."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("-n", type=int, default=20_000)
    parser.add_argument("--texts", type=int, default=20_000, help="replies that the readers are timed on")
    asked = parser.parse_args()
    record = attributes([str(r["reply"]) for r in records(asked.texts)], asked.n)
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        with phase(f"writing {asked.n:,} records in three formats"):
            paths = write_corpus(Path(name), asked.n)
        for path in paths:
            with phase(f"importing {path.name}"):
                process = multiprocessing.get_context("spawn").Process(
                    target=imported, args=(path, path.parent)
                )
                process.start()
                process.join()
            assert process.exitcode == 0
            row = read(path.parent / ROW, ScaleRow, hint="run it again")
            record = record.model_copy(update={"rows": (*record.rows, row)})
            write(asked.out / "reference_scale.json", record)
    (asked.out / "reference_scale.md").write_text(page(record), encoding="utf-8")
    print(page(record))


if __name__ == "__main__":
    main()
