"""How a model is evaluated: draws, seed, split, measure, sampling, engine options."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from harness.errors import UserError
from harness.terms import Measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.tasks.task import Task
    from harness.terms import Sampling


MEASURES: tuple[Measure, ...] = get_args(Measure)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is evaluated. Sampling parameters left out are the task's."""

    n: int = 100
    """Draws per prompt."""
    seed: int = 0
    split: str = "all"
    """Which contexts: all, train, validation or test."""
    paraphrases: str = "test"
    """Which prompts: all, train, validation or test."""
    measure: Measure | Literal[""] = ""
    """draws, exact or choices; '' is the task's."""
    epsilon: float = 1e-3
    """Undecided mass at which the exact measure stops."""
    backend: str = "auto"
    engine: Mapping[str, object] = field(default_factory=dict)
    """Options of the engine; ``harness.sampling.engines`` tells which engine takes which."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """Sampling parameters that replace the task's."""
    allow_greedy: bool = False
    out: Path = Path("runs")
    shard: tuple[int, int] | None = None
    """Draw only every k-th prompt, beginning with the i-th (1-based)."""
    until: float | None = None
    """Draw in blocks until neither 95% limit of the mean TV is farther than this from the estimate."""

    def effective(self, task: Task) -> Sampling:
        """The sampling parameters that are sent, checked against ``n``."""
        sampling = replace(task.sampling, **self.sampling)
        if (
            sampling.temperature == 0
            and self.n > 1
            and not self.allow_greedy
            and self.chosen(task) == "draws"
        ):
            raise UserError(
                "draws at temperature 0 are copies of one another",
                where="--temperature",
                found=f"n = {self.n} at temperature 0",
                expected="temperature above 0, or n = 1",
                hint="-n 1, or --allow-greedy where that is meant",
            )
        return sampling

    def chosen(self, task: Task) -> Measure:
        """The measure that is used."""
        return self.measure or task.measure
