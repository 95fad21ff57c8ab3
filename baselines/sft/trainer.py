"""Trains ``sft`` with TRL's SFTTrainer, with the loss on completions only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from trl import SFTConfig, SFTTrainer

from baselines.method import Trained
from baselines.policy import load_policy, load_tokenizer, lora
from baselines.pooling import WEIGHT, Weighted, pooled
from baselines.retention import Retaining, kept
from baselines.rows import training_rows
from baselines.stage import train_stage
from baselines.trl_glue import arguments, check_lengths, check_terminated, dataset, example
from harness.contract import Contract

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from baselines.method import Job
    from baselines.needs import OneAttribute
    from baselines.recipe import TrainingRecipe
    from baselines.rows import Row
    from baselines.sft.recipe import Recipe


class WeightedSFTTrainer(Weighted, SFTTrainer):  # type: ignore[misc]  # TRL is not typed
    """TRL's, each row's tokens times the row's weight."""

    def _mean_weight(self, rows: Dataset) -> float:
        """Mean over tokens, since TRL divides by their number."""
        if WEIGHT not in rows.column_names:
            return 1.0
        tokens = np.array([sum(label != -100 for label in labels) for labels in rows["labels"]])
        return float(np.average(rows[WEIGHT], weights=tokens))

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """TRL's loss, which adds up what the model says of each token."""
        rest, weight = self.apart(inputs)
        weights = None if weight is None else weight[:, None]
        return super().compute_loss(Weighing(model, weights), rest, return_outputs, num_items_in_batch)


class Weighing:
    """A model whose log-probabilities of tokens are times their weights."""

    def __init__(self, model: Any, weights: torch.Tensor | None) -> None:
        self.model, self.weights = model, weights

    def __call__(self, **kwargs: Any) -> Any:
        """Forward."""
        outputs = self.model(**kwargs)
        if self.weights is not None:
            outputs.log_probs = outputs.log_probs * self.weights
        return outputs


class RetainingSFTTrainer(Retaining, WeightedSFTTrainer):
    """The same with a retention term."""


def fit(job: Job[Recipe, OneAttribute]) -> Trained:
    """One stage: the rows as they are."""
    recipe = job.recipe
    data = training_rows(job)
    tokenizer = load_tokenizer(job.source.folder)
    final = sft_stage(
        job,
        tokenizer,
        [(row, row.answer) for row in data.rows],
        learning_rate=recipe.learning_rate,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
    )
    return Trained(final, data.hash, Contract())


def sft_stage(
    job: Job[TrainingRecipe, OneAttribute],
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[tuple[Row, str]],
    *,
    learning_rate: float,
    epochs: float,
    batch_size: int,
) -> Path:
    """Fine-tune the base model on (row, completion); also the first stage of other methods."""
    recipe = job.recipe
    check_terminated(rows[0][0], tokenizer)
    examples = [example(row, tokenizer, completion) for row, completion in rows]
    check_lengths(examples, tokenizer, recipe.max_length)

    def build(folder: Path) -> SFTTrainer:
        config = SFTConfig(
            **arguments(recipe, folder),
            learning_rate=learning_rate,
            num_train_epochs=epochs,
            per_device_train_batch_size=batch_size,
            completion_only_loss=True,
        )
        model = load_policy(job.source.folder, recipe, job.source.folder)
        return RetainingSFTTrainer(
            kept=kept(recipe, tokenizer, job.source.folder),
            model=model,
            args=config,
            train_dataset=dataset(
                pooled([{"prompt": p, "completion": c} for p, c in examples], recipe.pooling), folder
            ),
            processing_class=tokenizer,
            peft_config=lora(recipe, model),
        )

    return train_stage(job.stage("sft"), "supervised fine-tuning", build)
