"""Compares two runs of one task: first checks that they can be compared, then computes the difference."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.contract import FILE as CONTRACT
from harness.errors import IncompleteError, UserError
from harness.retained.record import bits_and_bytes, utility_of
from harness.runs.folder import Run, find_runs
from harness.runs.source import task_of
from harness.scores import scored_targets
from harness.scoring.compare import Difference, Distances, adjusted, difference
from harness.scoring.outcomes import distances_of, read_certain, read_counts
from harness.scoring.ratio import Ratio, ratio
from harness.settings import RULES, SAMPLING
from harness.tasks.target import check_names, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.metrics.base import FloatArray
    from harness.scoring.outcomes import Certain, Counts
    from harness.tasks.target import Target
    from harness.tasks.task import Attribute, Task

LEVEL = 0.05

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
MODEL_FILES = (CONTRACT, "config.json", "adapter_config.json")


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


@dataclass(frozen=True, slots=True)
class Compared:
    """One attribute and target of one pair of runs."""

    task: str
    attribute: str
    target: str
    difference: Difference
    contexts: tuple[str, ...]
    n: tuple[int, int]
    adjusted_p: float
    """Benjamini-Hochberg over everything compared in one call."""
    names: tuple[str, str]

    def verdict(self) -> str:
        """One sentence."""
        d, (a, b) = self.difference, self.names
        over = f"over {d.contexts} context{'s' if d.contexts > 1 else ''} of {self.task}, {self.attribute} against {self.target}"
        told = f"{abs(d.estimate):.4f} (95% interval of the difference {d.low:.4f} to {d.high:.4f}, p = {self.adjusted_p:.2g})"
        if self.adjusted_p < LEVEL and (d.high < 0 or d.low > 0):
            closer, farther = (a, b) if d.estimate < 0 else (b, a)
            return f"{closer} is closer to the target than {farther}, by a mean TV of {told}, {over}."
        widest = max(abs(d.low), abs(d.high))
        return f"{a} and {b} cannot be told apart: the mean TV differs by {told}; a difference above {widest:.4f} is ruled out, {over}."


@dataclass(frozen=True, slots=True)
class RepliesCompared:
    """How much better one model predicts people's replies than the other, on the replies that both have."""

    task: str
    names: tuple[str, str]
    replies: int
    difference: Ratio
    """Bits per byte of A minus those of B, by prompt, in the mean over contexts."""
    contexts: Mapping[str, Ratio]

    def verdict(self) -> str:
        """One sentence."""
        d, (a, b) = self.difference, self.names
        told = f"{abs(d.value):.4f} bits per byte (95% interval of the difference {d.low:.4f} to {d.high:.4f}, p = {d.p:.2g})"
        over = f"{self.replies} replies of people to the prompts of {self.task}"
        if d.high < 0 or d.low > 0:
            better, worse = (a, b) if d.value < 0 else (b, a)
            return f"{better} predicts {over} better than {worse}, by {told}."
        return f"{a} and {b} predict {over} alike: they differ by {told}."


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that two runs, or two folders of runs, have in common."""

    results: tuple[Compared, ...]
    replies: tuple[RepliesCompared, ...] = ()

    def lines(self) -> list[str]:
        """Verdicts, and under each the contexts that differ most."""
        out = []
        for result in self.results:
            out.append(result.verdict())
            rows = [
                (r, c)
                for r, c in zip(result.difference.by_context, result.contexts, strict=True)
                if r[0] == r[0]
            ]
            rows.sort(key=lambda row: -abs(row[0][0]))
            out += [
                f"  {value:+.4f} [{low:+.4f}, {high:+.4f}]  {context}"
                for (value, low, high), context in rows[:5]
            ]
        for found in self.replies:
            out.append(found.verdict())
            out += [
                f"  {r.value:+.4f} [{r.low:+.4f}, {r.high:+.4f}]  {name}"
                for name, r in found.contexts.items()
            ]
        return out

    def json(self) -> str:
        """The numbers, for programs."""
        rows = [{**asdict(r), "verdict": r.verdict()} for r in self.results]
        told: dict[str, object] = {"results": rows}
        if self.replies:
            told["replies"] = [{**asdict(r), "verdict": r.verdict()} for r in self.replies]
        return json.dumps(_plain(told), ensure_ascii=False, indent=1)


def compare(a: str | Path | Run, b: str | Path | Run, targets: Sequence[str] = ()) -> Comparison:
    """Compare two runs of one task, or two folders of runs task by task.

    Args:
        a: a run, its folder, or a folder of runs of one model.
        b: the other.
        targets: target names; empty is all that both were scored against.

    Raises:
        IncompleteError: the runs cannot be compared; the message names the setting that differs.
    """
    check_names(targets)
    pairs = _pairs(a, b)
    found: list[Compared] = []
    predicted: list[RepliesCompared] = []
    for one, two in pairs:
        comparable(one, two)
        found += _compare(one, two, targets)
        predicted += _replies(one, two)
    if not found:
        raise UserError(
            "no target in common",
            where=f"{a} and {b}",
            expected="--target NAME",
            hint="distalign score RUN --target NAME",
        )
    ps = adjusted([r.difference.p for r in found])
    return Comparison(
        tuple(replace(r, adjusted_p=p) for r, p in zip(found, ps, strict=True)), tuple(predicted)
    )


def _pairs(a: str | Path | Run, b: str | Path | Run) -> list[tuple[Run, Run]]:
    ones, twos = (_runs(x) for x in (a, b))
    if len(ones) == len(twos) == 1:
        return [(ones[0], twos[0])]
    by_task: dict[str, Run] = {}
    for run in ones:
        if by_task.setdefault(run.identity.task, run) is not run:
            raise UserError(
                "several runs of one task in a folder",
                where=str(a),
                found=run.identity.task,
                expected="one run per task, or a run's own folder",
            )
    pairs = [(by_task[run.identity.task], run) for run in twos if run.identity.task in by_task]
    if not pairs:
        raise IncompleteError(
            "no task in common",
            where=f"{a} and {b}",
            found=", ".join(sorted({r.identity.task for r in [*ones, *twos]})),
        )
    return pairs


def _runs(given: str | Path | Run) -> list[Run]:
    found = [given] if isinstance(given, Run) else find_runs([given])
    if found:
        return found
    path = Path(str(given)).expanduser()
    model = path.is_file() or any((path / name).is_file() for name in MODEL_FILES)
    raise UserError(
        "a model; its runs are compared" if model else "no run under this folder",
        where=str(given),
        expected="a run that distalign evaluate wrote, or a folder of runs",
        hint=f"distalign evaluate {given} --task TASK" if model else "distalign list runs FOLDER",
    )


def _compare(one: Run, two: Run, targets: Sequence[str]) -> list[Compared]:
    task = task_of(one)
    both = scored_targets(two)
    wanted = list(targets) or [t for t in scored_targets(one) if t in both]
    tables = [{found.attribute: found for found in _outcomes(run)} for run in (one, two)]
    names = (_name(one), _name(two))
    results = []
    for attribute in task.attributes.values():
        first, second = (t[attribute.name] for t in tables)
        contexts = [c for c in first.contexts if c in second.contexts]
        for name in wanted:
            target = resolve(task, attribute, name)
            d = difference(
                _distances(task, attribute, target, first, contexts),
                _distances(task, attribute, target, second, contexts),
            )
            results.append(
                Compared(
                    task.name, attribute.name, target.name, d, tuple(contexts), (one.n, two.n), d.p, names
                )
            )
    return results


def _replies(one: Run, two: Run) -> list[RepliesCompared]:
    """The difference on people's replies, where ``distalign utility --replies`` has measured both."""
    records = [found.replies if (found := utility_of(run.folder)) else None for run in (one, two)]
    if records[0] is None or records[1] is None:
        return []
    first, second = ({(r.context, r.prompt): r for r in record.each} for record in records if record)
    shared = [key for key in first if key in second]
    parts: dict[str, list[tuple[str, str]]] = {}
    for key in shared:
        parts.setdefault(key[0], []).append(key)
    if not parts:
        return []

    def gained(keys: Sequence[tuple[str, str]]) -> tuple[FloatArray, FloatArray]:
        (ours, sizes), (theirs, _) = (bits_and_bytes([of[k] for k in keys]) for of in (first, second))
        return ours - theirs, sizes

    each = {context: gained(keys) for context, keys in parts.items()}
    return [
        RepliesCompared(
            one.identity.task,
            (_name(one), _name(two)),
            len(shared),
            ratio(list(each.values())),
            {context: ratio([part]) for context, part in each.items()},
        )
    ]


def _name(run: Run) -> str:
    return run.identity.adapter or run.identity.model


def _outcomes(run: Run) -> Sequence[Counts | Certain]:
    if run.identity.measure in ("", "draws"):
        return read_counts(run.folder / "counts.csv")
    return read_certain(run.folder / "shares.csv")


def _distances(
    task: Task, attribute: Attribute, target: Target, found: Counts | Certain, contexts: Sequence[str]
) -> Distances:
    """A model's distances in the contexts that both have, in their order."""
    own = found.contexts
    each = distances_of(found, target.matrix(task, attribute, own), target.sizes(attribute, own))
    place = [own.index(c) for c in contexts]
    shift = None if each.shift is None else each.shift[place]
    return Distances(each.value[place], each.variance[place], shift)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
