"""Trains ``hdpo``: preferences for people's replies over the model's own, on TRL's DPOTrainer.

Per pair of a person's reply and a rejected one the loss is

    w * DPO(beta)  +  lambda_hd * R  +  reply_weight * NLL(person's reply)

Where the rejected reply is drawn from the reference at temperature 1, DPO with beta = 1 is least at people's law. That
stays so with a weight that does not change when the two replies change places, and with an NLL that is summed over
tokens and divided by a number that the prompt alone decides. R, the probability-weighted score of the two, pulls
toward low scores whatever people do. So lambda_hd is 0 unless asked for, and ``as_published`` has the paper's forms.
The published term on greedy samples had no gradient and is left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch.nn.functional import logsigmoid
from trl import DPOConfig, DPOTrainer

from baselines.policy import load_policy
from baselines.polyalign.profile import bare
from baselines.polyalign.scores import place, scored
from baselines.polyalign.support import by_language
from baselines.pooling import WEIGHT, ReferencedOnce, Seen, Weighted
from baselines.retention import Retaining, kept
from baselines.stage import train_stage
from baselines.trl_glue import arguments, dataset
from harness.sampling.hf.source import find

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from baselines.method import Job
    from baselines.needs import Replies
    from baselines.polyalign.hdpo_recipe import HdpoRecipe
    from baselines.polyalign.pairs import ReplyPair
    from baselines.polyalign.recipe import Recipe
    from baselines.polyalign.scores import PairScores
    from harness.contract import CriticRecord
    from harness.natural.scaled import Floats

CHOSEN, REJECTED, USUAL = "chosen_score", "rejected_score", "usual_tokens"
_RARE, _LANGUAGE, _CLIP = 0.5, 0.25, (0.5, 3.0)
"""Of the published weights."""


class Replied(NamedTuple):
    """What a loss is made of, per pair."""

    chosen: torch.Tensor
    """Log-probability of the person's reply."""
    rejected: torch.Tensor
    ref_chosen: torch.Tensor
    ref_rejected: torch.Tensor
    chosen_tokens: torch.Tensor
    rejected_tokens: torch.Tensor


class Beside(NamedTuple):
    """What is known of each pair before the training."""

    weight: torch.Tensor
    """1 on average over all pairs."""
    chosen_score: torch.Tensor
    rejected_score: torch.Tensor
    usual_tokens: torch.Tensor
    """Mean tokens of people's replies in the pair's context."""


class Preferred(NamedTuple):
    """A finished stage."""

    final: Path
    critic: CriticRecord


def hdpo_losses(replied: Replied, beside: Beside, recipe: HdpoRecipe) -> torch.Tensor:
    """The loss of each pair; their mean is trained on."""
    beta, weight = recipe.beta, beside.weight
    margin = (replied.chosen - replied.ref_chosen) - (replied.rejected - replied.ref_rejected)
    if recipe.as_published:
        weight = weight / weight.mean()  # of the batch: a pair alone has weight 1
        compared = replied.chosen - replied.rejected
        said = replied.chosen / replied.chosen_tokens
    else:
        per_token = replied.chosen / replied.chosen_tokens - replied.rejected / replied.rejected_tokens
        compared = margin if recipe.regulariser == "reference" else per_token
        said = replied.chosen / beside.usual_tokens
    losses = weight * -logsigmoid(beta * margin)
    if recipe.lambda_hd:
        p = torch.sigmoid(beta * compared)
        losses = losses + recipe.lambda_hd * (p * beside.chosen_score + (1 - p) * beside.rejected_score)
    return losses - recipe.reply_weight * said


class HDPOTrainer(Retaining, ReferencedOnce, Weighted, DPOTrainer):  # type: ignore[misc]  # TRL is not typed
    """TRL's, with each pair's weight and scores."""

    numbers: ClassVar[tuple[str, ...]] = (WEIGHT, CHOSEN, REJECTED, USUAL)

    def __init__(self, *, recipe: HdpoRecipe, **kwargs: Any) -> None:
        """Take DPOTrainer's arguments; beta is the recipe's."""
        self.recipe = recipe
        super().__init__(**kwargs)

    def _compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool) -> Any:
        rest, weight = self.apart(inputs)
        scores = [rest.pop(column) for column in (CHOSEN, REJECTED, USUAL)]
        seen = Seen(model)
        found = super()._compute_loss(seen, rest, return_outputs)
        if return_outputs or weight is None:
            return found
        chosen, rejected = seen.outputs.log_probs[:, 1 - rest["input_ids"].shape[1] :].sum(1).chunk(2)
        tokens = rest["completion_mask"][:, 1:].sum(1).chunk(2)
        replied = Replied(chosen, rejected, rest["ref_chosen_logps"], rest["ref_rejected_logps"], *tokens)
        return hdpo_losses(replied, Beside(weight, *scores), self.recipe).mean()


def pair_weights(pairs: Sequence[ReplyPair], scores: PairScores, recipe: HdpoRecipe) -> Floats:
    """More for what is rare, and for pairs whose two scores differ.

    As published a pair counts more only where the person's reply has the lower score, and what is rare is said with
    the length of the person's reply: both depend on which reply is the person's, and lead away from people's law.
    """
    gap = scores.rejected - scores.chosen
    gap = np.maximum(gap, 0) if recipe.as_published else np.abs(gap)
    rare = rarity([place(p, recipe) for p in pairs])
    languages = rarity([p.language for p in pairs])
    return np.clip(1 + _RARE * rare + recipe.gap_weight * gap + _LANGUAGE * languages, *_CLIP)


def rarity(keys: Sequence[object]) -> Floats:
    """How much rarer than the mean key each is: 0 for the mean and above, 1 for the rarest."""
    counts = Counter(keys)
    over = {key: max(len(keys) / (len(counts) * n) - 1, 0.0) for key, n in counts.items()}
    most = max(over.values()) or 1.0
    return np.array([over[key] / most for key in keys])


def preference_arguments(recipe: Recipe, folder: Path) -> DPOConfig:
    """TRL's arguments for a training on pairs, whose reference is scored before it begins."""
    return DPOConfig(
        **arguments(recipe, folder),
        learning_rate=recipe.preference_learning_rate,
        num_train_epochs=recipe.preference_epochs,
        per_device_train_batch_size=recipe.preference_batch_size,
        beta=recipe.beta,
        precompute_ref_log_probs=True,
    )


def hdpo_stage(
    job: Job[Recipe, Replies],
    tokenizer: PreTrainedTokenizerBase,
    start: Path,
    pairs: Sequence[ReplyPair],
) -> Preferred:
    """Score the pairs, weigh them, and train from a checkpoint that is the reference too.

    Args:
        job: its targets have people's features beside them.
        tokenizer: with a chat template.
        start: folder of the stage before, a whole model or an adapter on the job's.
        pairs: people's replies, and draws of ``start`` at temperature 1 for the same prompts.
    """
    recipe = job.recipe
    encoder = find(recipe.encoder).folder if recipe.encoder else job.source.folder
    said = without_openings(pairs) if recipe.profile == "written" else pairs
    scores = scored(job.stage("critic"), said, by_language(job.about.targets), encoder, recipe)
    usual = _usual_tokens(pairs, tokenizer)
    rows = [
        {
            **pair.row(),
            WEIGHT: float(weight),
            CHOSEN: float(chosen),
            REJECTED: float(rejected),
            USUAL: usual[pair.language, pair.context],
        }
        for pair, weight, chosen, rejected in zip(
            pairs, pair_weights(pairs, scores, recipe), scores.chosen, scores.rejected, strict=True
        )
    ]

    def build(folder: Path) -> DPOTrainer:
        return HDPOTrainer(
            recipe=recipe,
            kept=kept(recipe, tokenizer, job.source.folder),
            model=load_policy(start, recipe, job.source.folder),
            args=preference_arguments(recipe, folder),
            train_dataset=dataset(rows, folder),
            processing_class=tokenizer,
        )

    return Preferred(train_stage(job.stage("hdpo"), "HDPO", build), scores.record)


def without_openings(pairs: Sequence[ReplyPair]) -> list[ReplyPair]:
    """Pairs without the length's digit that opens their replies: it is no part of what a person says."""
    return [replace(p, chosen=bare(p.chosen), rejected=bare(p.rejected)) for p in pairs]


def _usual_tokens(
    pairs: Sequence[ReplyPair], tokenizer: PreTrainedTokenizerBase
) -> dict[tuple[str, str], float]:
    """Mean tokens of people's replies with their end, by language and context."""
    sizes: dict[tuple[str, str], list[int]] = {}
    for pair in pairs:
        ids = tokenizer(pair.chosen, add_special_tokens=False, verbose=False)["input_ids"]
        sizes.setdefault((pair.language, pair.context), []).append(len(ids) + 1)
    return {at: float(np.mean(counts)) for at, counts in sizes.items()}
