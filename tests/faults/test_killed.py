"""Commands that end at once before one of their writes, before each in turn; run again, they leave what they should.

Where a kill at a random moment seldom falls between two writes, these fall nowhere else.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from harness.cli.main import VERBS, run
from harness.evaluation import evaluate
from harness.settings import Settings
from tests.benchmarks.commands import CASES, DONE, TOLD, bench, differing, left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.benchmarks.commands import Bench

NAMES = [
    name
    for name in CASES
    if not name.startswith(("train", "utility", "evaluate")) or name == "evaluate, known"
]
"""Commands that load no model."""
WRITES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate")
KILLED = 137


class _Ending:
    """Ends this process before the write of that number in a folder."""

    def __init__(self, folder: Path, at: int) -> None:
        self.folder, self.left = str(folder), at

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        flags = args[2] if event == "open" else os.O_WRONLY * (event in WRITES)
        if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR):
            return
        path = args[0]
        if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self.folder):
            self.left -= 1
            if not self.left:
                os._exit(KILLED)


def tried(words: list[str], here: Path, told: Path, at: int = 0) -> tuple[int, str]:
    """Run a command in a child, which ends before write number ``at``: its exit code, and what it said."""
    child = os.fork()
    if not child:
        sys.stdout = sys.stderr = told.open("w", encoding="utf-8")
        os.chdir(here)
        sys.addaudithook(_Ending(here, at))
        code = 1
        try:
            code = run(words)
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), told.read_text(encoding="utf-8")


def hold(words: list[str], begun: Callable[[Path], object], here: Path, told: Path) -> None:
    """End a command before each of its writes in turn, and run it again each time."""
    begun(here)
    code, said = tried(words, here, told)
    assert code == 0, said
    calm = left(here / "out")
    assert calm
    at = 0
    while True:
        at += 1
        begun(here)
        code, said = tried(words, here, told, at)
        if code != KILLED:
            break
        code, said = tried(words, here, told)
        assert code == 0 or any(done in said for done in DONE), (at, said)
        assert differing(left(here / "out"), calm) == (), (at, said)
    assert code == 0, said
    assert at > 1


def empty(here: Path) -> None:
    """A folder with nothing in it."""
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()


def again(here: Path) -> None:
    """A target that is imported once more, from other figures, with a note beside it."""
    empty(here)
    (here / "out").mkdir()
    for name in ("target.yaml", "gender.csv", "notes.txt"):
        (here / "out" / name).write_text("old\n", encoding="utf-8")


@pytest.mark.parametrize("begun", [empty, again])
def test_a_target_that_was_half_written_is_written_again(
    begun: Callable[[Path], None], tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_text("context,Men\nnurses,0.2\ncooks,0.6\n", encoding="utf-8")
    words = ["target", "import", "table", str(tmp_path / "table.csv"), "--attribute", "gender", *TOLD]
    here = tmp_path / "here"
    words += ["--class", "male=Men", "--class", "female=", "-o", str(here / "out")]
    hold(words, begun, here, tmp_path / "told")


def test_tasks_of_a_survey_that_are_half_written_are_written_to_the_end(tmp_path: Path) -> None:
    asked = [
        {"question": f"Do you own {one}?", "options": options, "selections": {"All": [0.25, 0.75]}}
        for one, options in (("a boat", ["Yes", "No"]), ("a bike", ["One", "None"]))
    ]
    (tmp_path / "asked.jsonl").write_text("\n".join(map(json.dumps, asked)) + "\n", encoding="utf-8")
    here = tmp_path / "here"
    words = ["target", "import", "survey", str(tmp_path / "asked.jsonl"), "--name", "own", *TOLD]
    hold([*words, "-o", str(here / "out")], empty, here, tmp_path / "told")
    assert len(list((here / "out").glob("*/task.yaml"))) == 2
    words[words.index("2026")] = "2025"
    assert "exists already" in tried([*words, "-o", str(here / "out")], here, tmp_path / "told")[1]


def test_what_a_stopped_unpacking_left_is_cleared_away(tmp_path: Path) -> None:
    evaluate(
        "known:target",
        "gender_us",
        "labor",
        Settings(n=2, contexts=("managers_all_other",), out=tmp_path / "runs"),
    )
    (made,) = (p.parent for p in (tmp_path / "runs").rglob("manifest.json"))
    assert run(["pack", str(made), "-o", str(tmp_path / "run.zip")]) == 0
    here = tmp_path / "here"
    words = ["unpack", str(tmp_path / "run.zip"), "-o", str(here / "out")]
    hold(words, empty, here, tmp_path / "told")
    assert not list((here / "out").glob(".*"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """What the commands read. All that they import is imported here, so that a child begins at once."""
    for verb in VERBS:
        importlib.import_module(f"harness.cli.{verb}")
    for name in ("scipy.stats", "scipy.optimize", "pandas", "pyarrow.parquet", "matplotlib.pyplot", "jinja2"):
        importlib.import_module(name)
    with bench(tmp_path_factory.mktemp("killed")) as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_ended_before_any_of_its_writes_goes_on(place: Bench, name: str) -> None:
    case, here = CASES[name], place.scratch / "here"
    words = [word.format(here=here, given=place.given, server=place.server) for word in case.line]
    hold(words, partial(place.begun, case), here, place.scratch / "told")
