"""How much memory and time does a large corpus take? ``python -m tests.benchmarks.reference_scale [-n 1000000]``.

A corpus of n English records in three formats: JSON lines, the same packed, Parquet. The texts are those of the
generated corpus of people; each record is a conversation of its own. Printed: how many replies a second the readers
of class attributes take, in one process and in as many as there are cores; and per format the time, the peak of the
memory (of the process and of its largest child) and the target's hash, which is to be the same.
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
from harness.tasks.target import load_target
from harness.tasks.target_file import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Provenance(publisher="-", table="-", year=2000, license="-", link="https://example.org")
BATCH = 500


def records(n: int) -> Iterator[dict[str, object]]:
    """The generated corpus again and again, each time with other questions."""
    texts = [
        {k: r[k] for k in ("language", "track", "family", "style", "question", "reply")} for r in corpus("en")
    ]
    for i in range(n):
        one = texts[i % len(texts)]
        yield {"id": f"c{i}", **one, "question": f"{i}: {one['question']}"}


def write(folder: Path, n: int) -> list[Path]:
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


def attributes(texts: list[str]) -> None:
    """Prints how fast the class attributes are read."""
    shape_readers("en")(texts[:50])
    wall, cpu = time.perf_counter(), time.process_time()
    shape_readers("en")(texts)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    tokens = np.mean([token_count(t) for t in texts])
    print(f"{len(texts)} replies of {tokens:.0f} tokens in the mean")
    print(
        f"class attributes, 1 process: {len(texts) / wall:,.0f} replies/s, {len(texts) / cpu:,.0f} per s of CPU"
    )
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        batches = [("en", texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
        pool.starmap(read_shapes, batches[: 2 * cores], chunksize=1)
        wall = time.perf_counter()
        pool.starmap(read_shapes, batches, chunksize=1)
        wall = time.perf_counter() - wall
    print(f"class attributes, {cores} processes: {len(texts) / wall:,.0f} replies/s", flush=True)


def imported(path: Path, out: Path) -> None:
    """In a process of its own, so that the peak is that of one import."""
    begin = time.perf_counter()
    options = ReferenceOptions("en", SOURCE, split="train", task=out / "asked", processes=os.cpu_count() or 1)
    target = load_target(str(import_reference([str(path)], out / "people", options)))
    spent = time.perf_counter() - begin
    own, child = (
        resource.getrusage(who).ru_maxrss / 2**20 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(f"| {path.suffix} | {spent:.0f} | {own:.2f} | {child:.2f} | {target.hash[:16]} |", flush=True)


def main() -> None:
    """Readers first, then whole imports."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=20_000)
    parser.add_argument("--texts", type=int, default=20_000, help="replies that the readers are timed on")
    asked = parser.parse_args()
    attributes([str(r["reply"]) for r in records(asked.texts)])
    print(f"\n| {asked.n} records | s | peak GiB | of a child | hash |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        for path in write(Path(name), asked.n):
            process = multiprocessing.get_context("spawn").Process(target=imported, args=(path, path.parent))
            process.start()
            process.join()
            assert process.exitcode == 0


if __name__ == "__main__":
    main()
