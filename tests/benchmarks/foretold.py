"""How near the time that is told comes to the time that passes.

python -m tests.benchmarks.foretold OUT.json --model MODEL [--model MODEL] --trained CHECKPOINT

Each command is given with ``--dry-run`` and then without, as a process of its own. What counts is the time after the
model is loaded. Beside what the dry run told stands what the first line of progress with an estimate told.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.records import Record, write

CASES = {
    "untuned": (
        ("gender_us", "-n", "25"),
        ("gender_us", "-n", "100", "--split", "test"),
        ("story_gender_us", "-n", "4"),
        ("profession_gender", "--split", "test"),
    ),
    "trained": (
        ("gender_us", "-n", "25"),
        ("gender_us", "-n", "1000"),
        ("gender_us", "--measure", "exact", "--epsilon", "0.01"),
        ("gender_us", "--measure", "exact"),
    ),
}
"""Which model -> task and options of each command."""
DRY = re.compile(r"^time: about ([\d.,]+) (s|minutes) after loading", re.MULTILINE)
LEFT = re.compile(r"([\d,]+) s left$")
"""Of the whole run: what is told of the draws under way alone goes on after *left*."""
LOADED = re.compile(r"^loading .*: [\d.]+ s$")


class Case(Record):
    """One command, and its seconds: told before, told first while it ran (the whole), and passed."""

    model: str
    options: tuple[str, ...]
    dry_run: float | None
    """None: it told no time."""
    first: float | None
    """None: it ended before an estimate was due."""
    took: float


class Foretold(Record):
    """All commands."""

    processors: int
    cases: tuple[Case, ...]


def _run(line: list[str]) -> tuple[str, list[tuple[float, str]], float]:
    """Output, the lines of progress with when they came, and when it ended; in seconds after loading."""
    found, start = [], time.monotonic()
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(line, stdout=output, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stderr is not None
        for told in process.stderr:
            if LOADED.match(told):
                start = time.monotonic()
            found.append((time.monotonic() - start, told.rstrip()))
        if process.wait():
            raise SystemExit("\n".join(told for _, told in found))
        passed = time.monotonic() - start
        output.seek(0)
        return output.read(), found, passed


def measured(model: str, options: tuple[str, ...]) -> Case:
    """Told and passed."""
    with tempfile.TemporaryDirectory() as out:
        line = [sys.executable, "-m", "distalign", "evaluate", model, "--task", *options, "-o", out]
        told = DRY.search(_run([*line, "--dry-run"])[0])
        _, progress, took = _run(line)
    dry = float(told[1].replace(",", "")) * (60 if told[2] == "minutes" else 1) if told else None
    estimates = (now + float(m[1].replace(",", "")) for now, line in progress if (m := LEFT.search(line)))
    first = next(estimates, None)
    return Case(
        model=Path(model).name,
        options=options,
        dry_run=dry,
        first=None if first is None else round(first, 1),
        took=round(took, 1),
    )


def main() -> None:
    """One command after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", required=True, action="append")
    parser.add_argument("--trained", required=True)
    given = parser.parse_args()
    found: list[Case] = []
    untuned = [(model, options) for model in given.model for options in CASES["untuned"]]
    for model, options in untuned + [(given.trained, options) for options in CASES["trained"]]:
        found.append(measured(model, options))
        print(found[-1].model_dump_json(), flush=True)
        write(given.out, Foretold(processors=os.cpu_count() or 1, cases=tuple(found)))


if __name__ == "__main__":
    main()
