"""The recipe of the method ``dpo``."""

from __future__ import annotations

from pydantic import Field

from baselines.recipe import TrainingRecipe


class Recipe(TrainingRecipe):
    """``recipe.yaml`` of dpo."""

    sft_learning_rate: float = Field(gt=0)
    sft_epochs: float = Field(gt=0)
    sft_batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    epochs: float = Field(gt=0)
    batch_size: int = Field(ge=1)
    beta: float = Field(gt=0)
