"""The recipe of the method ``walf``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from baselines.recipe import RetentionLoss, TuningRecipe

if TYPE_CHECKING:
    from harness.sampling.hf.association import Quirks

Constants = dict[str, tuple[float, float, float, float]]
"""Group -> factor c, lower and upper bound of lambda, alpha."""


class Recipe(TuningRecipe):
    """``recipe.yaml`` of walf."""

    four_bit: bool
    """Hold a frozen base in 4-bit NF4 (QLoRA); needs bitsandbytes and a GPU."""
    learning_rate: float = Field(gt=0)
    batch_size: int = Field(ge=1)
    epochs: int = Field(ge=1)
    patience: int = Field(ge=1)
    min_delta: float = Field(ge=0)
    hold_out: int = Field(ge=0)
    """So many words of each class, the last ones, are not trained on."""
    pairs: int = Field(ge=0)
    """So many pairs of words per step, drawn anew; 0 is all."""
    adaptive: bool
    beta: float = Field(ge=0, le=1)
    floor: float = Field(ge=0)
    """Below this moving mean a group's KL is divided by it, so that steps shrink near the target."""
    group_by: str
    masked_groups: Constants
    causal_groups: Constants
    retention: RetentionLoss
    kl_half: bool
    k_by_k: bool
    mean_nll: bool
    pooled: bool
    count_in_place: bool
    as_published: bool
    """All five quirks at once."""

    def quirks(self) -> Quirks:
        """How sentences are scored."""
        from harness.sampling.hf.association import Quirks

        every = self.as_published
        return Quirks(
            k_by_k=every or self.k_by_k, mean_nll=every or self.mean_nll, pooled=every or self.pooled
        )
