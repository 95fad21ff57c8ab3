"""Commands that write, what each needs, and what it leaves: for trials that disturb them and let them go on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.seed import causal_path, masked_path
from tests.sampling.faulty_server import FaultyServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
SEXES = ("male", "female")
SMALL = ("--contexts", "software_developers,managers_all_other")
SHORT: Mapping[str, tuple[str, ...]] = {
    "sft": ("rows=20", "epochs=1", "retention_rows=2", "save_steps=2"),
    "dpo": ("rows=20", "sft_epochs=1", "retention_rows=2", "save_steps=2"),
    "klkto": ("rows=20", "sft_epochs=1", "epochs=1", "retention_rows=2", "save_steps=2"),
    "walf": ("epochs=2", "retention_rows=2"),
    "polyalign": ("rows=40", "epochs=1", "draw_tokens=40", "save_steps=2"),
}
"""Settings that make a training of each method a few steps long."""
TIMES = ("retrieved_timestamp", "created", "seconds", "finished", "started", "host", "command", "runtime_s")
"""Keys of a JSON file that differ between two runs of one command."""
SET = "target_modules"
"""Key of a list that peft writes in any order."""
RESULTS = (".csv", ".safetensors", ".yaml", ".jsonl", ".parquet", ".html", ".zip", ".svg", ".tex", ".md")
"""Endings of files that hold results, besides .json."""
TOLD = (
    *("--publisher", "Us", "--table", "Replies", "--license", "CC0-1.0", "--year", "2026"),
    *("--link", "https://example.org"),
)
"""What is told of figures that are imported."""
DONE = ("there already", "exists already", "a new folder")
"""Said by a command that never writes over what it wrote, where it was stopped after its last word."""


@dataclass(frozen=True)
class Case:
    """A command, and what it needs."""

    line: Sequence[str]
    """Its words; {here} is the folder of this try, {given} what was made once for all, {server} an address."""
    before: Callable[[Path, Path], None] | None = None
    """Puts into a try's folder what the command reads."""
    dear: bool = False
    """Whether it takes so long that it is tried half as often."""


def evaluating(model: str, *more: str) -> Case:
    """An evaluation."""
    asked = ("evaluate", model, "--task", "gender_us", "--target", "labor", "-o", "{here}/out")
    return Case((*asked, *more))


def training(method: str, task: str = "gender_us", model: Path | None = None) -> Case:
    """A training of a tiny model."""
    source = str(model or causal_path())
    asked = ("train", method, source, "--task", task, "--target", "labor", "-o", "{here}/out")
    return Case((*asked, *short(method)), dear=method in SHORT)


def replying(arm: str) -> Case:
    """A training on people's replies."""
    asked = ("train", "polyalign", str(causal_path()), "--corpus", "{given}/people/people_en.jsonl")
    where = ("--target", "{given}/targets/people_en", "-o", "{here}/out")
    return Case((*asked, *where, *short("polyalign"), "--set", f"arm={arm}"), dear=True)


def short(method: str) -> tuple[str, ...]:
    """The options that make a training short, where there are some."""
    if method not in SHORT:
        return ()
    settings = (word for setting in SHORT[method] for word in ("--set", setting))
    return ("--recipe", str(ROOT / "baselines" / method / "recipe_tiny.yaml"), *settings)


def run_copied(given: Path, here: Path) -> None:
    """The run that was made once, for commands that write into it."""
    shutil.copytree(given / "runs", here / "out")


def model_copied(given: Path, here: Path) -> None:
    """A model, for a command that writes beside it."""
    shutil.copytree(causal_path(), here / "out")


def folder(given: Path, here: Path) -> None:
    """An empty folder, for commands that write a file into one."""
    (here / "out").mkdir()


def importing(here: str) -> tuple[str, ...]:
    """The import of people's replies."""
    return (
        *("target", "import", "reference", "{given}/people/people_en.jsonl", "--language", "en"),
        *("--split", "train", "--task", f"{here}/tasks/people_en", "-o", f"{here}/targets/people_en"),
        *TOLD,
    )


CASES: Mapping[str, Case] = {
    "evaluate, collapsed": evaluating(str(causal_path()), "-n", "200"),
    "evaluate, exact": evaluating(str(causal_path()), "--measure", "exact", "--epsilon", "0.05", *SMALL),
    "evaluate, choices": evaluating(str(causal_path()), "--measure", "choices"),
    "evaluate, known": evaluating("known:target,shift=0.1", "-n", "400"),
    "evaluate, server": evaluating("server:tiny@{server}", "-n", "20"),
    "evaluate, llamacpp": evaluating("llamacpp:{given}/tiny.gguf", "-n", "4", *SMALL),
    "evaluate, lm-eval": evaluating(f"lm-eval:hf,pretrained={causal_path()},device=cpu", "-n", "4", *SMALL),
    "train sft": training("sft"),
    "train dpo": training("dpo"),
    "train klkto": training("klkto"),
    "train walf": training("walf", "profession_gender", masked_path()),
    "train polyalign": replying("bucket_sft"),
    "train polyalign, hdpo": replying("hdpo"),
    "train prompting": training("prompting"),
    "score": Case(("score", "{here}/out"), run_copied),
    "merge": Case(("merge", "{given}/shard1", "{given}/shard2", "-o", "{here}/out")),
    "leaderboard": Case(("leaderboard", "{given}/runs", "-o", "{here}/out", "--check")),
    "label": Case(("label", "{given}/run", "-n", "50", "-o", "{here}/out/labels.csv"), folder),
    "target import": Case(importing("{here}/out")),
    "target import, table": Case(
        (
            *("target", "import", "table", "{given}/table.csv", "--attribute", "gender"),
            *("--class", "male=Men", "--class", "female=", *TOLD, "-o", "{here}/out"),
        )
    ),
    "task import": Case(
        (
            "task",
            "import",
            "{given}/asked.jsonl",
            "--like",
            "gender_us",
            "--name",
            "asked",
            "-o",
            "{here}/out",
        )
    ),
    "task fit": Case(("task", "fit", "gender_us", "{given}/labels.csv", "-o", "{here}/out/fit.json"), folder),
    "task new": Case(("task", "new", "drinks", "-o", "{here}/out")),
    "pack": Case(("pack", "{given}/run", "-o", "{here}/out/run.zip"), folder),
    "unpack": Case(("unpack", "{given}/run.zip", "-o", "{here}/out")),
    "board new": Case(("board", "new", "{here}/out")),
    "figure": Case(("figure", "shares", "{given}/run", "-o", "{here}/out/shares.svg"), folder),
    "export parquet": Case(("export", "parquet", "{given}/runs", "-o", "{here}/out/runs.parquet"), folder),
    "export datasets": Case(("export", "datasets", "{given}/runs", "-o", "{here}/out")),
    "export every-eval-ever": Case(
        ("export", "every-eval-ever", "{given}/runs", "--by", "Us", "-o", "{here}/out")
    ),
    "export inspect": Case(("export", "inspect", "{given}/run", "-o", "{here}/out/log.json"), folder),
    "export lm-eval": Case(("export", "lm-eval", "gender_us", "-n", "4", "-o", "{here}/out")),
    "export latex": Case(("export", "latex", "{given}/runs", "-o", "{here}/out/runs.tex"), folder),
    "utility": Case(("utility", "{here}/out", "--text", "{given}/text.txt"), model_copied),
}


@dataclass(frozen=True)
class Bench:
    """Where commands are tried."""

    scratch: Path
    server: str

    @property
    def given(self) -> Path:
        """What commands read that do not make it."""
        return self.scratch / "given"

    def call(self, line: Sequence[str], here: Path) -> subprocess.Popen[str]:
        """Begin a command."""
        words = [w.format(here=here, given=self.given, server=self.server) for w in line]
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *words],
            cwd=here,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, line: Sequence[str], here: Path) -> tuple[int, str]:
        """Run a command to its end: its exit code, and all that it said."""
        process = self.call(line, here)
        _, told = process.communicate()
        return process.returncode, told

    def done(self, line: Sequence[str], here: Path) -> str:
        """Run a command that should end well; what it said last where it did not."""
        code, told = self.finish(line, here)
        well = code == 0 or any(words in told for words in DONE)
        return "" if well else told[-2000:] or f"exit code {code}"

    def begun(self, case: Case, here: Path) -> None:
        """A folder for a try, without what an earlier one may have left there."""
        here.mkdir(exist_ok=True)
        for left_over in here.iterdir():
            shutil.rmtree(left_over)
        if case.before is not None:
            case.before(self.given, here)

    def undisturbed(self, case: Case, here: Path) -> tuple[dict[str, str], float]:
        """What a command leaves that nothing disturbs, and its seconds."""
        self.begun(case, here)
        begin = time.monotonic()
        told = self.done(case.line, here)
        assert not told, told
        return left(here / "out"), time.monotonic() - begin

    def prepare(self) -> None:
        """Make what commands read."""
        from safetensors.torch import load_file, save_file

        from baselines.seed.people import generate
        from tests.sampling.tiny_gguf import write_gguf

        self.given.mkdir(parents=True)
        known = CASES["evaluate, known"].line[:-3]
        lines = [
            (*known, f"{self.given}/shard{number}", "-n", "200", "--shard", f"{number}/2")
            for number in (1, 2)
        ]
        generate(self.given / "people" / "people_en.jsonl", "en", 0)
        whole = shutil.copytree(causal_path(), self.given / "whole")
        weights = {name: value.float() for name, value in load_file(whole / "model.safetensors").items()}
        save_file(
            weights, whole / "model.safetensors"
        )  # llama.cpp does not compute in half precision throughout
        write_gguf(whole, self.given / "tiny.gguf")
        lines += [(*known, f"{self.given}/runs", "-n", "400"), importing("{given}")]
        self._make(lines)
        (run,) = (p.parent for p in (self.given / "runs").rglob("manifest.json"))
        (self.given / "run").symlink_to(run)
        self._make([("pack", "{given}/run", "-o", "{given}/run.zip")])
        labels = ["id,label,text", *(f"{n},{SEXES[n % 2]},A {SEXES[n % 2]} of {n}." for n in range(30))]
        (self.given / "labels.csv").write_text("\n".join(labels) + "\n", encoding="utf-8")
        (self.given / "table.csv").write_text("context,Men\nnurses,0.2\ncooks,0.6\n", encoding="utf-8")
        (self.given / "text.txt").write_text("A line of plain text.\n" * 40, encoding="utf-8")
        asked = {"prompt": "Is a software developer a man or a woman?", "context": "software_developers"}
        (self.given / "asked.jsonl").write_text(json.dumps(asked) + "\n", encoding="utf-8")

    def _make(self, lines: Sequence[Sequence[str]]) -> None:
        for line in lines:
            assert not (told := self.done(line, self.given)), told


@contextmanager
def bench(scratch: Path) -> Iterator[Bench]:
    """A folder with all that commands read, and a server whose draws are decided by their seeds.

    What was made there before is taken again.
    """
    with FaultyServer({"Male.": 0.6, "Female.": 0.3, "No idea.": 0.1}, {"500": 0.05, "cut": 0.05}) as server:
        made = Bench(scratch, server.url)
        if not (made.given / "run.zip").is_file():
            shutil.rmtree(made.given, ignore_errors=True)
            made.prepare()
        yield made


def differing(found: Mapping[str, str], calm: Mapping[str, str]) -> tuple[str, ...]:
    """Results that are not the undisturbed command's."""
    return tuple(sorted(n for n in {*found, *calm} if found.get(n) != calm.get(n)))


def left(folder: Path) -> dict[str, str]:
    """Every result in a folder, by a hash of what does not differ between two undisturbed tries."""
    return {name: digest for path in sorted(folder.rglob("*")) for name, digest in _result(folder, path)}


def _result(folder: Path, path: Path) -> Iterator[tuple[str, str]]:
    name = path.relative_to(folder).as_posix()
    if not path.is_file() or path.name.startswith(".") or "stages/" in f"{name}/":
        return
    if path.name == "walf.csv":
        return  # it has seconds
    if path.suffix == ".parquet" and path.parent.name == "draws":
        return  # how draws are shared out among parts is not a result; all of them together are
    if path.name == "manifest.json":
        yield f"{path.parent.relative_to(folder).as_posix()}/draws", _draws(path.parent)
    if path.suffix == ".json":
        content = json.dumps(_steady(json.loads(path.read_text(encoding="utf-8"))), sort_keys=True).encode()
    elif path.suffix in RESULTS:
        content = path.read_bytes().replace(str(folder).encode(), b"")  # a command may be told in it
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
        return {k: sorted(v) if k == SET else _steady(v) for k, v in value.items() if k not in TIMES}
    return [_steady(v) for v in value] if isinstance(value, list) else value
