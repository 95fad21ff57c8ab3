"""How many threads there are, and how they wait: by what a container may use, unless the user says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness import threads

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "6400000 100000\n"}, 16),
        ({"cpu.max": "max 100000\n"}, 16),
        ({"cpu.max": "\n"}, 16),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 16),
        ({"cpu/cpu.cfs_quota_us": "300000\n"}, 16),
        ({}, 16),
    ],
)
def test_threads_are_as_many_as_the_quota(
    files: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(threads, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    assert threads.processors() == expected
    for said in ({}, {threads.THREADS: "5"}):
        environ = dict(said)
        threads.settle(environ)
        usual = {} if expected == 16 else {threads.THREADS: str(expected)}
        assert environ == {"GOMP_SPINCOUNT": "10000", **usual, **said}


@pytest.mark.parametrize(
    ("given", "kept"),
    [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "None")],
)
def test_threads_that_wait_soon_sleep_unless_the_user_says_otherwise(
    given: dict[str, str], kept: str
) -> None:
    ours = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    env = {k: v for k, v in os.environ.items() if k not in ours} | given
    line = [sys.executable, "-c", "import harness, os; print(os.environ.get('GOMP_SPINCOUNT'))"]
    assert subprocess.run(line, env=env, capture_output=True, text=True, check=True).stdout.strip() == kept
