"""Supervised fine-tuning with TRL's SFTTrainer on completions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field
from trl import SFTConfig, SFTTrainer

from baselines.output import STAGES
from baselines.recipe import TrainingRecipe
from baselines.retention import Retaining, kept
from baselines.stages import (
    arguments,
    check_lengths,
    check_terminated,
    dataset,
    example,
    load_policy,
    load_tokenizer,
    lora,
    train_stage,
)
from baselines.train import Job, Outcome, training_data
from harness.contract import Contract

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from baselines.data import Row


class RetainingSFTTrainer(Retaining, SFTTrainer):  # type: ignore[misc]  # TRL is not typed
    """TRL's, with a retention term."""


class Recipe(TrainingRecipe):
    """``recipe.yaml`` of sft."""

    learning_rate: float = Field(gt=0)
    epochs: float = Field(gt=0)
    batch_size: int = Field(ge=1)


def run(job: Job) -> Outcome:
    """One stage: the rows as they are."""
    recipe = job.recipe
    assert isinstance(recipe, Recipe)  # noqa: S101  # the driver read it as this class
    data = training_data(job, recipe.rows, recipe.seed)
    tokenizer = load_tokenizer(job.source.folder)
    final = sft_stage(
        job,
        tokenizer,
        [(row, row.answer) for row in data.rows],
        recipe,
        learning_rate=recipe.learning_rate,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
    )
    return Outcome(final, data.hash, Contract())


def sft_stage(
    job: Job,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[tuple[Row, str]],
    recipe: TrainingRecipe,
    *,
    learning_rate: float,
    epochs: float,
    batch_size: int,
) -> Path:
    """Fine-tune the base model on (row, completion); also the first stage of other methods."""
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

    return train_stage(job.out / STAGES / "sft", "supervised fine-tuning", build)
