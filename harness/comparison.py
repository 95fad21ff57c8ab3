"""Compares two runs of one task, or two folders of runs: the difference of their TVs, and the verdict."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.comparable import comparable
from harness.comparing import ComparedOn, outcomes_of, valid_share
from harness.contract import FILE as CONTRACT
from harness.errors import IncompleteError, UserError
from harness.metrics.valid import LEAST_VALID
from harness.raw import at_home
from harness.repeated import RunsCompared, compare_runs
from harness.retained.record import bits_and_bytes, utility_of
from harness.runs.folder import Run, find_runs
from harness.runs.source import task_of
from harness.scores import scored_targets
from harness.scoring.compare import LEVEL, Difference, adjusted
from harness.scoring.ratio import Ratio, ratio
from harness.scoring.wordings import MOST, WordingDifference
from harness.tasks.target import check_names, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.metrics.base import FloatArray

MODEL_FILES = (CONTRACT, "config.json", "adapter_config.json")


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
    """Holm over everything compared in one call."""
    names: tuple[str, str]
    valid: tuple[float, float]
    """Share of the draws that name a class, in the mean over contexts."""
    among_valid: Difference
    """The difference among these draws alone."""
    w1: Difference | None = None
    """Of ordered classes: the same as ``difference`` of W1."""
    w1_among_valid: Difference | None = None
    wordings: WordingDifference | None = None
    """For wordings like these, where three or more were asked in every context."""

    @property
    def judged(self) -> Difference:
        """What the verdict is of: among valid draws where a model so seldom answers that it would not be ranked."""
        return self.difference if min(self.valid) >= LEAST_VALID else self.among_valid

    def verdict(self) -> str:
        """One sentence; where few draws name a class, a second one that says so comes first."""
        d = self.judged
        if d is not self.difference:
            one, two = (
                f"{name} names a class in {share:.1%} of its draws"
                for name, share in zip(self.names, self.valid, strict=True)
            )
            return (
                f"{one}, {two}: with less than {LEAST_VALID:.0%} the TV of all draws (it differs by "
                f"{abs(self.difference.estimate):.4f}) says most of all how often a model answers. "
                f"Among the draws that name a class: {self._told(d)}"
            )
        return self._told(d)

    def ordered(self) -> list[str]:
        """A line for classes that have an order: whether the verdict is the same where near misses cost less."""
        d = self.w1 if self.judged is self.difference else self.w1_among_valid
        if d is None or not d.contexts:
            return []
        told = (
            f"  W1 of the ordered classes: {d.estimate:+.4f} (95% interval {d.low:+.4f} to {d.high:+.4f}, p = {d.p:.2g}); "
            f"less than 0 where {self.names[0]} is closer."
        )
        return [told]

    def over_wordings(self) -> list[str]:
        """A line on wordings like those that were asked, and how many of them would settle the matter."""
        d = self.wordings
        if d is None:
            return []
        told = (
            f"  For contexts and wordings like these ({d.wordings} wordings, each alone): {d.estimate:+.4f} "
            f"(95% interval {d.low:+.4f} to {d.high:+.4f}); its variance is {d.sources.told()}"
        )
        if d.low <= 0 <= d.high:
            told += (
                f"; {d.needed} wordings would settle it, if they differ as these do"
                if d.needed
                else f"; up to {MOST} wordings would not settle it"
            )
        return [told + "."]

    def _told(self, d: Difference) -> str:
        a, b = self.names
        if not d.contexts:
            return f"{a} and {b} cannot be compared: in no context have both such draws."
        over = f"over {d.contexts} context{'s' if d.contexts > 1 else ''} of {self.task}, {self.attribute} against {self.target}"
        p = f"p = {self.adjusted_p:.2g}"
        if self.adjusted_p < LEVEL and (d.high < 0 or d.low > 0):
            closer, farther = (a, b) if d.estimate < 0 else (b, a)
            least, most = sorted((abs(d.low), abs(d.high)))
            told = f"{abs(d.estimate):.4f} (95% interval {least:.4f} to {most:.4f}, {p})"
            return f"{closer} is closer to the target than {farther}, by a mean TV of {told}, {over}."
        widest = max(abs(d.low), abs(d.high))
        told = f"{d.estimate:+.4f} (95% interval {d.low:+.4f} to {d.high:+.4f}, {p})"
        return f"{a} and {b} cannot be told apart: the mean TV of the first less that of the second is {told}; more than {widest:.4f} is ruled out, {over}."


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
        over = f"{self.replies} replies of people to the prompts of {self.task}"
        if d.high < 0 or d.low > 0:
            better, worse = (a, b) if d.value < 0 else (b, a)
            least, most = sorted((abs(d.low), abs(d.high)))
            told = f"{abs(d.value):.4f} bits per byte (95% interval {least:.4f} to {most:.4f}, p = {d.p:.2g})"
            return f"{better} predicts {over} better than {worse}, by {told}."
        told = f"{d.value:+.4f} bits per byte (95% interval {d.low:+.4f} to {d.high:+.4f}, p = {d.p:.2g})"
        return f"{a} and {b} predict {over} alike: the first less the second is {told}."


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that two runs, or two folders of runs, have in common."""

    results: tuple[Compared, ...]
    replies: tuple[RepliesCompared, ...] = ()
    repeated: tuple[RunsCompared, ...] = ()
    """Of folders with several checkpoints' runs of one task."""

    def lines(self) -> list[str]:
        """Verdicts, and under each the contexts that differ most."""
        out = []
        for result in self.results:
            out.append(result.verdict())
            out += [*result.ordered(), *result.over_wordings()]
            rows = [
                (r, c)
                for r, c in zip(result.difference.by_context, result.contexts, strict=True)
                if r[0] == r[0]
            ]
            rows.sort(key=lambda row: -abs(row[0][0]))
            if rows:
                out.append("  TV of {} less that of {}, where they differ most:".format(*result.names))
            out += [
                f"  {value:+.4f} [{low:+.4f}, {high:+.4f}]  {context}"
                for (value, low, high), context in rows[:5]
            ]
        for group in self.repeated:
            out += group.lines()
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
        if self.repeated:
            told["repeated"] = [{**asdict(r), "verdict": r.verdict()} for r in self.repeated]
        if self.replies:
            told["replies"] = [{**asdict(r), "verdict": r.verdict()} for r in self.replies]
        return json.dumps(_plain(told), ensure_ascii=False, indent=1)


def compare(a: str | Path | Run, b: str | Path | Run, targets: Sequence[str] = ()) -> Comparison:
    """Compare two runs of one task, or two folders of runs task by task.

    Args:
        a: a run, its folder, or a folder of runs: of one model, or of several checkpoints that were trained alike.
        b: the other.
        targets: target names; empty is all that both were scored against.

    Raises:
        IncompleteError: the runs cannot be compared; the message names the setting that differs.
    """
    check_names(targets)
    found: list[Compared] = []
    predicted: list[RepliesCompared] = []
    repeated: list[RunsCompared] = []
    for ones, twos in _pairs(a, b):
        if len(ones) > 1 or len(twos) > 1:
            repeated += compare_runs(ones, twos, targets, (_side(a, ones), _side(b, twos)))
            continue
        (one,), (two,) = ones, twos
        comparable(one, two)
        found += _compare(one, two, targets)
        predicted += _replies(one, two)
    if not (found or repeated):
        raise UserError(
            "no target in common",
            where=" and ".join(str(x.folder if isinstance(x, Run) else x) for x in (a, b)),
            expected="--target NAME",
            hint="distalign score RUN --target NAME",
        )
    every = [*(r.judged.p for r in found), *(r.difference.p for r in repeated)]
    ps = adjusted([1.0 if isnan(p) else p for p in every])
    return Comparison(
        tuple(replace(r, adjusted_p=p) for r, p in zip(found, ps, strict=False)),
        tuple(predicted),
        tuple(replace(r, adjusted_p=p) for r, p in zip(repeated, ps[len(found) :], strict=True)),
    )


def _side(given: str | Path | Run, runs: Sequence[Run]) -> str:
    """A name for one side: of a single run its model, else the folder."""
    return runs[0].identity.asked if len(runs) == 1 or isinstance(given, Run) else Path(given).name


def _pairs(a: str | Path | Run, b: str | Path | Run) -> list[tuple[list[Run], list[Run]]]:
    """The runs of both sides, task by task; one of each where both are single runs, whatever their tasks."""
    ones, twos = (_runs(x) for x in (a, b))
    if len(ones) == len(twos) == 1:
        return [(ones, twos)]
    tasks = dict.fromkeys(run.identity.task for run in twos)
    groups = [[[run for run in side if run.identity.task == task] for side in (ones, twos)] for task in tasks]
    pairs = [(first, second) for first, second in groups if first]
    if not pairs:
        raise IncompleteError(
            "no task in common",
            where=" and ".join(str(x.folder if isinstance(x, Run) else x) for x in (a, b)),
            found=", ".join(sorted({r.identity.task for r in [*ones, *twos]})),
        )
    return pairs


def _runs(given: str | Path | Run) -> list[Run]:
    found = [given] if isinstance(given, Run) else find_runs([given])
    if found:
        return found
    path = at_home(str(given))
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
    tables = [outcomes_of(run) for run in (one, two)]
    names = (one.identity.asked, two.identity.asked)
    results = []
    for attribute in task.attributes.values():
        first, second = (t[attribute.name] for t in tables)
        contexts = [c for c in first.contexts if c in second.contexts]
        for name in wanted:
            target = resolve(task, attribute, name)
            asked = ComparedOn(task, attribute, target, contexts)
            among_all, among_valid = asked.differences(first, second, None)
            w1, w1_among_valid = (
                asked.differences(first, second, np.array(attribute.positions))
                if attribute.positions
                else (None, None)
            )
            results.append(
                Compared(
                    task=task.name,
                    attribute=attribute.name,
                    target=target.name,
                    difference=among_all,
                    contexts=tuple(contexts),
                    n=(one.n, two.n),
                    adjusted_p=among_all.p,
                    names=names,
                    valid=(valid_share(first), valid_share(second)),
                    among_valid=among_valid,
                    w1=w1,
                    w1_among_valid=w1_among_valid,
                    wordings=asked.over_wordings(first, second),
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
            (one.identity.asked, two.identity.asked),
            len(shared),
            ratio(list(each.values())),
            {context: ratio([part]) for context, part in each.items()},
        )
    ]


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
