"""Mutated runs, archives and texts, through all that reads them together: a result, or one message."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import partial
from typing import TYPE_CHECKING

from harness.cli.main import run as command
from harness.contract import Contract
from harness.evaluation import evaluate
from harness.reading.draws import DrawReader
from harness.runs.manifest import MANIFEST
from harness.tasks import catalog
from harness.tasks.task import load_task
from reports.archive import SUMS, short_hash
from reports.packing import pack
from reports.submitted import verdict
from tests import helpers
from tests.faults.fuzzing import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ENGLISH = (
    "<think>He or she?</think>The nurse, Mr. Smith, smiled: \u201cI am 35.\u201d She had 2 of 3 votes, 4/5, 12:30 and $5.\n"
    '1. Male.\n2. Female, maybe.\n\n**Answer:** {"drink": "tea"} I cannot say. Sorry!'
)
CHINESE = "\u738b\u82b3\u8d70\u8fdb\u529e\u516c\u5ba4\u3002\u5979\u8bf4\uff1a\u201c\u6211\u4e09\u5341\u4e94\u5c81\u3002\u201d\n1. \u7537\n2. \u5973\u3002\u62b1\u6b49\uff0c\u65e0\u6cd5\u56de\u7b54\uff01"
FILES = ("manifest.json", "prompts.json", "scores.json", "counts.csv", "draws/part-000001.parquet")
"""Of a run."""
COMMANDS = (
    ("leaderboard", "{runs}", "-o", "{out}/site"),
    ("compare", "{run}", "{other}"),
    ("show", "{run}"),
    ("export", "markdown", "{runs}"),
    ("export", "latex", "{runs}", "-o", "{out}/x.tex"),
    ("export", "every-eval-ever", "{runs}", "--by", "Us", "-o", "{out}/every"),
    ("figure", "shares", "{run}", "-o", "{out}/x.svg"),
    ("pack", "{run}", "-o", "{out}/x.zip"),
    ("label", "{run}", "-n", "20", "-o", "{out}/x.csv"),
    ("score", "{run}"),
)
"""Commands that read a run; the last one writes into it."""


def fixed(members: dict[str, bytes]) -> None:
    """Make an archive's hashes fit the other members, as a stranger would."""
    try:
        manifest = json.loads(members[MANIFEST])
        manifest["run"] = short_hash(manifest)
        members[MANIFEST] = json.dumps(manifest).encode()
    except (ValueError, TypeError):
        pass
    sums = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in members.items() if name != SUMS)
    members[SUMS] = "".join(sums).encode()


def all_commands(folder: Path) -> None:
    """Run every command that reads a run."""
    places = {name: folder / name for name in ("runs", "run", "other", "out")}
    whole = folder / "whole"
    for line in COMMANDS:
        shutil.rmtree(places["out"], ignore_errors=True)
        places["out"].mkdir()
        code = command([word.format(**places) for word in line])
        assert code in (0, 2, 3), line
    shutil.rmtree(places["runs"] / "first")
    shutil.copytree(whole, places["runs"] / "first")


def judged(folder: Path) -> None:
    """Judge an archive as a board does."""
    verdict("run.zip", folder / "run.zip")


def read_text(file: Path, readers: Sequence[DrawReader]) -> None:
    """Read a draw's text with every reader, whole and cut."""
    text = file.read_bytes().decode("utf-8", "replace")
    for reader in readers:
        reader.read([(text, "stop"), (text, "length")])
        reader.settled(text)


def readers_of(language: str) -> list[DrawReader]:
    """The readers of the tasks that ship in a language."""
    tasks = [load_task(name) for name in catalog.names("tasks")]
    return [DrawReader.of(task, Contract(), "") for task in tasks if task.language == language]


def write_all(folder: Path) -> None:
    """Two runs, one of them packed, and a text in each language."""
    task = helpers.write_task(folder / "tea")
    for name, model in (("first", "known:uniform,unparsed=0.2"), ("second", "known:target")):
        evaluate(model, task, "survey", n=6, out=folder / "made", seed=3)
        shutil.move(next((folder / "made").glob("*/*/*")), folder / "runs" / name)
        shutil.rmtree(folder / "made")
    evaluate("known:target", "gender_us", "labor", n=4, contexts=["software_developers"], out=folder / "made")
    pack(str(next((folder / "made").glob("*/*/*"))), folder / "run.zip", "acme/m")
    (folder / "other").symlink_to(folder / "runs" / "second")
    (folder / "run").symlink_to(folder / "runs" / "first")
    shutil.copytree(folder / "runs" / "first", folder / "whole")
    (folder / "en.txt").write_text(ENGLISH, encoding="utf-8")
    (folder / "zh.txt").write_text(CHINESE, encoding="utf-8")


def entries(folder: Path) -> Mapping[str, Entry]:
    """Every file, with what reads it."""
    found = {name: Entry(folder / "runs" / "first" / name, partial(all_commands, folder)) for name in FILES}
    found["run.zip"] = Entry(folder / "run.zip", partial(judged, folder), fixed)
    for language in ("en", "zh"):
        file = folder / f"{language}.txt"
        found[file.name] = Entry(file, partial(read_text, file, readers_of(language)))
    return found


NAMES = (*FILES, "run.zip", "en.txt", "zh.txt")
