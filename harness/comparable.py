"""Whether two runs answer the same question; where they do not, which settings differ, as a person types them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import IncompleteError
from harness.settings import RULES, SAMPLING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.runs.folder import Run

ASKED = {
    "task": "--task",
    "task_version": "the task's version",
    **{
        key: RULES[key].flag
        for key in (
            "split",
            "contexts",
            "paraphrases",
            "system",
            "continue_from",
            "measure",
            "epsilon",
        )
    },
}
"""What two runs must share besides the sampling parameters, as it is typed: only the model, its template and its
engine may differ."""
HASHES = {"task_hash": "the task's files (their hash)", "prompts_hash": "the prompts as sent (their hash)"}


def comparable(a: Run, b: Run) -> None:
    """Refuse two runs that do not answer the same question, naming the settings that differ."""
    differing = _differing(_asked(a), _asked(b))
    # Hashes tell a reader nothing, and follow from the settings: they are named where nothing else differs.
    differing = differing or _differing(_hashes(a), _hashes(b))
    if differing:
        raise IncompleteError(
            "the runs differ in " + ", ".join(differing),
            where=f"{a.folder} and {b.folder}",
            found="; ".join(differing.values()),
            expected="the same value",
            hint="evaluate one of them again with the other's setting",
        )
    for run in (a, b):
        if run.manifest.state != "complete":
            raise IncompleteError(
                "a run that is not complete",
                where=str(run.folder),
                found=run.manifest.state,
                expected="complete",
                hint="the command that made it, again",
            )


def _asked(run: Run) -> dict[str, object]:
    """Every setting that decides the question, under the name that a person types."""
    flags = {key: rule.flag for key, rule in SAMPLING.items()}
    return _named(ASKED, run.identity.model_dump()) | _named(flags, run.identity.sampling.model_dump())


def _hashes(run: Run) -> dict[str, object]:
    """The hashes, that of prompts which replaced the task's with their file."""
    found = _named(HASHES, run.identity.model_dump())
    if run.manifest.prompts_file:
        found[HASHES["prompts_hash"]] = f"{run.identity.prompts_hash} of {run.manifest.prompts_file}"
    return found


def _named(names: Mapping[str, str], values: Mapping[str, object]) -> dict[str, object]:
    return {name: values[key] for key, name in names.items()}


def _differing(one: Mapping[str, object], two: Mapping[str, object]) -> dict[str, str]:
    return {name: f"{_told(one[name])} against {_told(two[name])}" for name in one if one[name] != two[name]}


def _told(value: object) -> object:
    """A value as it is shown: what is empty is nothing given."""
    return (
        ", ".join(value) if isinstance(value, tuple) and value else "nothing" if value in ("", ()) else value
    )
