"""Supervised fine-tuning with TRL's SFTTrainer on completions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trl import SFTConfig, SFTTrainer

from baselines.method import Trained
from baselines.policy import load_policy, load_tokenizer, lora
from baselines.retention import Retaining, kept
from baselines.rows import training_rows
from baselines.stage import train_stage
from baselines.trl_glue import arguments, check_lengths, check_terminated, dataset, example
from harness.contract import Contract

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from baselines.method import Job
    from baselines.needs import OneAttribute
    from baselines.recipe import TrainingRecipe
    from baselines.rows import Row
    from baselines.sft.recipe import Recipe


class RetainingSFTTrainer(Retaining, SFTTrainer):  # type: ignore[misc]  # TRL is not typed
    """TRL's, with a retention term."""


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
            train_dataset=dataset([{"prompt": p, "completion": c} for p, c in examples], folder),
            processing_class=tokenizer,
            peft_config=lora(recipe, model),
        )

    return train_stage(job.stage("sft"), "supervised fine-tuning", build)
