"""The keys of a target file: kind, figures and their source."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from harness.errors import form
from harness.tasks.task_file import Label, Name, StrictFile

TargetKind = Literal["uniform", "table", "reference"]
TOLERANCE = 1e-6
"""How far from 1 the shares of a row may sum."""


class Provenance(StrictFile):
    """Where the figures come from. Everything but the note is required."""

    publisher: str = Field(min_length=1)
    table: str = Field(min_length=1)
    year: int = Field(ge=1800, le=2100)
    license: str = Field(min_length=1)
    link: str = Field(pattern=form(r"^https?://\S+$", "an address that begins with https:// or http://"))
    note: str = ""


class TableSpec(StrictFile):
    """The rows of one attribute: in a CSV file, or inline."""

    file: str | None = None
    rows: dict[str, dict[str, float]] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> TableSpec:
        if (self.file is None) == (self.rows is None):
            raise ValueError("a table is either file: NAME.csv or rows: {CONTEXT: {CLASS: SHARE}}")
        return self


class SampleSpec(StrictFile):
    """The columns that say how large a sample of people each row of a reference is."""

    replies: str = Field(min_length=1)
    independent: str = ""
    """As how many independent replies they count: fewer, where replies of one conversation resemble each other."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(filter(None, (self.replies, self.independent)))


class PeopleSpec(StrictFile):
    """Feature figures of a reference, and what of a corpus it was made of."""

    quantiles: str
    """CSV beside: per context, length and feature its scale, the distance of two halves, and quantiles."""
    vectors: str
    """Parquet beside: feature vectors of up to 1,000 replies per context."""
    split: Literal["all", "train", "validation", "test"]
    shares: tuple[float, float] = (0.7, 0.1)
    """Of the conversations in train and validation, where records name no split."""
    seed: int
    corpus: str
    told: dict[str, tuple[int, int, int]] = Field(default_factory=dict)
    """Context -> of how many replies, in how many the prompt holds the reply, and names its length."""


class TargetFile(StrictFile):
    """``target.yaml``, or a target written inside a task."""

    name: Name
    title: str = ""
    kind: TargetKind = "table"
    values: Literal["shares", "counts"] = "shares"
    shared: bool = False
    """The table may have rows that a task does not ask about."""
    attributes: dict[Label, TableSpec] = Field(default_factory=dict)
    informative: list[str] = Field(default_factory=list)
    """Columns of the tables that are no class."""
    sample: SampleSpec | None = None
    people: PeopleSpec | None = None
    smoothing: str = ""
    """What was done to cells of zero and one, in words."""
    provenance: Provenance | None = None

    @model_validator(mode="after")
    def _complete(self) -> TargetFile:
        if self.kind == "uniform":
            if self.attributes:
                raise ValueError("a uniform target has no table")
        elif not self.attributes:
            raise ValueError(f"a {self.kind} target needs attributes: {{NAME: {{file: …}}}}")
        elif self.provenance is None:
            raise ValueError("provenance is required: publisher, table, year, license, link")
        if self.people and self.kind != "reference":
            raise ValueError("people: is of a reference")
        if self.sample and self.kind != "reference":
            raise ValueError("sample: is of a reference; the figures of other targets are taken as exact")
        return self
