"""The methods on a real model of 135 million weights: train, evaluate all alike, write the board; any step resumes."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from baselines.driver import Options, share_first_stage, train
from baselines.methods import named
from baselines.real.fetch import SMOLLM2, fetch
from baselines.real.record import FILE, RealRecord, RealRow, Tv
from baselines.recipe import REAL
from baselines.seed import held_out_path
from harness.evaluation import evaluate
from harness.files import make_folder, write_atomic
from harness.locks import held
from harness.progress import say
from harness.records import read, write
from harness.retained.perplexity import load_text
from harness.retained.utility import Wanted, measure
from harness.runs.identity import versions
from harness.scoring.table import score
from harness.settings import Settings
from harness.tasks.task import load_task
from reports.leaderboard import leaderboard
from reports.load import entries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from reports.load import Entry

ASSOCIATIONS = "profession_gender"
"""What WALF trains: measured by choices, over contexts that it does not train on, since all would take too long."""
TASKS = {"gender_us": "labor", "race_us": "labor", "sentiment_us": "uniform", ASSOCIATIONS: "labor"}
"""Each with its target: of moods there are no statistics."""
UNTUNED = "untuned"
WAYS: dict[str, tuple[str, tuple[str, ...]]] = {
    UNTUNED: ("", ()),
    "prompting-target": ("prompting", ("arm=target",)),
    "prompting-persona": ("prompting", ("arm=persona",)),
    "sft": ("sft", ()),
    "dpo": ("dpo", ()),
    "klkto": ("klkto", ()),
    "walf": ("walf", ()),
}
"""Each with its method and settings over the recipe. What takes hours on two cores is not among them:
prompting arms that write long texts, all pairs of words in WALF, further seeds."""
SECONDS = {
    UNTUNED: 49,
    "prompting-target": 52,
    "prompting-persona": 49,
    "sft": 123,
    "dpo": 41,
    "klkto": 149,
    "walf": 396,
}
"""Of each way on ``gender_us`` (of walf on its own task), on two cores, before anything has been timed: about as long
as docs/results/real.json has."""
LONGER = {"gender_us": 1.0, "race_us": 1.9, "sentiment_us": 1.5, ASSOCIATIONS: 1.0}
"""The other tasks have longer questions and more classes, so more distinct rows."""
DRAWS = 25
"""Draws per prompt. The untuned model hardly ever says the same twice, so that more of them would take long."""
PARAGRAPHS = 40
"""Of the held-out text, for perplexities: as many are read in seconds."""


@dataclass(frozen=True, slots=True)
class Step:
    """One way on one task."""

    way: str
    task: str

    @property
    def name(self) -> str:
        """As it is called in messages and in the record."""
        return f"{self.way} on {self.task}"

    @property
    def expected(self) -> float:
        """Seconds, before anything has been timed."""
        return SECONDS[self.way] * LONGER[self.task]


STEPS = tuple(
    Step(way, task)
    for task in TASKS
    for way in WAYS
    if way in (UNTUNED, "walf") or task != ASSOCIATIONS
    if way != "walf" or task == ASSOCIATIONS
)


def run(out: Path, models: Path, steps: Sequence[Step] = STEPS) -> Path:
    """Train, evaluate, publish; what an earlier call finished is not done again.

    Args:
        out: folder for checkpoints, runs, the record and the page.
        models: folder of the model, which is fetched where it is not there.
        steps: what is done, in this order.

    Returns:
        The page.
    """
    (model,) = fetch(models, [SMOLLM2])
    make_folder(out)
    with held(out, "another process is at work here"):
        work = Work.open(out, model.resolve())
        for step in steps:
            if not work.has(step):
                say(told(step, steps, work.record))
                work.do(step)
        return leaderboard([str(out / "runs")], out / "site")


def told(step: Step, steps: Sequence[Step], record: RealRecord) -> str:
    """How far all is, and how long still: expected seconds, times how much longer finished steps took than theirs."""
    done = {(row.way, row.task) for row in record.rows}
    finished = [s for s in steps if (s.way, s.task) in done]
    pace = 1.0
    if finished:
        pace = sum(record.spent[s.name] for s in finished) / sum(s.expected for s in finished)
    left = [s for s in steps if (s.way, s.task) not in done]
    minutes = pace * sum(s.expected for s in left) / 60
    return (
        f"{len(finished)}/{len(steps)} done, about {minutes:.0f} minutes left; "
        f"now {step.name}, about {pace * step.expected:.0f} s"
    )


@dataclass
class Work:
    """What a folder holds so far, and how a step is added to it."""

    out: Path
    model: Path
    text: Path
    record: RealRecord

    @classmethod
    def open(cls, out: Path, model: Path) -> Self:
        """The record as an earlier call left it, or a new one."""
        text = out / "heldout.txt"
        lines = held_out_path().read_text(encoding="utf-8").splitlines()[:PARAGRAPHS]
        write_atomic(text, "\n".join(lines) + "\n")
        path = out / FILE
        if path.is_file():
            return cls(out, model, text, read(path, RealRecord, hint=f"rm {path}"))
        import torch

        record = RealRecord(
            schema_version=1,
            model=SMOLLM2.name,
            sha256=SMOLLM2.sha256,
            licence=SMOLLM2.licence,
            machine=f"{os.cpu_count()} processors, {torch.get_num_threads()} threads",
            versions=versions(),
            perplexity_text=hashlib.sha256(load_text(str(text)).encode()).hexdigest(),
        )
        return cls(out, model, text, record)

    def has(self, step: Step) -> bool:
        """Whether the step is finished."""
        return any((row.way, row.task) == (step.way, step.task) for row in self.record.rows)

    def do(self, step: Step) -> None:
        """Train, evaluate, measure, note."""
        with self._timed(step.name), self._timed(f"{step.name}: train"):
            folder = self._trained(step)
        task = load_task(step.task)
        with self._timed(step.name), self._timed(f"{step.name}: evaluate"):
            split = "test" if task.association else "all"
            settings = Settings(n=DRAWS, split=split, out=self.out / "runs")
            made = evaluate(str(folder), task, TASKS[step.task], settings)
        with self._timed(step.name):
            found = measure(str(folder), Wanted(text=str(self.text)), [made.folder])
        assert found.perplexity is not None  # noqa: S101  # it was asked for
        (entry,) = entries([str(made.folder)])[0]
        tests = {c.id for c in task.contexts if c.split == "test"}
        row = RealRow(
            way=step.way,
            task=step.task,
            target=TASKS[step.task],
            measure=made.identity.measure,
            n=entry.n,
            prompts=len(made.prompts().prompts),
            tv=tv(entry, set(entry.contexts)),
            held_out=tv(entry, tests),
            valid=entry.valid,
            perplexity=found.perplexity.perplexity,
            train_seconds=self.record.spent[f"{step.name}: train"],
            evaluate_seconds=self.record.spent[f"{step.name}: evaluate"],
        )
        self._note(self.record.model_copy(update={"rows": (*self.record.rows, row)}))

    def _trained(self, step: Step) -> Path:
        method, settings = WAYS[step.way]
        if not method:
            return self.model
        folder = self.out / "checkpoints" / step.task / step.way
        if method == "dpo":
            share_first_stage(folder.with_name("sft"), folder)
        real = named(method).folder / REAL
        options = Options(recipe=real if real.is_file() else None, settings=settings)
        return train(method, str(self.model), step.task, TASKS[step.task], folder, options)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        """Adds the seconds to the record, also where it is stopped; the next call adds its own."""
        start = time.monotonic()
        try:
            yield
        finally:
            before = self.record.spent.get(name, 0.0)
            spent = self.record.spent | {name: round(before + time.monotonic() - start, 1)}
            self._note(self.record.model_copy(update={"spent": spent}))

    def _note(self, record: RealRecord) -> None:
        self.record = record
        write(self.out / FILE, record)


def tv(entry: Entry, contexts: Collection[str]) -> Tv:
    """Total variation in the mean over some of a run's contexts; where shares are certain, over all that it has."""
    mean = entry.aggregate.scores["tv"]
    if entry.certain:
        return Tv(estimate=mean.estimate, low=mean.low, high=mean.high, floor=0.0)
    classes = len(entry.classes)
    here = np.array([context in contexts for context in entry.contexts])
    counts = entry.rows[here].astype(np.int64)
    scored = score(counts[:, :classes], counts[:, classes:].sum(axis=1), entry.shares[here])
    mean = scored.aggregate.scores["tv"]
    return Tv(estimate=mean.estimate, low=mean.low, high=mean.high, floor=mean.floor)
