"""What of PolyAlign's recipe is about preferences between a person's reply and the model's."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from baselines.recipe import StagedRecipe

Score = Literal["critic", "features"]
Regulariser = Literal["reference", "per_token"]
PUBLISHED = {"beta": 0.1, "gap_weight": 1.0, "lambda_hd": 0.1, "reply_weight": 0.05}
"""What ``as_published`` sets."""


class HdpoRecipe(StagedRecipe):
    """The settings of the preference stages."""

    preference_learning_rate: float = Field(gt=0)
    preference_epochs: float = Field(gt=0)
    preference_batch_size: int = Field(ge=1)
    """Pairs."""
    as_published: bool
    """Every quirk of the published method at once; its law is then not people's."""
    beta: float = Field(gt=0)
    """Where the rejected reply is the reference's own draw at temperature 1, 1 leads to people's law."""
    gap_weight: float = Field(ge=0)
    """Weight of the difference of a pair's two scores in the pair's weight; 0 leaves weights to the prompt alone."""
    lambda_hd: float = Field(ge=0)
    """Weight of the regulariser. Above 0 it leads away from people's law, to replies with low scores."""
    regulariser: Regulariser
    """The log-probabilities in it: less the reference's, or divided by the reply's tokens."""
    reply_weight: float = Field(ge=0)
    """Weight of the loss on the person's reply."""
    score: Score
    """What says how far a reply is from people: a critic, or the features themselves."""
    encoder: str
    """The model whose hidden states the critic reads; '' is the model that is trained, as it was at the start."""
    critic_learning_rate: float = Field(gt=0)
    critic_epochs: int = Field(ge=1)
    critic_batch_size: int = Field(ge=1)
    """Pairs."""

    @model_validator(mode="before")
    @classmethod
    def _as_published(cls, data: dict[str, object]) -> dict[str, object]:
        return {**data, **PUBLISHED} if data.get("as_published") is True else data
