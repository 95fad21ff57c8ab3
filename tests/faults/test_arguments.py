"""Arguments that nobody should give: one message that says what is wrong, before anything long begins."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from baselines.seed import causal_path
from harness.cli.main import run as command

if TYPE_CHECKING:
    from pathlib import Path

LONG = "x" * 5_000
NAN = str(math.nan)
ASKED = ("--task", "gender_us", "--target", "labor")
TRAINED = ("train", "klkto", str(causal_path()), *ASKED)
LINES = {
    "a model of a long name": ("evaluate", LONG, *ASKED),
    "a law of a long name": ("evaluate", f"known:{LONG}", *ASKED),
    "a task of a long name": ("evaluate", "known:uniform", "--task", LONG),
    "a target of a long name": ("evaluate", "known:uniform", "--task", "gender_us", "--target", LONG),
    "a folder of a long name": ("evaluate", "known:uniform", *ASKED, "-n", "2", "-o", LONG),
    "a board of a long name": ("leaderboard", LONG),
    "a corpus of a long name": ("target", "import", "reference", LONG, "--language", "en"),
    "a model in nobody's home": ("evaluate", "~nobody-here/x", *ASKED),
    "a task in nobody's home": ("evaluate", "known:uniform", "--task", "~nobody-here/x/task.yaml"),
    "runs in nobody's home": ("score", "~nobody-here/x"),
    "a folder that has no run": ("score", "/etc"),
    "nothing to read": ("utility", str(causal_path()), "--text", "/dev/null"),
    "completions that are none": (*TRAINED, "--completions", "/etc/passwd", "-o", "{here}/out"),
    "an output that is a loop of links": (
        "evaluate",
        "known:uniform",
        *ASKED,
        "-n",
        "2",
        "-o",
        "{here}/loop",
    ),
    "a board that is a loop of links": ("leaderboard", "{here}", "-o", "{here}/loop"),
    "a training that is a loop of links": (
        "train",
        "prompting",
        str(causal_path()),
        *ASKED,
        "-o",
        "{here}/loop",
    ),
    "more draws than there can be": ("evaluate", "known:uniform", *ASKED, "-n", "9" * 20),
    "as many, only counted": ("evaluate", "known:uniform", *ASKED, "-n", "9" * 20, "--dry-run"),
    "a temperature that is no number": ("evaluate", "known:uniform", *ASKED, "--temperature", NAN),
    "a share that is no number": ("evaluate", "known:uniform", *ASKED, "--top-p", NAN),
    "a server that is no address": ("evaluate", "server:m@http://[::1/v1", *ASKED),
    "a device as contexts": ("evaluate", "known:uniform", "--task", "{here}/task.yaml"),
}


@pytest.mark.parametrize("name", LINES)
def test_an_argument_that_cannot_be_meant(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "task.yaml").write_text("name: t\ncontexts: /dev/zero\n", encoding="utf-8")
    assert command([word.format(here=tmp_path) for word in LINES[name]]) == 2
    told = capsys.readouterr().err
    assert told.count("distalign: ") == 1
    assert len(told) < 20_000
    assert {p.name for p in tmp_path.iterdir()} <= {"loop", "task.yaml", "out"}
