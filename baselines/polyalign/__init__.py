"""The method ``polyalign``: fine-tuning on people's replies, weighted by bucket, then preferences for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from baselines.method import Method
from baselines.needs import replies
from baselines.polyalign.recipe import Recipe

if TYPE_CHECKING:
    from baselines.method import Job, Trained
    from baselines.needs import Replies


def _fit(job: Job[Recipe, Replies]) -> Trained:
    from baselines.polyalign.trainer import fit  # brings torch and TRL

    return fit(job)


METHOD = Method(Path(__file__).parent, Recipe, replies(), _fit)
