"""The house itself: which way imports run, how light the command is, how long modules are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import harness

ROOT = Path(harness.__file__).parent.parent
PACKAGES = ("harness", "baselines", "reports")
MODULES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))

NAMES = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in MODULES}

FLOORS = (
    "harness.__main__",
    "harness.cli",
    "baselines",
    "reports harness.lmeval",
    "harness harness.dryrun",
    "harness.comparison",
    "harness.evaluation harness.merging harness.retained harness.repeated",
    "harness.rescore harness.distinct harness.comparing",
    "harness.labels",
    "harness.checking harness.comparable harness.importers harness.likeness harness.measuring harness.readings harness.telling",
    "harness.scores",
    "harness.reading harness.runs",
    "harness.sampling",
    "harness.contract harness.settings",
    "harness.tasks harness.scoring harness.locks",
    "harness.records",
    "harness.files harness.metrics",
    "harness.begun harness.natural harness.nodes harness.raw",
    "harness.terms harness.errors harness.progress harness.limits",
    "harness.plaintext harness.threads",
)
"""From the top down. A module needs only what stands below its own floor, and modules of its own room."""
FLOOR = {room: -height for height, rooms in enumerate(FLOORS) for room in rooms.split()}

FORBIDDEN = {
    "harness.scoring": ("torch", "transformers"),
    "harness.reading": ("harness.scoring",),
    "harness.runs": ("harness.scoring",),
    "harness.rescore": ("harness.sampling.open", "torch", "transformers"),
    "reports": ("harness.sampling.open", "harness.evaluation", "torch", "transformers", "vllm"),
}
"""Below them, or from outside, and still not theirs."""


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def needs(path: Path) -> set[str]:
    """The modules of the house that a module imports, for the type checker too: who must be read to understand it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {full if full in NAMES else node.module for full in whole.values()}
    return found & NAMES.keys()


def room(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[: 2 if parts[0] == "harness" else 1])


def test_a_module_needs_only_the_floors_below() -> None:
    assert {room(name) for name in NAMES} == FLOOR.keys()
    assert [
        f"{name} needs {other}"
        for name, path in NAMES.items()
        for other in needs(path)
        if room(other) != room(name) and FLOOR[room(other)] >= FLOOR[room(name)]
    ] == []


def test_the_design_draws_these_floors() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    drawn = text.partition("## Floors")[2].split("```")[1]
    assert [line.split("  ")[0] for line in drawn.strip().splitlines()] == list(FLOORS)


def test_no_module_imports_itself_through_others() -> None:
    left = {name: needs(path) - {name} for name, path in NAMES.items()}
    while free := [name for name, rest in left.items() if not rest & left.keys()]:
        for name in free:
            del left[name]
    assert left == {}


@pytest.mark.parametrize("place", sorted(FORBIDDEN))
def test_what_is_forbidden_is_not_imported(place: str) -> None:
    inside = [p for p in MODULES if (name_of(p) + ".").startswith(place + ".")]
    assert inside
    wrong = [
        f"{name_of(p)} imports {i}"
        for p in inside
        for i in imports(p)
        for bad in FORBIDDEN[place]
        if (i + ".").startswith(bad + ".")
    ]
    assert wrong == []


def test_sampling_stands_on_the_ground_floor_and_the_tasks_alone() -> None:
    below = (
        "terms",
        "contract",
        "errors",
        "files",
        "progress",
        "limits",
        "plaintext",
        "raw",
        "tasks",
        "sampling",
    )
    inside = [p for p in MODULES if name_of(p).startswith("harness.sampling")]
    above = {
        f"{name_of(p)} imports {i}"
        for p in inside
        for i in imports(p)
        if i.startswith("harness.") and i.split(".")[1] not in below
    }
    assert above == set()


def test_no_module_is_longer_than_400_lines() -> None:
    assert [
        f"{name_of(p)}: {n}" for p in MODULES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 400
    ] == []


def test_a_public_class_has_a_name_of_its_own() -> None:
    found: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(name_of(path))
    twice = {name: places for name, places in found.items() if len(places) > 1}
    assert twice.keys() == {"Recipe"}, twice
    assert all(place.startswith("baselines.") for place in twice["Recipe"])


def test_no_function_is_longer_than_50_lines_of_code() -> None:
    def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        code = node.body[1:] if ast.get_docstring(node) else node.body
        return (node.end_lineno or 0) - code[0].lineno + 1 if code else 0

    assert [
        f"{name_of(p)}.{node.name}: {length(node)}"
        for p in MODULES
        for node in ast.walk(ast.parse(p.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > 50
    ] == []


@pytest.mark.parametrize("arguments", [["-c", "import harness"], ["-m", "harness", "--help"]])
def test_help_and_import_load_nothing_heavy(arguments: list[str]) -> None:
    code = "import sys, runpy; sys.argv = ['harness', *{0!r}[2:]]\ntry:\n    {1}\nexcept SystemExit:\n    pass\nprint(*sorted(sys.modules))"
    action = "import harness" if arguments[0] == "-c" else "runpy.run_module('harness', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code.format(arguments, action)], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "harness" in loaded
    assert (
        loaded
        & {"torch", "pandas", "scipy", "matplotlib", "numpy", "pydantic", "transformers", "pyarrow", "rich"}
        == set()
    )


def test_the_public_names_exist_and_are_few() -> None:
    assert len(harness.__all__) <= 15
    assert all(getattr(harness, name) is not None for name in harness.__all__)
    with pytest.raises(AttributeError):
        _ = harness.no_such_name
