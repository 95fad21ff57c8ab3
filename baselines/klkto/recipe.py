"""The recipe of the method ``klkto``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from baselines.recipe import TrainingRecipe

Ablation = Literal["full", "kl_only", "kto_only"]
RejectRule = Literal["same_digit_other_word", "other_digit_same_word", "other_digit_other_word"]


class Recipe(TrainingRecipe):
    """``recipe.yaml`` of klkto."""

    sft_learning_rate: float = Field(gt=0)
    sft_epochs: float = Field(gt=0)
    sft_batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    epochs: float = Field(gt=0)
    batch_size: int = Field(ge=2)
    beta: float = Field(gt=0)
    desirable_weight: float = Field(ge=0)
    undesirable_weight: float = Field(ge=0)
    kl_weight: float = Field(ge=0)
    ablation: Ablation
    reject_rule: RejectRule
    wrapper: bool
    """Put <Q> and <A> around the question, through the chat template."""
    legacy_round3: bool
    """Round targets to three decimals, as the reference code does."""
