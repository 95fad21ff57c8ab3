"""``real.json``: what a run of the methods on a real model measured, and the time each step took."""

from __future__ import annotations

from pydantic import Field

from harness.records import Record
from harness.terms import Measure

FILE = "real.json"


class Tv(Record):
    """Total variation from the target, in the mean over contexts; what is no class counts as off the target."""

    estimate: float
    """Bias-corrected."""
    low: float
    """95% limits; without draws, certain ones."""
    high: float
    floor: float
    """What a perfect model would score at this n; 0 without draws."""


class RealRow(Record):
    """One way to bring the model to a target, evaluated."""

    way: str
    task: str
    target: str
    measure: Measure
    n: int
    """Draws per prompt; 0 where shares were computed."""
    prompts: int
    tv: Tv
    """Over all contexts."""
    held_out: Tv
    """Over contexts of the task's test split, on which nothing was trained."""
    valid: float
    """Share of draws that name a class; of computed shares all."""
    perplexity: float
    """On text that nothing was trained on."""
    train_seconds: float
    evaluate_seconds: float


class RealRecord(Record):
    """All of a run."""

    schema_version: int = Field(1, alias="schema")
    model: str
    sha256: str
    licence: str
    machine: str
    """Processors and threads that it ran with."""
    versions: dict[str, str]
    perplexity_text: str
    """sha256 of the text of the perplexities."""
    spent: dict[str, float] = Field(default_factory=dict)
    """Seconds of each step so far, also of one that was stopped."""
    rows: tuple[RealRow, ...] = ()
