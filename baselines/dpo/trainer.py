"""Trains ``dpo`` with TRL's DPOTrainer, starting from supervised fine-tuning as the papers do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from trl import DPOConfig, DPOTrainer

from baselines.dpo.pairs import pairs
from baselines.method import Trained
from baselines.policy import load_policy, load_tokenizer
from baselines.pooling import ReferencedOnce, Seen, Weighted, pooled
from baselines.retention import Retaining, kept
from baselines.rows import training_rows
from baselines.sft.trainer import sft_stage
from baselines.stage import train_stage
from baselines.trl_glue import arguments, dataset, example
from harness.contract import Contract
from harness.files import digest

if TYPE_CHECKING:
    from pathlib import Path

    from baselines.dpo.recipe import Recipe
    from baselines.method import Job
    from baselines.needs import OneAttribute


class WeightedDPOTrainer(ReferencedOnce, Weighted, DPOTrainer):  # type: ignore[misc]  # TRL is not typed
    """TRL's, each pair's loss times the pair's weight."""

    def _compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool) -> Any:
        rest, weight = self.apart(inputs)
        seen = Seen(model)
        found = super()._compute_loss(seen, rest, return_outputs)
        if weight is None or return_outputs:
            return found
        scores = seen.outputs.log_probs[:, 1 - rest["input_ids"].shape[1] :].sum(1)
        ratio = scores - torch.cat([rest["ref_chosen_logps"], rest["ref_rejected_logps"]])
        chosen, rejected = ratio.chunk(2)
        return (weight * -torch.nn.functional.logsigmoid(self.beta * (chosen - rejected))).mean()


class RetainingDPOTrainer(Retaining, WeightedDPOTrainer):
    """The same with a retention term."""


def fit(job: Job[Recipe, OneAttribute]) -> Trained:
    """Two stages: supervised fine-tuning, then preferences, with the first stage as reference."""
    recipe = job.recipe
    data = training_rows(job)
    tokenizer = load_tokenizer(job.source.folder)
    tuned = sft_stage(
        job,
        tokenizer,
        [(row, row.answer) for row in data.rows],
        learning_rate=recipe.sft_learning_rate,
        epochs=recipe.sft_epochs,
        batch_size=recipe.sft_batch_size,
    )
    preferences = pairs(data, recipe.seed)

    def build(folder: Path) -> DPOTrainer:
        config = DPOConfig(
            **arguments(recipe, folder),
            learning_rate=recipe.learning_rate,
            num_train_epochs=recipe.epochs,
            per_device_train_batch_size=recipe.batch_size,
            beta=recipe.beta,
            precompute_ref_log_probs=True,
        )
        examples = [example(p.row, tokenizer, p.row.answer, p.rejected) for p in preferences]
        return RetainingDPOTrainer(
            kept=kept(recipe, tokenizer, job.source.folder),
            model=load_policy(tuned, recipe, job.source.folder),
            args=config,
            train_dataset=dataset(
                pooled([{"prompt": p, "chosen": c, "rejected": r} for p, c, r in examples], recipe.pooling),
                folder,
            ),
            processing_class=tokenizer,
        )

    final = train_stage(job.stage("dpo"), "DPO", build)
    return Trained(final, digest([data.hash, [p.rejected for p in preferences]]), Contract())
