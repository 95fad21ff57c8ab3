"""The method ``dpo``: supervised fine-tuning, then direct preference optimisation between answers of two classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from baselines.dpo.recipe import Recipe
from baselines.method import Method
from baselines.needs import one_attribute

if TYPE_CHECKING:
    from baselines.method import Job, Trained
    from baselines.needs import OneAttribute


def _fit(job: Job[Recipe, OneAttribute]) -> Trained:
    from baselines.dpo.trainer import fit  # brings torch and TRL

    return fit(job)


METHOD = Method(Path(__file__).parent, Recipe, one_attribute(), _fit)
