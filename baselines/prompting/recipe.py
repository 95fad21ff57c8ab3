"""The recipe of the method ``prompting``."""

from __future__ import annotations

from typing import Literal

from baselines import recipe as recipes

Arm = Literal["zero_shot", "target", "persona", "simulated_draw", "seed_string", "verbalised"]


class Recipe(recipes.Recipe):
    """``recipe.yaml`` of prompting."""

    arm: Arm
    state_target: bool
