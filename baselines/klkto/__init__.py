"""The method ``klkto``: a steering token gets the target's distribution, and the text is made to follow it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from baselines.klkto.recipe import Recipe
from baselines.method import Method
from baselines.needs import one_attribute

if TYPE_CHECKING:
    from baselines.method import Job, Trained
    from baselines.needs import OneAttribute


def _fit(job: Job[Recipe, OneAttribute]) -> Trained:
    from baselines.klkto.trainer import fit  # brings torch and TRL

    return fit(job)


METHOD = Method(Path(__file__).parent, Recipe, one_attribute(), _fit)
