"""Which row and column a result belongs to, and why it may not be ranked there."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from harness.files import digest
from harness.metrics.valid import LEAST_VALID
from harness.reading.told import LEVEL

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from harness.runs.folder import Run
    from harness.runs.manifest import SamplingRecord
    from reports.load import Entry

H = TypeVar("H", bound="Hashable")
_STEP = re.compile(r"^(?:checkpoint|step|epoch)[-_]?(\d+)$", re.IGNORECASE)
_SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)\s?([BbMm])(?![A-Za-z0-9])")
UNTRAINED = ("", "prompting")
"""Methods that change no weight, so that nothing can have been trained on."""


class Reason(NamedTuple):
    """Why a result is shown apart: a kind with words of its own on the page, and what differs."""

    kind: str
    detail: str = ""


class Usual(NamedTuple):
    """What most results of a column share."""

    sampling: str
    contexts: tuple[str, ...]
    prompts: tuple[str, str]
    readers: tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class Who:
    """A row of the board: a model as one method left it."""

    model: str
    """Name to show: the last two parts of a path, a hub id whole; then how it was asked, where not as the task asks."""
    method: str
    arm: str
    base: str
    """sha256 of the weights that it was made from; its own for an untuned model."""
    adapter: str
    revision: str
    weights: str
    template: str
    training: str
    """Folder of the training whose checkpoint it is, '' for none."""
    step: int | None

    @property
    def id(self) -> str:
        """A short name for links."""
        return digest(
            [self.model, self.method, self.arm, self.base, self.revision, self.weights, self.template]
        )[:10]

    @property
    def untuned(self) -> bool:
        """Whether no method was applied."""
        return not self.method

    @property
    def size(self) -> float | None:
        """Parameters, where the name says so."""
        found = _SIZE.search(self.model)
        return float(found[1]) * (1e9 if found[2] in "Bb" else 1e6) if found else None


def who(entry: Entry) -> Who:
    """The row of a result."""
    run, contract = entry.run, entry.run.contract
    known = contract.labels
    path = asked(run)
    parts = [p for p in re.split(r"[/\\]", path) if p]
    step = _STEP.match(parts[-1]) if parts else None
    method = "known" if known else contract.method
    # What a known: model states differs from task to task; it is one model by its name.
    weights = "" if known else run.identity.weights
    own = weights or path
    return Who(
        model="; ".join(filter(None, (_short(path, parts), run.manifest.asked_with()))),
        method=method,
        arm=contract.arm,
        base=contract.base or own,
        adapter=run.identity.adapter,
        revision=run.identity.revision,
        weights="+".join(filter(None, (weights, run.identity.adapter_weights))),
        template=run.identity.template,
        training="/".join(parts[:-1][-2:]) if step else "",
        step=int(step[1]) if step else None,
    )


def asked(run: Run) -> str:
    """The model as it was asked for: the adapter, not its base; known:target without the target it became."""
    path = run.identity.asked
    return path.rpartition("@")[0] or path if path.startswith("known:target") else path


def _short(path: str, parts: Sequence[str]) -> str:
    """A local path by its last two parts, without the folders of whoever ran it; anything else as it is."""
    local = path.startswith(("/", ".", "~")) or "\\" in path or len(parts) > 2
    return "/".join(parts[-2:]) if local and "://" not in path else path


def column_key(entry: Entry) -> tuple[str, ...]:
    """What results must share to stand in one column."""
    run = entry.run
    answers = "choices" if run.identity.measure == "choices" else "answers"
    return (
        run.identity.task,
        str(run.identity.task_version),
        entry.attribute,
        entry.target.name,
        entry.target.hash,
        digest(entry.classes),
        run.identity.split,
        run.identity.paraphrases,
        answers,
    )


def sampling(entry: Entry) -> str:
    """The effective sampling parameters as canonical text."""
    return _canonical(entry.run.identity.sampling)


@lru_cache(maxsize=256)
def _canonical(sent: SamplingRecord) -> str:
    return json.dumps(sent.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)


def reasons(group: Sequence[Entry]) -> list[list[Reason]]:
    """For each result of a column, why it is not ranked; what most of the column shares is the measure."""
    usual = Usual(
        _most([sampling(e) for e in group]),
        _most([e.contexts for e in group]),
        # Of equally common prompts the task's own, which have no name of their own, are the measure.
        _most([_prompts(e) for e in group]),
        _most([e.read_by for e in group]),
    )
    return [_reasons(entry, usual) for entry in group]


def _prompts(entry: Entry) -> tuple[str, str]:
    return entry.run.manifest.asked_with(), entry.run.identity.prompts_hash


def _most(values: Sequence[H]) -> H:
    """The commonest value; of equally common ones the first in an order that does not depend on the rows'."""
    return min(Counter(values).items(), key=lambda item: (-item[1], str(item[0])))[0]


def _reasons(entry: Entry, usual: Usual) -> list[Reason]:
    run, found = entry.run, []
    state = run.manifest.state
    if state != "complete":
        found.append(Reason("incomplete", state))
    elif entry.lacks:
        found.append(Reason("incomplete", entry.lacks))
    if sampling(entry) != usual.sampling:
        found.append(Reason("sampling", _difference(sampling(entry), usual.sampling)))
    if entry.contexts != usual.contexts:
        found.append(Reason("contexts", f"{len(entry.contexts)} / {len(usual.contexts)}"))
    elif _prompts(entry) != usual.prompts:
        found.append(Reason("prompts", run.manifest.asked_with()))
    if entry.read_by != usual.readers:
        found.append(Reason("reader"))
    independence = run.manifest.independence
    if independence is not None and not independence.ok:
        found.append(Reason("independence"))
    found += _knew(entry)
    if not run.contract.sampled:
        found.append(Reason("verbal"))
    if {"contexts", "prompts"} <= seen(entry):
        found.append(Reason("leak", f"{run.identity.split} / {run.identity.paraphrases}"))
    if not entry.valid >= LEAST_VALID:
        found.append(Reason("valid", f"{100 * entry.valid:.1f}% < {100 * LEAST_VALID:.0f}%"))
    return found


def _knew(entry: Entry) -> list[Reason]:
    """What the model was told of people's replies, or had learnt of them."""
    found = [
        Reason(told.kind, f"{told.told} / {told.prompts}; {100 * told.corpus:.1f}%")
        for told in entry.told
        if told.p < LEVEL
    ]
    if known := entry.run.manifest.seen_people:
        found.append(Reason("seen_people", str(known)))
    return found


def seen(entry: Entry) -> set[str]:
    """What of a run's questions the checkpoint was trained on: ``contexts``, ``prompts``, both or neither.

    Both together are questions it was trained to answer. A known context in new words, or known words about a
    new context, is a measurement in its own right, and is marked.
    """
    run = entry.run
    if run.contract.method in UNTRAINED or run.contract.task != run.identity.task:
        return set()
    parts = {"contexts": run.identity.split, "prompts": run.identity.paraphrases}
    return {name for name, chosen in parts.items() if chosen in ("all", "train")}


def _difference(own: str, usual: str) -> str:
    mine, theirs = json.loads(own), json.loads(usual)
    keys = [k for k in sorted({*mine, *theirs}) if mine.get(k) != theirs.get(k)]
    return ", ".join(f"{k} {mine.get(k)} ({theirs.get(k)})" for k in keys)
