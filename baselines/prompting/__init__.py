"""The method ``prompting``: changes the prompt only, by a chat template around the model's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from baselines.method import Method
from baselines.needs import one_attribute
from baselines.prompting.recipe import Recipe

if TYPE_CHECKING:
    from baselines.method import Job, Trained
    from baselines.needs import OneAttribute


def _fit(job: Job[Recipe, OneAttribute]) -> Trained:
    from baselines.prompting.trainer import fit  # brings torch and TRL

    return fit(job)


METHOD = Method(Path(__file__).parent, Recipe, one_attribute(texts=False), _fit)
