"""Commands killed at random moments, and run again until they are done: ``python -m tests.benchmarks.kills OUT.json``.

Each command is run once undisturbed, in a folder of its own. Then it is begun again and again in fresh folders, killed by
SIGKILL at a random moment of the time that it took, perhaps more than once, and then run to its end. What it leaves must
be what the undisturbed one left: every file that holds a result, to the byte, but for times and paths; and of draws, each
one once. ``--times 200`` kills share themselves out among the commands; the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from baselines.seed import causal_path, masked_path
from harness.progress import say
from harness.records import Record, read, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
SMALL = ("--contexts", "software_developers,managers_all_other")
TINY = ("--set", "save_steps=5")
TIMES = ("created", "seconds", "finished", "started", "host", "command", "runtime_s")
"""Keys of a JSON file that differ between two runs of one command."""


DONE = "is there already"
"""Said by a command that never writes over what it wrote, where the kill came after its last word."""


class Kill(Record):
    """One command, killed and run to its end."""

    command: str
    at: tuple[float, ...]
    """Seconds after which it was killed, each from its own start."""
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


@dataclass(frozen=True)
class Case:
    """A command, and what it needs."""

    line: Sequence[str]
    """Its words; {here} is the folder of this try, {given} what was made once for all."""
    made: str = "out"
    """What of its folder is held against the undisturbed one's."""
    before: Callable[[Path, Path], None] | None = None
    """Puts into a try's folder what the command reads."""


def evaluating(model: str, *more: str) -> Case:
    """An evaluation."""
    asked = ("evaluate", model, "--task", "gender_us", "--target", "labor", "-o", "{here}/out")
    return Case((*asked, *more))


def training(method: str, task: str = "gender_us", model: Path | None = None, *more: str) -> Case:
    """A training of a tiny model."""
    source = str(model or causal_path())
    asked = ("train", method, source, "--task", task, "--target", "labor", "-o", "{here}/out")
    recipe = ROOT / "baselines" / method / "recipe_tiny.yaml"
    chosen = ("--recipe", str(recipe)) if recipe.is_file() else ()
    return Case((*asked, *chosen, *more))


def run_copied(given: Path, here: Path) -> None:
    """The run that was made once, for commands that write into it."""
    shutil.copytree(given / "runs", here / "out")


CASES: Mapping[str, Case] = {
    "evaluate, collapsed": evaluating(str(causal_path()), "-n", "200"),
    "evaluate, exact": evaluating(str(causal_path()), "--measure", "exact", "--epsilon", "0.05", *SMALL),
    "evaluate, choices": evaluating(str(causal_path()), "--measure", "choices"),
    "evaluate, known": evaluating("known:target,shift=0.1", "-n", "400"),
    "train sft": training("sft", "gender_us", None, *TINY),
    "train dpo": training("dpo", "gender_us", None, *TINY),
    "train klkto": training("klkto", "gender_us", None, *TINY),
    "train walf": training("walf", "profession_gender", masked_path(), "--set", "epochs=2"),
    "train prompting": training("prompting"),
    "score": Case(("score", "{here}/out"), before=run_copied),
    "merge": Case(("merge", "{given}/shard1", "{given}/shard2", "-o", "{here}/out")),
    "leaderboard": Case(("leaderboard", "{given}/runs", "-o", "{here}/out", "--check")),
    "label": Case(("label", "{given}/run", "-n", "50", "-o", "{here}/out/labels.csv")),
    "target import": Case(
        (
            *("target", "import", "reference", "{given}/people/people_en.jsonl", "--language", "en"),
            *(
                "--split",
                "train",
                "--task",
                "{here}/out/tasks/people_en",
                "-o",
                "{here}/out/targets/people_en",
            ),
            *("--publisher", "Us", "--table", "Replies", "--license", "CC0-1.0", "--year", "2026"),
            *("--link", "https://example.org"),
        )
    ),
}


def call(line: Sequence[str], given: Path, here: Path) -> subprocess.Popen[str]:
    """Begin a command."""
    words = [w.format(here=here, given=given) for w in line]
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *words],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(line: Sequence[str], given: Path, here: Path) -> str:
    """Run a command to its end; what it said last where it failed."""
    process = call(line, given, here)
    _, told = process.communicate()
    done = process.returncode == 0 or DONE in told
    return "" if done else told[-2000:] or f"exit code {process.returncode}"


def killed(line: Sequence[str], given: Path, here: Path, after: float) -> bool:
    """Kill a command and all that it began; False where it was done before."""
    process = call(line, given, here)
    try:
        process.wait(after)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return True
    finally:
        process.communicate()


def left(folder: Path) -> dict[str, str]:
    """Every result in a folder, by a hash of what does not differ between two undisturbed tries."""
    return {name: digest for path in sorted(folder.rglob("*")) for name, digest in _result(folder, path)}


def _result(folder: Path, path: Path) -> Iterator[tuple[str, str]]:
    name = path.relative_to(folder).as_posix()
    if not path.is_file() or path.name.startswith(".") or "stages/" in f"{name}/" or path.suffix == ".lock":
        return
    if path.suffix == ".parquet" and path.parent.name == "draws":
        return  # how draws are shared out among parts is not a result; all of them together are
    if path.name == "manifest.json":
        yield f"{path.parent.relative_to(folder).as_posix()}/draws", _draws(path.parent)
    if path.suffix == ".json":
        content = json.dumps(_steady(json.loads(path.read_text(encoding="utf-8"))), sort_keys=True).encode()
    elif path.suffix in (".csv", ".safetensors", ".yaml", ".jsonl", ".parquet"):
        content = path.read_bytes()
    else:
        return
    yield name, hashlib.sha256(content).hexdigest()


def _draws(run: Path) -> str:
    from harness.runs.folder import Run

    chunks = Run.open(run).chunks()
    rows = sorted((c.context, c.prompt, c.chunk, d.text, d.finish, d.count) for c in chunks for d in c.draws)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _steady(value: object) -> object:
    if isinstance(value, dict):
        return {k: _steady(v) for k, v in value.items() if k not in TIMES}
    return [_steady(v) for v in value] if isinstance(value, list) else value


def prepare(given: Path) -> None:
    """What commands read that do not make it."""
    from baselines.seed.people import generate

    for number in (1, 2):
        line = CASES["evaluate, known"].line[:-3]
        told = finish((*line, f"{given}/shard{number}", "-n", "200", "--shard", f"{number}/2"), given, given)
        assert not told, told
    told = finish((*CASES["evaluate, known"].line[:-3], f"{given}/runs", "-n", "400"), given, given)
    assert not told, told
    (run,) = (p.parent for p in (given / "runs").rglob("manifest.json"))
    (given / "run").symlink_to(run)
    generate(given / "people" / "people_en.jsonl", "en", 0)


def main() -> None:
    """Kill, resume, compare, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--only", default="", help="commands whose name begins so")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    record = read(given.out, Kills, hint="another OUT.json") if given.out.is_file() else Kills()
    names = [n for n in CASES if n.startswith(given.only)]
    with tempfile.TemporaryDirectory() as scratch:
        (made := Path(scratch) / "given").mkdir()
        prepare(made)
        calm: dict[str, dict[str, str]] = {}
        for number in range(len(record.kills), given.times):
            name = names[number % len(names)]
            here = Path(scratch) / f"try{number}"
            if name not in calm:
                calm[name], seconds = undisturbed(CASES[name], made, Path(scratch) / f"calm{number}")
                record = record.model_copy(update={"seconds": {**record.seconds, name: round(seconds, 1)}})
            kill = one(
                name, calm[name], record.seconds[name], made, here, random.Random(f"{given.seed} {number}")
            )
            shutil.rmtree(here)
            record = record.model_copy(update={"kills": (*record.kills, kill)})
            write(given.out, record)
            bad = sum(bool(k.differs or k.told) for k in record.kills)
            say(
                f"{number + 1}/{given.times} {name}: killed at {kill.at}; {bad} wrong so far {kill.differs or kill.told}"
            )
    if wrong := [k for k in record.kills if k.differs or k.told]:
        sys.exit(f"{len(wrong)} of {len(record.kills)} are not as undisturbed")


def undisturbed(case: Case, given: Path, here: Path) -> tuple[dict[str, str], float]:
    """What a command leaves that nothing disturbs, and its seconds."""
    begun(case, given, here)
    begin = time.monotonic()
    told = finish(case.line, given, here)
    assert not told, told
    return left(here / case.made), time.monotonic() - begin


def begun(case: Case, given: Path, here: Path) -> None:
    """A folder for a try."""
    here.mkdir()
    if case.before is not None:
        case.before(given, here)


def one(
    name: str, calm: Mapping[str, str], seconds: float, given: Path, here: Path, chance: random.Random
) -> Kill:
    """Kill a command once or twice, run it to its end, and compare."""
    case, at = CASES[name], list[float]()
    begun(case, given, here)
    for _ in range(chance.choice((1, 1, 2))):
        after = round(chance.uniform(0.2, seconds), 2)
        if killed(case.line, given, here, after):
            at.append(after)
    told = finish(case.line, given, here)
    found = {} if told else left(here / case.made)
    differs = sorted(n for n in {*found, *calm} if found.get(n) != calm.get(n)) if not told else []
    return Kill(command=name, at=tuple(at), differs=tuple(differs), told=told)


if __name__ == "__main__":
    main()
