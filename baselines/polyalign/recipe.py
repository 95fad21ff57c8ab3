"""The recipe of the method ``polyalign``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from baselines.polyalign.hdpo_recipe import HdpoRecipe
from harness.errors import UserError

Arm = Literal["full_sft", "bucket_sft", "dpo", "hdpo"]
Profile = Literal["none", "written", "drawn", "gold"]
"""Nothing is told; the model writes the length's digit first; a length drawn from people's shares is told; that of the
person's own reply is told."""
BY_BUCKET = ("bucket_sft", "hdpo")
"""Arms that know of buckets."""
PUBLISHED_SFT = {"profile": "gold", "weights": "bucket", "clip": 0}
"""What ``as_published`` sets in them."""


class Recipe(HdpoRecipe):
    """``recipe.yaml`` of polyalign."""

    rows: int = Field(ge=0)
    """People's replies of each language, a random sample; 0 is all."""
    arm: Arm
    profile: Profile
    weights: Literal["context", "bucket"]
    """Which rows weigh the same together, in the arms that know of buckets."""
    clip: float = Field(ge=0)
    """No row weighs more than so many times the mean; 0 is no limit."""
    template: str
    """A file with a chat template; '' is the model's own, or a shipped one where it has none."""
    draw_tokens: int = Field(ge=1)
    """Tokens of a reply that the model draws, at most."""
    learning_rate: float = Field(gt=0)
    epochs: float = Field(gt=0)
    batch_size: int = Field(ge=1)

    @model_validator(mode="before")
    @classmethod
    def _quirks(cls, data: dict[str, object]) -> dict[str, object]:
        published = data.get("as_published") is True and data.get("arm") in BY_BUCKET
        return {**data, **PUBLISHED_SFT} if published else data

    def check(self) -> None:
        """Refuse settings that do nothing, or that tilt the law, in the arm."""
        told = self.profile != "none"
        if self.arm not in BY_BUCKET and (told or self.clip):
            raise UserError(
                f"{self.arm} knows no buckets, so it has no profile and clips no weight",
                where="profile" if told else "clip",
                found=self.profile if told else self.clip,
                expected=f"profile: none and clip: 0, or an arm of {' and '.join(BY_BUCKET)}",
            )
        if self.arm in BY_BUCKET and self.weights == "bucket" and not told:
            raise UserError(
                "weights by bucket make all lengths of reply equally likely where nothing tells the length",
                where="weights",
                found="weights: bucket, profile: none",
                expected="weights: context, or profile: written or drawn",
                hint="--set as_published=true, which has all that the paper's code does",
            )
