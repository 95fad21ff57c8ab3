"""``scores.json`` of a run: every score with the target that it is against."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Literal

from pydantic import Field, JsonValue, SerializerFunctionWrapHandler, model_serializer, model_validator

from harness.errors import UserError
from harness.progress import say
from harness.records import SCHEMA, Number, Record, read
from harness.scoring.labelled import Labelled
from harness.scoring.measured import Measured
from harness.scoring.table import TableScore
from harness.scoring.wordings import OverWordings
from harness.tasks.target_file import TargetKind

if TYPE_CHECKING:
    from harness.runs.folder import Run

SCORES = "scores.json"


class SourceRecord(Record):
    """Where a target's figures come from."""

    publisher: str
    """Who published them."""
    table: str
    """Which table."""
    year: int
    """Of which year."""
    license: str
    """Under which licence."""
    link: str
    """Where it can be had."""
    note: str = ""
    """What else must be known."""


class SampleRecord(Record):
    """How many replies of people a reference was counted from."""

    replies: tuple[float, ...]
    """Replies in each context."""
    independent: tuple[float, ...]
    """As how many independent ones they count."""


class ScoredTarget(Record):
    """The target as it was when the run was scored."""

    name: str
    """Its name."""
    title: str
    """What it is called on a page."""
    kind: TargetKind
    """What it is."""
    hash: str
    """Hash of its figures."""
    smoothing: str
    """What was done to cells of zero and one, in words."""
    provenance: SourceRecord | None
    """Where its figures come from; null for the uniform target."""
    shares: tuple[tuple[float, ...], ...]
    """Shares of the classes, contexts x classes."""
    sample: SampleRecord | None = None
    """How large a sample it is; null where its shares are taken as exact."""
    found_by: str = Field(default="", exclude_if=operator.not_)
    """An alias of the task or a file, where its name alone finds another target or none."""

    @property
    def spelled(self) -> str:
        """What finds it again."""
        return self.found_by or self.name


class ReaderRecord(Record):
    """What the reader made of labelled texts: the task's examples, or those kept blind."""

    n: int
    """Texts."""
    accuracy: float
    """Share of them that were read right."""
    outcomes: tuple[str, ...]
    """The classes, then what is no class: rows and columns of the confusion."""
    confusion: tuple[tuple[int, ...], ...]
    """Label x what was read."""


class Result(Record):
    """One attribute against one target."""

    attribute: str
    """What was read."""
    classes: tuple[str, ...]
    """Its classes, in the order of every row."""
    positions: tuple[float, ...] | None = None
    """Where they stand between 0 and 1; absent where they have no order."""
    context_ids: tuple[str, ...]
    """The contexts, in the order of every table."""
    target: ScoredTarget
    """What it was scored against."""
    table: TableScore
    """The scores per context, and their mean."""
    metrics: dict[str, Measured] = Field(default_factory=dict)
    """The metrics that the table does not have."""
    people: dict[str, dict[str, Measured]] | None = None
    """The metrics of people's texts in each context; absent where the target keeps no texts."""
    wordings: OverWordings | None = None
    """The TV for wordings like those that were asked; absent where fewer than three have draws in every context."""
    totals: dict[str, int] = Field(default_factory=dict)
    """Draws of each outcome; empty where nothing was drawn."""
    reader: ReaderRecord | None = None
    """The reader's errors on the examples; absent where no reader was asked or no example is at hand."""
    blind: ReaderRecord | None = None
    """The same on texts that nobody saw who wrote or mended the reader; absent where the task has none."""
    corrected_shares: tuple[dict[str, float] | None, ...] | None = None
    """Class shares per context with the reader's confusion taken out; null where that cannot be."""
    corrected_limits: tuple[dict[str, tuple[float, float]] | None, ...] | None = None
    """Their 95% limits."""
    labelled: Labelled | None = None
    """The scores with the reader's error in them; absent where nobody labelled texts of this run."""

    @model_validator(mode="after")
    def _fits(self) -> Result:
        contexts, classes = len(self.context_ids), len(self.classes)
        if len(self.target.shares) != contexts or any(len(row) != classes for row in self.target.shares):
            raise ValueError(f"target shares of {contexts} contexts and {classes} classes")
        sample = self.target.sample
        if sample is not None and {len(sample.replies), len(sample.independent)} != {contexts}:
            raise ValueError(f"a sample of {contexts} contexts")
        mean = self.table.aggregate
        if "tv" not in mean.scores or "tv" not in mean.conditional:
            raise ValueError("the total variation, tv, among the scores")
        if self.positions is not None and sorted({0.0, 1.0, *self.positions}) != sorted(self.positions):
            raise ValueError("positions that differ, from 0 to 1")
        if self.positions is not None and len(self.positions) != classes:
            raise ValueError(f"positions of {classes} classes")
        return self

    @model_serializer(mode="wrap")
    def _stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, JsonValue]:
        """Without what was not asked."""
        data: dict[str, JsonValue] = handler(self)
        asked = (
            "positions",
            "people",
            "wordings",
            "reader",
            "blind",
            "corrected_shares",
            "corrected_limits",
            "labelled",
        )
        return {k: v for k, v in data.items() if v is not None or k not in asked}


class ToldRecord(Record):
    """Whether a run's prompts tell what the person replied, more often than the corpus's prompts do."""

    kind: Literal["answer", "gold_length"]
    """The reply itself, or its length."""
    prompts: int
    """Prompts whose person's reply is known."""
    told: int
    """Those that tell it."""
    corpus: Number
    """Share of the corpus's prompts that tell it; none where the corpus was not counted."""
    p: Number
    """Of no more than in the corpus; small where the run is to be marked."""


class Scores(Record):
    """The whole file."""

    schema_version: Literal[1] = Field(1, alias=SCHEMA)
    """Version of this file's form."""
    run: str
    """The run's short hash."""
    task: str
    """Name of the task."""
    task_version: int
    """Its version."""
    task_hash: str
    """Its hash when the run was scored."""
    reader_version: int | None = None
    """Version of the readers when the run was scored; null where it was not noted."""
    as_drawn: bool
    """Whether the task is still what it was when the run was drawn."""
    results: tuple[Result, ...]
    """One for each attribute and target."""
    told: tuple[ToldRecord, ...] = ()
    """Of prompts whose people's replies are known: what they tell of these."""


def scores_of(run: Run) -> Scores:
    """The scores of a run."""
    path, again = run.folder / SCORES, f"distalign score {run.folder}"
    if not path.is_file():
        raise UserError(f"a run folder without {SCORES}", where=str(path), hint=again)
    return read(path, Scores, hint=again)


def scored_before(run: Run) -> list[ScoredTarget]:
    """The targets that a run was scored against, if any; none where its scores cannot be read."""
    if not (run.folder / SCORES).is_file():
        return []
    try:
        return [result.target for result in scores_of(run).results]
    except UserError:
        say(f"{run.folder / SCORES} cannot be read; it is written anew, for all targets of the task")
        return []


def scored_targets(run: Run) -> list[str]:
    """What finds the targets again that a run was scored against."""
    return list(dict.fromkeys(one.spelled for one in scored_before(run)))
