"""Commands on a disk that is full, or that cannot be written: ``python -m tests.benchmarks.full_disk OUT.json``.

Each command is run once undisturbed. Then it is run in a file system of its own that has room for a part of what it
writes, or that may only be read. It must end with one message and without a traceback; after room is made, the same
command must leave what the undisturbed one left. Needs ``unshare`` and the leave to mount a tmpfs. ``--seconds 240`` ends
after so long, and the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from harness.progress import say
from harness.records import Record, read, write
from tests.benchmarks.commands import CASES, ROOT, Bench, bench, differing, left

if TYPE_CHECKING:
    from collections.abc import Mapping

INSIDE = "DISTALIGN_OWN_MOUNTS"
READ_ONLY = -1.0
SHARES = (READ_ONLY, 0.0, 0.1, 0.5, 0.95)
"""Of what an undisturbed command writes, how much there is room for."""


class Trial(Record):
    """One command on one disk."""

    command: str
    room: float
    """Share of what it writes that there was room for; -1: the disk could only be read."""
    code: int
    """Its exit code."""
    said: str = ""
    """The first line of its message."""
    wrong: str = ""
    """A traceback, a message that is none, or results that are not the undisturbed command's."""


class FullDisk(Record):
    """All that was tried."""

    schema_version: int = Field(1, alias="schema")
    trials: tuple[Trial, ...] = ()


def mount(*words: str) -> None:
    """Mount or unmount something, in this process's own table of mounts."""
    subprocess.run(words, check=True)


def size_of(folder: Path) -> int:
    """Bytes of all files, each in whole pages, as a tmpfs counts them."""
    return sum(-(-p.stat().st_size // 4096) * 4096 for p in folder.rglob("*") if p.is_file())


def tried(place: Bench, name: str, calm: Mapping[str, str], grows: int, room: float) -> Trial:
    """Run a command where there is no room, then where there is some."""
    case, here = CASES[name], place.scratch / "small"
    here.mkdir(exist_ok=True)
    mount("mount", "-t", "tmpfs", "-o", "size=4g", "tmpfs", str(here))
    try:
        place.begun(case, here)
        size = f"size={size_of(here) + int(max(room, 0) * grows) + 4096}"
        mount("mount", "-o", "remount,ro" if room == READ_ONLY else f"remount,{size}", str(here))
        code, told = place.finish(case.line, here)
        wrong = "" if one_message(code, told) else told[-2000:] or "nothing was said"
        mount("mount", "-o", "remount,rw,size=4g", str(here))
        if not wrong:
            wrong = place.done(case.line, here) or ", ".join(differing(left(here / "out"), calm))
    finally:
        mount("umount", str(here))
    lines = [line for line in told.splitlines() if line.startswith("distalign: ")]
    said = lines[0].replace(str(place.scratch), "").replace(str(ROOT), "") if lines else ""
    return Trial(command=name, room=room, code=code, said=said, wrong=wrong)


def one_message(code: int, told: str) -> bool:
    """Whether a command ended well, or with one message that says what to mend."""
    return "Traceback" not in told and (code == 0 or (code == 2 and told.count("\ndistalign: ") <= 1))


def main() -> None:
    """Try each command on each disk, and tell."""
    if not os.environ.get(INSIDE):
        line = ["unshare", "--map-root-user", "--mount", sys.executable, "-m", "tests.benchmarks.full_disk"]
        os.execvpe("unshare", [*line, *sys.argv[1:]], {**os.environ, INSIDE: "1"})  # noqa: S606  # ourselves
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--only", default="", help="commands whose name begins so")
    parser.add_argument(
        "--scratch", type=Path, help="an absolute path; by default a folder that is gone at the end"
    )
    given = parser.parse_args()
    record = read(given.out, FullDisk, hint="another OUT.json") if given.out.is_file() else FullDisk()
    end = time.monotonic() + given.seconds
    done = {(t.command, t.room) for t in record.trials}
    with tempfile.TemporaryDirectory() as passing, bench(scratch := given.scratch or Path(passing)) as place:
        for name in (n for n in CASES if n.startswith(given.only)):
            rooms = [r for r in SHARES if (name, r) not in done]
            if not rooms or time.monotonic() > end:
                continue
            whole = scratch / "whole"
            shutil.rmtree(whole, ignore_errors=True)
            calm, _ = place.undisturbed(CASES[name], whole)
            written = size_of(whole)
            place.begun(CASES[name], whole)
            grows = written - size_of(whole)
            shutil.rmtree(whole)
            for room in rooms:
                trial = tried(place, name, calm, grows, room)
                record = record.model_copy(update={"trials": (*record.trials, trial)})
                write(given.out, record)
                say(f"{name}, room for {room:g}: exit code {trial.code}, {trial.said} {trial.wrong}")
    if wrong := [t for t in record.trials if t.wrong]:
        sys.exit(f"{len(wrong)} of {len(record.trials)} were wrong")


if __name__ == "__main__":
    main()
