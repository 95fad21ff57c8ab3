"""Compares two methods of which several checkpoints were trained, such as with three seeds, on one task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.comparable import comparable
from harness.comparing import ComparedOn, outcomes_of, valid_share
from harness.errors import UserError
from harness.metrics.valid import LEAST_VALID
from harness.runs.identity import checkpoint_of
from harness.runs.source import task_of
from harness.scores import scored_targets
from harness.scoring.compare import LEVEL
from harness.scoring.outcomes import distances_of, distances_of_valid
from harness.scoring.seeds import OverSeeds, over_seeds
from harness.tasks.target import resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.runs.folder import Run


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """One attribute and target of two groups of runs; each run is of another checkpoint."""

    task: str
    attribute: str
    target: str
    names: tuple[str, str]
    checkpoints: tuple[tuple[str, ...], tuple[str, ...]]
    """Of each side, in the order of the difference's means."""
    difference: OverSeeds
    valid: tuple[float, float]
    """Share of the draws that name a class, in the mean over contexts and checkpoints."""
    among_valid: bool
    """Whether the difference is of these draws alone, since a group so seldom answers that it would not be ranked."""
    adjusted_p: float
    """Holm over everything compared in one call."""

    def verdict(self) -> str:
        """One sentence, with another before it where few draws name a class."""
        d, (a, b) = self.difference, self.names
        over = f"over {d.contexts} contexts of {self.task}, {self.attribute} against {self.target}"
        first = (
            f"{a} and {b} name a class in {self.valid[0]:.1%} and {self.valid[1]:.1%} of their draws; of these: "
            if self.among_valid
            else ""
        )
        if not d.contexts:
            return f"{first}{a} and {b} cannot be compared: in no context have all runs such draws."
        low, high, p = (f"{v:+.4f}" for v in (d.low, d.high, d.estimate))
        told = f"{p} (95% interval {low} to {high}, p = {self.adjusted_p:.2g})"
        if self.adjusted_p < LEVEL and (d.high < 0 or d.low > 0):
            closer, farther = (a, b) if d.estimate < 0 else (b, a)
            return (
                f"{first}{closer} is closer to the target than {farther}, for contexts and trainings like these: "
                f"the mean TV of {a} less that of {b} is {told}, {over}."
            )
        return (
            f"{first}{a} and {b} cannot be told apart, for contexts and trainings like these: "
            f"the mean TV of the first less that of the second is {told}, {over}."
        )

    def lines(self) -> list[str]:
        """The verdict, and under it what the checkpoints of each group have."""
        d = self.difference
        out = [self.verdict()]
        sides = zip(self.names, self.checkpoints, d.each, d.between, strict=True)
        for name, checkpoints, each, between in sides:
            told = ", ".join(f"{c} {value:.4f}" for c, value in zip(checkpoints, each, strict=True))
            spread = (
                f"taken as trained alike; standard deviation between trainings {between:.4f}"
                if len(each) > 1
                else "one training, taken to vary as the others do"
            )
            out.append(f"  {name}: TV of {told}: {spread}")
        return [*out, f"  {d.draws:.0%} of the variance of the difference is by the draws"]


def compare_runs(
    ones: Sequence[Run], twos: Sequence[Run], targets: Sequence[str], names: tuple[str, str]
) -> list[RunsCompared]:
    """Two groups of runs of one task; in each group every run is of a checkpoint of its own."""
    for run in (*ones[1:], *twos):
        comparable(ones[0], run)
    for group in (ones, twos):
        _trained_alike(group)
    task = task_of(ones[0])
    scored = [scored_targets(run) for run in (*ones, *twos)]
    wanted = targets or [name for name in scored[0] if all(name in each for each in scored)]
    tables = [[outcomes_of(run) for run in group] for group in (ones, twos)]
    found = []
    for attribute in task.attributes.values():
        groups = [[table[attribute.name] for table in group] for group in tables]
        every = [one for group in groups for one in group]
        contexts = [c for c in every[0].contexts if all(c in one.contexts for one in every)]
        valid = [sum(map(valid_share, group)) / len(group) for group in groups]
        for name in wanted:
            target = resolve(task, attribute, name)
            asked = ComparedOn(task, attribute, target, contexts)
            among_valid = min(valid) < LEAST_VALID
            of = distances_of_valid if among_valid else distances_of
            first, second = ([asked.distances(of, one, None) for one in group] for group in groups)
            difference = over_seeds(first, second)
            found.append(
                RunsCompared(
                    task.name,
                    attribute.name,
                    target.name,
                    names,
                    (tuple(run.identity.asked for run in ones), tuple(run.identity.asked for run in twos)),
                    difference,
                    (valid[0], valid[1]),
                    among_valid,
                    difference.p,
                )
            )
    return found


def _trained_alike(runs: Sequence[Run]) -> None:
    """Refuse runs of one checkpoint, and of checkpoints that say that they were made in different ways."""
    seen: dict[str, Run] = {}
    for run in runs:
        other = seen.setdefault(checkpoint_of(run.identity), run)
        if other is not run:
            raise UserError(
                "two runs of one checkpoint",
                where=f"{other.folder} and {run.folder}",
                expected="in a folder with several runs of one task, each of another checkpoint",
                hint="compare the runs themselves, or keep one of the two in the folder",
            )
        if run.contract != runs[0].contract:
            raise UserError(
                "several runs of one task in a folder, of models that were made in different ways",
                where=f"{runs[0].folder} and {run.folder}",
                found=" and ".join(sorted({_made(one) for one in (runs[0], run)})),
                expected="one run per task, or checkpoints of one method that differ in the seed",
                hint="compare the runs themselves",
            )


def _made(run: Run) -> str:
    made = run.contract
    return ", ".join(filter(None, (made.method or run.identity.asked, made.arm, made.task, made.target)))
