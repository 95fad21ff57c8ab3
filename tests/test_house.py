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

FORBIDDEN = {
    "harness.terms": (
        "harness.tasks",
        "harness.sampling",
        "harness.reading",
        "harness.runs",
        "harness.scoring",
    ),
    "harness.metrics": (
        "harness.sampling",
        "harness.tasks",
        "harness.reading",
        "harness.runs",
        "harness.scoring",
        "harness.evaluation",
        "harness.cli",
        "baselines",
        "reports",
        "torch",
        "transformers",
    ),
    "harness.scoring": (
        "harness.sampling",
        "harness.tasks",
        "harness.reading",
        "harness.runs",
        "harness.evaluation",
        "harness.cli",
        "torch",
        "transformers",
        "baselines",
        "reports",
    ),
    "harness.tasks": (
        "harness.sampling",
        "harness.reading",
        "harness.runs",
        "harness.scoring",
        "harness.evaluation",
        "baselines",
        "reports",
    ),
    "harness.sampling": ("harness.runs", "harness.scoring", "harness.evaluation", "baselines", "reports"),
    "harness.reading": ("harness.runs", "harness.scoring", "harness.evaluation", "baselines", "reports"),
    "harness.runs": ("harness.reading", "harness.scoring", "harness.evaluation", "baselines", "reports"),
    "harness.rescore": ("harness.evaluation", "harness.sampling.open", "torch", "transformers"),
    "reports": ("harness.sampling.open", "harness.evaluation", "torch", "transformers", "vllm"),
}


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


@pytest.mark.parametrize("place", sorted(FORBIDDEN))
def test_imports_run_one_way(place: str) -> None:
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
    below = ("terms", "contract", "errors", "files", "progress", "tasks", "sampling")
    inside = [p for p in MODULES if name_of(p).startswith("harness.sampling")]
    above = {
        f"{name_of(p)} imports {i}"
        for p in inside
        for i in imports(p)
        if i.startswith("harness.") and i.split(".")[1] not in below
    }
    assert above == set()


def test_no_module_of_sampling_imports_itself_through_others() -> None:
    """Imports for the type checker count: who must be read to understand a module stands below it."""
    names = {name_of(p).removesuffix(".__init__"): p for p in MODULES if "sampling" in p.parts}
    needs = {name: {i for i in imports(p) if i in names and i != name} for name, p in names.items()}
    while free := [name for name, rest in needs.items() if not rest & needs.keys()]:
        for name in free:
            del needs[name]
    assert needs == {}


def test_nothing_but_the_command_imports_the_command() -> None:
    outside = [
        p for p in MODULES if not name_of(p).startswith("harness.cli") and name_of(p) != "harness.__main__"
    ]
    assert [
        name_of(p) for p in outside if any((i + ".").startswith("harness.cli.") for i in imports(p))
    ] == []


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
