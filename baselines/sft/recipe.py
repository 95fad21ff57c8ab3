"""The recipe of the method ``sft``."""

from __future__ import annotations

from pydantic import Field

from baselines.recipe import TrainingRecipe


class Recipe(TrainingRecipe):
    """``recipe.yaml`` of sft."""

    learning_rate: float = Field(gt=0)
    epochs: float = Field(gt=0)
    batch_size: int = Field(ge=1)
