"""Trains ``klkto``: stage 1 binds steering tokens to answers, stage 2 fits their distribution to the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trl import KTOConfig

from baselines.chat_templates import own_template, wrap
from baselines.klkto.loss import KLKTOTrainer
from baselines.klkto.steering import steering_tokens
from baselines.klkto.verdicts import verdicts
from baselines.method import Trained
from baselines.policy import load_policy, load_tokenizer
from baselines.pooling import pooled
from baselines.retention import kept
from baselines.rows import training_rows
from baselines.sft.trainer import sft_stage
from baselines.stage import train_stage
from baselines.trl_glue import arguments, dataset, example
from harness.contract import Contract
from harness.files import digest

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from baselines.klkto.recipe import Recipe
    from baselines.method import Job
    from baselines.needs import OneAttribute
    from baselines.rows import TrainingSet


def fit(job: Job[Recipe, OneAttribute]) -> Trained:
    """Two stages, each in its own folder; the second starts from the first, which is also its reference."""
    recipe = job.recipe
    data = training_rows(job)
    tokenizer = load_tokenizer(job.source.folder)
    if recipe.wrapper:
        tokenizer.chat_template = wrap(own_template(tokenizer, job.source.name), "<Q>", "<A>")
    texts = {text for found in data.answers.values() for text in found}
    tokens = steering_tokens(tokenizer, data.rows[0], len(data.classes), texts)
    tuned = sft_stage(
        job,
        tokenizer,
        [(row, f"{data.classes.index(row.label)}{row.answer}") for row in data.rows],
        learning_rate=recipe.sft_learning_rate,
        epochs=recipe.sft_epochs,
        batch_size=recipe.sft_batch_size,
    )
    examples = judged(data, tokenizer, recipe)

    def build(folder: Path) -> KLKTOTrainer:
        config = KTOConfig(
            **arguments(recipe, folder),
            learning_rate=recipe.learning_rate,
            num_train_epochs=recipe.epochs,
            per_device_train_batch_size=recipe.batch_size,
            beta=recipe.beta,
            desirable_weight=recipe.desirable_weight,
            undesirable_weight=recipe.undesirable_weight,
            precompute_ref_log_probs=True,
        )
        return KLKTOTrainer(
            steering=tokens,
            kl_weight=recipe.kl_weight,
            ablation=recipe.ablation,
            kept=kept(recipe, tokenizer, job.source.folder),
            model=load_policy(tuned, recipe, job.source.folder),
            args=config,
            train_dataset=dataset(pooled(examples, recipe.pooling), folder),
            processing_class=tokenizer,
        )

    final = train_stage(job.stage("klkto"), "KL + KTO", build)
    contract = Contract(strip_leading=tuple(str(k) for k in range(len(data.classes))))
    return Trained(final, digest([data.hash, [[e["completion"], e["label"]] for e in examples]]), contract)


def judged(data: TrainingSet, tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> list[dict[str, object]]:
    """Stage 2's examples, in the form that TRL takes, each with its prompt's target."""
    made: list[dict[str, object]] = []
    for verdict in verdicts(data, recipe.reject_rule, recipe.seed):
        prompt, completion = example(verdict.row, tokenizer, f"{verdict.digit}{verdict.answer}")
        target = data.shares[verdict.row.context]
        made.append(
            {
                "prompt": prompt,
                "completion": completion,
                "label": verdict.desirable,
                "target": [round(p, 3) for p in target] if recipe.legacy_round3 else list(target),
            }
        )
    return made
