"""Commands killed at random moments, and run again until they are done: ``python -m tests.benchmarks.kills OUT.json``.

Each command is run once undisturbed, in a folder of its own. Then it is begun again and again in fresh folders, killed by
SIGKILL at a random moment of the time that it took, perhaps more than once, and then run to its end. What it leaves must
be what the undisturbed one left: every file that holds a result, to the byte, but for times and paths; and of draws, each
one once. ``--times 200`` kills share themselves out among the commands, half as many to trainings; ``--seconds 240`` ends
after so long, and the same command goes on where it stopped. ``--scratch`` keeps the undisturbed results for it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from harness.progress import say
from harness.records import Record, read, write
from tests.benchmarks.commands import CASES, Bench, bench, differing, left

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Kill(Record):
    """One command, killed and run to its end."""

    command: str
    at: tuple[float, ...]
    """Seconds after which it was killed, each from its own start; none where it was done before."""
    differs: tuple[str, ...] = ()
    """Files that are not what the undisturbed command left."""
    told: str = ""
    """Last words of a resumed command that failed."""


class Kills(Record):
    """All that was tried."""

    schema_version: int = Field(1, alias="schema")
    seconds: dict[str, float] = Field(default_factory=dict)
    """Command -> what it takes undisturbed."""
    kills: tuple[Kill, ...] = ()

    @property
    def struck(self) -> int:
        """SIGKILLs that met a command at work."""
        return sum(len(k.at) for k in self.kills)

    @property
    def wrong(self) -> list[Kill]:
        """Those after which something was not as undisturbed."""
        return [k for k in self.kills if k.differs or k.told]


def killed(place: Bench, line: Sequence[str], here: Path, after: float) -> bool:
    """Kill a command and all that it began; False where it was done before."""
    process = place.call(line, here)
    try:
        process.wait(after)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return True
    finally:
        process.communicate()


def turn(record: Kills, names: Sequence[str]) -> str:
    """The command that was met at work least often, a training counted twice."""
    tried = Counter(k.command for k in record.kills if k.at)
    return min(names, key=lambda name: tried[name] * (2 if CASES[name].dear else 1))


def one(
    place: Bench, name: str, calm: Mapping[str, str], seconds: float, here: Path, chance: random.Random
) -> Kill:
    """Kill a command once or twice, run it to its end, and compare."""
    case, at = CASES[name], list[float]()
    place.begun(case, here)
    for _ in range(chance.choice((1, 1, 2))):
        after = round(chance.uniform(0.2, seconds), 2)
        if killed(place, case.line, here, after):
            at.append(after)
    told = place.done(case.line, here)
    differs = () if told else differing(left(here / "out"), calm)
    return Kill(command=name, at=tuple(at), differs=differs, told=told)


def main() -> None:
    """Kill, resume, compare, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--only", default="", help="commands whose name begins so")
    parser.add_argument(
        "--scratch", type=Path, help="an absolute path; by default a folder that is gone at the end"
    )
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    record = read(given.out, Kills, hint="another OUT.json") if given.out.is_file() else Kills()
    names = [n for n in CASES if n.startswith(given.only)]
    end = time.monotonic() + given.seconds
    with tempfile.TemporaryDirectory() as passing, bench(scratch := given.scratch or Path(passing)) as place:
        kept = scratch / "calm.json"
        calm: dict[str, dict[str, str]] = json.loads(kept.read_text()) if kept.is_file() else {}
        calm.pop("evaluate, server", None)  # its address is another each time, and part of its results
        for number in itertools.count(len(record.kills)):
            if record.struck >= given.times or time.monotonic() > end:
                break
            name, here = turn(record, names), scratch / f"try{number}"
            if name not in calm:
                calm[name], seconds = place.undisturbed(CASES[name], scratch / f"calm{number}")
                shutil.rmtree(scratch / f"calm{number}")
                record = record.model_copy(update={"seconds": {**record.seconds, name: round(seconds, 1)}})
                write(given.out, record)
                kept.write_text(json.dumps(calm))
            chance = random.Random(f"{given.seed} {number}")
            kill = one(place, name, calm[name], record.seconds[name], here, chance)
            shutil.rmtree(here)
            record = record.model_copy(update={"kills": (*record.kills, kill)})
            write(given.out, record)
            say(
                f"{record.struck}/{given.times} {name}: killed at {kill.at}; {len(record.wrong)} wrong so far "
                f"{kill.differs or kill.told}"
            )
    if record.wrong:
        sys.exit(f"{len(record.wrong)} of {len(record.kills)} are not as undisturbed")


if __name__ == "__main__":
    main()
