"""Long sittings: a million draws of a stated law, and a server that fails: ``python -m tests.benchmarks.soak OUT.json``.

Known: in one process, runs of 1/8, 1/4, 1/2 and all of ``--draws`` are drawn and scored; then one run is topped up in
eight steps to as many, with a board after each. Seconds and memory are taken after every step. Server: ``--server``
draws from a server on loopback of whose answers 30% are faults and 10% come late: all must come, and have its law. Parts
that OUT.json has are not done again.
"""

from __future__ import annotations

import argparse
import gc
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field
from scipy.stats import chisquare

from harness.evaluation import evaluate
from harness.progress import say
from harness.records import Record, read, write
from harness.settings import Settings
from harness.tasks import prompts
from harness.tasks.task import load_task
from reports.leaderboard import leaderboard
from tests.sampling.faulty_server import Fault, FaultyServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.runs.folder import Run

TASK, TARGET = "gender_us", "labor"
STEPS = 8
FAULTS: Mapping[Fault, float] = dict.fromkeys(("429", "500", "cut", "malformed", "missing", "empty"), 0.05)
SLOW, LATE = 0.1, 0.25
"""Share of the answers that come late, and by how many seconds."""
LAW = {"Male.": 0.55, "Female.": 0.35, "I cannot tell.": 0.1}


class Step(Record):
    """What a step took."""

    draws: int
    """Of the run, after it."""
    seconds: float
    megabytes: float
    """Of memory that the process holds, after it."""


class Served(Record):
    """A run at a server that fails."""

    draws: int
    calls: int
    faults: dict[str, int]
    slow: int
    seconds: float
    megabytes: tuple[float, float]
    """Before and after."""
    failed: int
    """Draws that were given up."""
    p: float
    """Of the law that the server draws from, by what was said (chi-square)."""


class Soak(Record):
    """All that was found."""

    schema_version: int = Field(1, alias="schema")
    fresh: tuple[Step, ...] = ()
    """A new run each."""
    topped: tuple[Step, ...] = ()
    """One run, topped up; a board after each."""
    server: Served | None = None


class Forgetful(FaultyServer):
    """Counts calls and their faults, and keeps none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.met = Counter[str]()

    def arrived(self, path: str, body: dict[str, object], key: str) -> Fault:
        """Whether a call goes wrong, and how."""
        fault = super().arrived(path, body, key)
        with self._lock:
            self.met[fault] += 1
            self.calls.clear()
        return fault


def memory() -> float:
    """Megabytes that this process holds now."""
    gc.collect()
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return round(int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024, 1)


def asked() -> int:
    """Prompts of an evaluation."""
    task = load_task(TASK)
    return len(prompts.render(task, *prompts.select(task)))


def drawn(model: str, n: int, out: Path) -> Run:
    """A run, new or topped up."""
    return evaluate(model, TASK, TARGET, Settings(n=n, out=out))


def known(draws: int, record: Soak, out: Path) -> None:
    """Runs of growing size, then one that is topped up."""
    questions = asked()
    whole, model = -(-draws // questions), "known:target,shift=0.1,refused=0.05"
    fresh, topped = list[Step](), list[Step]()
    with tempfile.TemporaryDirectory() as scratch:
        drawn(model, 1, Path(scratch) / "first")  # what is loaded once is loaded now
        for part in (8, 4, 2, 1):
            begin = time.monotonic()
            run = drawn(model, whole // part, Path(scratch) / f"fresh{part}")
            fresh.append(Step(draws=run.n * questions, seconds=took(begin), megabytes=memory()))
            say(f"{fresh[-1]}")
        for step in range(1, STEPS + 1):
            begin = time.monotonic()
            run = drawn(model, whole * step // STEPS, Path(scratch) / "topped")
            leaderboard([str(Path(scratch) / "topped")], Path(scratch) / "site", recompute=False)
            topped.append(Step(draws=run.n * questions, seconds=took(begin), megabytes=memory()))
            say(f"{topped[-1]}")
    write(out, record.model_copy(update={"fresh": tuple(fresh), "topped": tuple(topped)}))


def took(begin: float) -> float:
    """Seconds since."""
    return round(time.monotonic() - begin, 2)


def served(draws: int, record: Soak, out: Path) -> None:
    """Draws from a server that fails."""
    n, late, guard, chance = -(-draws // asked()), [0], threading.Lock(), random.Random(1)

    def slowly(_: object) -> None:
        with guard:
            slow = chance.random() < SLOW
            late[0] += slow
        if slow:
            time.sleep(LATE)

    with tempfile.TemporaryDirectory() as scratch, Forgetful(LAW, FAULTS, refuse=slowly) as server:
        drawn(f"server:tiny@{server.url}", 9, Path(scratch) / "first")  # what is loaded once is loaded now
        server.met.clear()
        late[0] = 0
        before, begin = memory(), time.monotonic()
        run = drawn(f"server:tiny@{server.url}", n, Path(scratch) / "runs")
        seconds, after = took(begin), memory()
        said = Counter[str]()
        for draw in (d for chunk in run.chunks() for d in chunk.draws):
            said[draw.text if draw.finish != "failed" else ""] += draw.count
    expected = [share * said.total() for share in LAW.values()]
    found = Served(
        draws=said.total(),
        calls=server.met.total(),
        faults={k: v for k, v in server.met.items() if k},
        slow=late[0],
        seconds=seconds,
        megabytes=(before, after),
        failed=said[""],
        p=round(float(chisquare([said[text] for text in LAW], expected).pvalue), 4),
    )
    write(out, record.model_copy(update={"server": found}))


def main() -> None:
    """Do what OUT.json does not have yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--draws", type=int, default=1_000_000)
    parser.add_argument("--server", type=int, default=100_000)
    given = parser.parse_args()
    record = read(given.out, Soak, hint="another OUT.json") if given.out.is_file() else Soak()
    if given.draws and not record.topped:
        known(given.draws, record, given.out)
        record = read(given.out, Soak, hint="")
    if given.server and record.server is None:
        served(given.server, record, given.out)
    print(given.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
