"""Comparing two runs of one task: first whether they can be compared, then how they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import IncompleteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.runs import Run

SAME = (
    "task",
    "task_version",
    "task_hash",
    "prompts_hash",
    "split",
    "paraphrases",
    "measure",
    "epsilon",
    "sampling",
)
"""What two runs must share: only the model, its template and its engine may differ."""


def comparable(a: Run, b: Run) -> None:
    """Refuse two runs that do not answer the same question, naming the setting that differs."""
    for key in SAME:
        one, two = a.identity.get(key), b.identity.get(key)
        if one == two:
            continue
        name = key
        if isinstance(one, dict) and isinstance(two, dict):
            name, one, two = _inner(key, one, two)
        raise IncompleteError(
            f"the runs differ in {name}",
            where=f"{a.folder} and {b.folder}",
            found=f"{one} against {two}",
            expected="the same value",
            hint="evaluate one of them again with the other's setting",
        )
    for run in (a, b):
        if run.manifest.get("state") != "complete":
            raise IncompleteError(
                "a run that is not complete",
                where=str(run.folder),
                found=run.manifest.get("state"),
                expected="complete",
                hint="the command that made it, again",
            )


def _inner(key: str, one: Mapping[str, object], two: Mapping[str, object]) -> tuple[str, object, object]:
    name = next(k for k in sorted({*one, *two}) if one.get(k) != two.get(k))
    return f"{key}.{name}", one.get(name), two.get(name)
