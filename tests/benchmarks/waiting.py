"""How threads should wait for one another: ``python -m tests.benchmarks.waiting OUT.json --model MODEL``.

The same 40 draws, by two threads, with each way of waiting in turn and then again, alone on the machine, and beside a
loop that keeps one processor busy. Each is a process of its own, since OpenMP reads how to wait when it is loaded.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from harness.records import Record, write

WAYS: dict[str, dict[str, str]] = {
    "ours": {},
    "usual": {"GOMP_SPINCOUNT": "300000"},
    "asleep at once": {"OMP_WAIT_POLICY": "PASSIVE"},
    "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},
}
"""Way -> what is set in the environment."""
TURNS, TOKENS, EACH = 2, 24, 20


class Waiting(Record):
    """Seconds of each way, in turn."""

    model: str
    processors: int
    alone: dict[str, tuple[float, ...]]
    beside_a_loop: dict[str, tuple[float, ...]]


def drawn(model: str) -> float:
    """Seconds of the draws, once the model has drawn some."""
    from harness.sampling.hf.collapsed import CollapsedEngine
    from harness.terms import Message, Request, Sampling

    engine = CollapsedEngine(model, device="cpu", dtype="float32")
    spent = 0.0
    for seed in range(2):
        asked = [
            Request(who, "p", 0, EACH, seed, (Message("user", f"Is one of the {who} a man or a woman?"),))
            for who in ("nurses", "pilots")
        ]
        begin = time.monotonic()
        list(engine.draw(asked, Sampling(max_tokens=TOKENS)))
        spent = time.monotonic() - begin
    return spent


def once(model: str, way: str) -> float:
    """The same in a process of its own."""
    env = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    env |= {"OMP_NUM_THREADS": "2", **WAYS[way]}
    line = [sys.executable, "-m", "tests.benchmarks.waiting", "--one", "--model", model, "-"]
    done = subprocess.run(line, env=env, check=True, capture_output=True, text=True)
    return round(float(done.stdout.split()[-1]), 2)


def main() -> None:
    """Alone first, then beside a loop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--one", action="store_true", help="draw once, and say the seconds")
    given = parser.parse_args()
    if given.one:
        print(drawn(given.model))
        return
    found: list[dict[str, tuple[float, ...]]] = []
    for busy in (False, True):
        loop = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
        try:
            turns = [{way: once(given.model, way) for way in WAYS} for _ in range(TURNS)]
        finally:
            if loop:
                loop.kill()
        found.append({way: tuple(turn[way] for turn in turns) for way in WAYS})
    processors = os.cpu_count() or 1
    record = Waiting(
        model=Path(given.model).name, processors=processors, alone=found[0], beside_a_loop=found[1]
    )
    write(given.out, record)
    print(record.model_dump_json(indent=1))


if __name__ == "__main__":
    main()
