"""What people import and type: ``import distalign``, ``python -m distalign``, the shell's completion."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import distalign
import harness

ROOT = Path(harness.__file__).parent.parent


def python(*words: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    return done.stdout


def test_distalign_has_the_public_names_and_no_other() -> None:
    assert dir(distalign) == sorted([*harness.__all__, "__version__"])
    assert all(getattr(distalign, name) is getattr(harness, name) for name in dir(distalign))
    with pytest.raises(AttributeError, match="module 'distalign' has no attribute 'evaluat'"):
        _ = distalign.evaluat  # type: ignore[attr-defined]  # that it does not exist is what is tested


def test_importing_it_loads_nothing_heavy_and_the_module_is_the_command() -> None:
    loaded = python("-c", "import sys, distalign; print(*sys.modules)").split()
    assert not {"numpy", "pydantic", "click", "torch"} & {*loaded}
    assert python("-m", "distalign", "--version") == f"distalign, version {harness.__version__}\n"


def test_a_shell_completes_verbs() -> None:
    found = python(
        "-m",
        "distalign",
        _DISTALIGN_COMPLETE="bash_complete",
        COMP_WORDS="distalign export ev",
        COMP_CWORD="2",
    )
    assert found.split() == ["plain,eval-results", "plain,every-eval-ever"]


def test_what_a_wheel_takes_from_elsewhere_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert all((ROOT / source).exists() for source in wheel["force-include"])
    assert {place for place in wheel["force-include"].values() if place.startswith("distalign/")} == {
        "distalign/__init__.py",
        "distalign/__main__.py",
        "distalign/py.typed",
    }
    assert all((ROOT / package / "py.typed").is_file() for package in wheel["packages"])
