"""DPO with TRL's DPOTrainer, starting from supervised fine-tuning as the papers do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field
from trl import DPOConfig, DPOTrainer

from baselines.data import pairs
from baselines.output import STAGES
from baselines.recipe import TrainingRecipe
from baselines.retention import Retaining, kept
from baselines.sft.trainer import sft_stage
from baselines.stages import arguments, dataset, example, load_policy, load_tokenizer, train_stage
from baselines.train import Job, Outcome, training_data
from harness.contract import Contract
from harness.files import digest

if TYPE_CHECKING:
    from pathlib import Path


class RetainingDPOTrainer(Retaining, DPOTrainer):  # type: ignore[misc]  # TRL is not typed
    """TRL's, with a retention term."""


class Recipe(TrainingRecipe):
    """``recipe.yaml`` of dpo."""

    sft_learning_rate: float = Field(gt=0)
    sft_epochs: float = Field(gt=0)
    sft_batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    epochs: float = Field(gt=0)
    batch_size: int = Field(ge=1)
    beta: float = Field(gt=0)


def run(job: Job) -> Outcome:
    """Two stages: supervised fine-tuning, then preferences, with the first stage as reference."""
    recipe = job.recipe
    assert isinstance(recipe, Recipe)  # noqa: S101  # the driver read it as this class
    data = training_data(job, recipe.rows, recipe.seed)
    tokenizer = load_tokenizer(job.source.folder)
    tuned = sft_stage(
        job,
        tokenizer,
        [(row, row.answer) for row in data.rows],
        recipe,
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
                [{"prompt": p, "chosen": c, "rejected": r} for p, c, r in examples], folder
            ),
            processing_class=tokenizer,
        )

    final = train_stage(job.out / STAGES / "dpo", "DPO", build)
    return Outcome(final, digest([data.hash, [p.rejected for p in preferences]]), Contract())
