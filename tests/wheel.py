"""Is a wheel whole? Run by make test-wheel, in an environment with the wheel and what it needs, and nothing else."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import distalign
from harness.cli.main import run
from harness.tasks.catalog import shipped


def main() -> None:
    """One assertion for each part that was ever forgotten, or could be."""
    installed = Path(distalign.__file__).parent
    assert installed.name == "distalign", f"not the wheel: {installed}"
    assert importlib.util.find_spec("torch") is None, "not a bare environment"
    for package in ("distalign", "harness", "baselines", "reports"):
        assert (installed.parent / package / "py.typed").is_file(), package
    assert metadata.version("distalign") == distalign.__version__
    assert all(getattr(distalign, name) for name in dir(distalign))
    assert len(list(shipped("tasks").glob("*/task.yaml"))) > 10
    assert len(list(shipped("targets").glob("*/target.yaml"))) > 3
    assert list((installed.parent / "baselines" / "seed").glob("**/*.safetensors")), "the tiny models"
    assert list((installed.parent / "reports" / "templates").iterdir())
    with tempfile.TemporaryDirectory() as scratch:
        runs, site, board = (str(Path(scratch) / name) for name in ("runs", "site", "board"))
        known = [
            "evaluate",
            "known:target",
            "--task",
            "gender_us",
            "--target",
            "labor",
            "-n",
            "20",
            "-o",
            runs,
        ]
        for words in (
            known,
            ["leaderboard", runs, "-o", site],
            ["figure", "forest", runs, "-o", f"{scratch}/forest.pdf"],
            ["board", "new", board],
            ["list", "methods"],
        ):
            assert run(words) == 0, words
        folder = next(Path(runs).glob("*/*/*/manifest.json")).parent
        assert run(["pack", str(folder), "-o", f"{board}/runs/known.zip"]) == 0
        assert run(["board", "check", f"{board}/runs"]) == 0
        assert run(["evaluate", "some/model", "--task", "gender_us", "-o", runs]) == 2, "an extra is named"
    for words in (["-m", "distalign", "--version"], ["-m", "harness", "--version"]):
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == f"distalign, version {distalign.__version__}"


if __name__ == "__main__":
    main()
