"""Runs ``evaluate`` over several models and tasks, and prints the scores of a run."""

from __future__ import annotations

import math
from contextlib import closing
from typing import TYPE_CHECKING

import click

from harness.checking import doubts
from harness.cli import outcomes
from harness.cli.echo import echo
from harness.errors import IncompleteError, UserError
from harness.evaluation import evaluate
from harness.metrics.w1 import W1
from harness.plaintext import line, table
from harness.reading.quality import DOUBTFUL, error_rate
from harness.sampling.open import Engines, parse
from harness.scores import scores_of
from harness.tasks import catalog
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.runs.folder import Run
    from harness.scores import Result
    from harness.scoring.labelled import Labelled
    from harness.settings import Settings
    from harness.tasks.task import Task


def sweep(
    models: Sequence[str], tasks: Sequence[str], targets: Sequence[str], settings: Settings, dry_run: bool
) -> None:
    """Every model on every task; what fails does not stop the rest, and decides the exit code at the end."""
    names = list(catalog.names("tasks")) if list(tasks) == ["all"] else list(tasks)
    loaded = [load_task(name) for name in names]
    for task in loaded:
        if problems := doubts(task):
            click.echo(
                f"{task.name} fails its check: {'; '.join(problems)} (distalign task check {task.source.path})",
                err=True,
            )
    failures: list[UserError] = []
    told: set[str] = set()
    for model in models:
        parse(model, settings.backend)
    # The choices measure has an engine of its own: its tasks together, so that each engine loads a model once.
    loaded.sort(key=lambda task: settings.chosen(task) == "choices")
    jobs = [
        (m, t, wanted)
        for m in models
        for t in loaded
        for wanted in _target_sets(m, settings.backend, t, targets)
    ]
    with closing(Engines()) as engines:
        for model, task, wanted in jobs:
            try:
                if dry_run:
                    from harness.dryrun import forecast

                    for forecasted in forecast(model, task, wanted, settings, engines):
                        echo(forecasted)
                else:
                    show(evaluate(model, task, wanted, settings, engines))
            except UserError as err:
                if len(jobs) == 1:
                    raise
                failures.append(err)
                message = f"distalign: {model} on {task.name}: {err}"
                if message not in told:  # every target of a known: model has a run, and so the same mistake
                    click.echo(message, err=True)
                told.add(message)
    if failures:
        kind = UserError if any(f.exit_code == 2 for f in failures) else IncompleteError
        raise kind(
            f"{len(failures)} of {len(jobs)} runs did not finish; the messages above say why",
            hint="the same command again, once they are mended",
        )


def _target_sets(model: str, backend: str, task: Task, targets: Sequence[str]) -> list[list[str]]:
    """known:target is another model for every target, so each target gets a run of its own."""
    names = list(targets)
    named = parse(model, backend)
    if not (named.spec.of_task and named.rest.startswith("target")) or names not in ([], ["all"]):
        return [names]
    listed = list(dict.fromkeys(alias for a in task.attributes.values() for alias in a.targets))
    return [[alias] for alias in listed]


def show(run: Run) -> None:
    """One table per run: a line per attribute and target."""
    if run.manifest.state.startswith("shard"):
        echo(
            f"{run.manifest.state} is drawn: {run.folder}\nnext: distalign merge SHARD… -o runs, once all are"
        )
        return
    rows = [
        [
            "attribute",
            "target",
            "TV",
            "95% interval",
            "as counted",
            "floor",
            "JS",
            "KL(t||m) of valid",
            "valid",
            "draws",
        ]
    ]
    results = scores_of(run).results
    rows += [_row(result) for result in results]
    if any(result.positions for result in results):
        for row, w1 in zip(rows, ["W1", *map(_w1, results)], strict=True):
            row.insert(-2, w1)
    asked = run.manifest.asked_with()
    echo(
        line(
            f"{run.identity.asked} on {run.identity.task}@{run.identity.task_version} ({run.state})"
            + (f", {asked}" if asked else "")
        )
        + f": {run.folder}"
    )
    if run.manifest.server is not None:
        echo(line(f"  server: {run.manifest.server.told()}"))
    for shown in table(rows):
        echo("  " + shown)
    for told in filter(None, map(_over_wordings, results)):
        echo("  " + told)
    for result in results:
        if result.labelled:
            echo("  " + _by_hand(result, result.labelled))
    for doubt in dict.fromkeys(filter(None, map(_doubt, results))):
        echo(f"  {doubt}: distalign label {run.folder} -o labels.csv")
    for told in outcomes.lines(run):
        echo(told)


def _row(result: Result) -> list[str]:
    mean = result.table.aggregate
    tv = mean.scores["tv"]
    return [
        result.attribute,
        result.target.name,
        _number(tv.estimate),
        f"[{_number(tv.low)}, {_number(tv.high)}]",
        _number(tv.plugin),
        _number(tv.floor),
        *(_number(mean.scores[key].estimate) for key in ("js", "kl_target_model")),
        f"{mean.valid.value:.1%}",
        f"{mean.n:,}",
    ]


def _doubt(result: Result) -> str:
    """What makes a reader doubtful that nobody has checked on this run; '' where nothing does."""
    blind = result.blind
    if blind is None or 1 - blind.accuracy <= DOUBTFUL or result.labelled:
        return ""
    wrong, low, high = error_rate(blind.accuracy, blind.n)
    return (
        f"the reader of {result.attribute} misreads {wrong / blind.n:.0%} [{low:.0%}, {high:.0%}] "
        f"of texts that it was not written on; check some by hand"
    )


def _w1(result: Result) -> str:
    found = result.table.aggregate.scores.get(W1)
    return "" if found is None else f"{_number(found.estimate)} [{_number(found.low)}, {_number(found.high)}]"


def _over_wordings(result: Result) -> str:
    found = result.wordings
    if found is None:
        return ""
    least, most = min(found.each.values()), max(found.each.values())
    return (
        f"{result.attribute} against {result.target.name}, for wordings like these: TV [{_number(found.low)}, "
        f"{_number(found.high)}]. Each of the {len(found.each)} wordings alone: {_number(least)} to {_number(most)}, "
        f"corrected, so that it may be below 0. What makes their mean uncertain: {found.sources.told()}"
    )


def _by_hand(result: Result, found: Labelled) -> str:
    error, tv, w1 = found.error, found.tv, found.w1
    hands = found.texts - found.judged
    whose = [f"by hand ({hands} texts)"] * (hands > 0)
    whose += [f"by a judge model ({found.judged} texts)"] * (found.judged > 0)
    return (
        f"{result.attribute} against {result.target.name}, checked {' and '.join(whose)}: "
        f"the reader errs on {error.value:.1%} [{error.low:.1%}, {error.high:.1%}] of the draws; "
        f"TV with its errors {tv.value:.4f} [{tv.low:.4f}, {tv.high:.4f}]"
        + (f", W1 {w1.value:.4f} [{w1.low:.4f}, {w1.high:.4f}]" if w1 else "")
    )


def _number(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.4f}"
