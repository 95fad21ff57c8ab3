"""Trains ``polyalign``: fine-tuning on people's replies, then preferences for them over the model's own."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from baselines.dpo.trainer import RetainingDPOTrainer
from baselines.method import Trained
from baselines.policy import load_policy
from baselines.polyalign.data import people_rows
from baselines.polyalign.draws import drawn, preferences
from baselines.polyalign.hdpo import hdpo_stage, preference_arguments
from baselines.polyalign.profile import OPENINGS, shown
from baselines.polyalign.recipe import BY_BUCKET
from baselines.polyalign.sft import Weighed, people_stage
from baselines.polyalign.support import by_language
from baselines.polyalign.turns import fitted, tokenizer_with_template
from baselines.polyalign.weighting import bucket
from baselines.retention import kept
from baselines.stage import train_stage
from baselines.trl_glue import dataset
from harness.contract import Contract
from harness.errors import UserError
from harness.files import digest
from harness.importers.seen import write_seen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase
    from trl import DPOTrainer

    from baselines.method import Job
    from baselines.needs import Replies
    from baselines.polyalign.data import PeopleRow
    from baselines.polyalign.pairs import ReplyPair
    from baselines.polyalign.recipe import Recipe


def fit(job: Job[Recipe, Replies]) -> Trained:
    """Train an arm, and note beside the weights which people's replies they have seen."""
    job.recipe.check()
    people = by_language(job.about.targets)
    read = people_rows(job.about, people, job.recipe.rows)
    trained = _fit(job, read)
    write_seen(trained.final, (x for row in read for x in row.seen), job.source.folder)
    return trained


def _fit(job: Job[Recipe, Replies], read: Sequence[PeopleRow]) -> Trained:
    """Fine-tuning; for dpo and hdpo then preferences, the fine-tuned model being their start and their reference."""
    recipe = job.recipe
    tokenizer = tokenizer_with_template(job.source.folder, recipe.template)
    weighed = _weighed(recipe, read)
    rows = fitted([shown(row, recipe.profile) for row in read], tokenizer, recipe.max_length)
    tuned = people_stage(job, tokenizer, rows, weighed)
    written = digest([asdict(row) for row in rows])
    contract = Contract(arm=recipe.arm, strip_leading=OPENINGS if recipe.profile == "written" else ())
    if recipe.arm in ("full_sft", "bucket_sft"):
        return Trained(tuned, written, contract)
    pairs = preferences(rows, drawn(job, tuned, rows))
    written = digest([written, [p.rejected for p in pairs]])
    if recipe.arm == "dpo":
        return Trained(_dpo_stage(job, tokenizer, tuned, pairs), written, contract)
    preferred = hdpo_stage(job, tokenizer, tuned, pairs)
    return Trained(preferred.final, written, contract, preferred.critic)


def _weighed(recipe: Recipe, rows: Sequence[PeopleRow]) -> Weighed:
    if recipe.arm not in BY_BUCKET:
        return Weighed("none", own_length=recipe.as_published, by_batch=recipe.as_published)
    weights = "published" if recipe.as_published else recipe.weights
    if len({bucket(row, weights) for row in rows}) == 1:
        raise UserError(
            "all replies are in one bucket, so their weights are equal",
            where="weights",
            found=f"weights: {recipe.weights}, and {len(rows)} replies in {rows[0].context}",
            hint="--set arm=full_sft, which is the same",
        )
    return Weighed(weights, recipe.clip, own_length=recipe.as_published, by_batch=recipe.as_published)


def _dpo_stage(
    job: Job[Recipe, Replies], tokenizer: PreTrainedTokenizerBase, start: Path, pairs: Sequence[ReplyPair]
) -> Path:
    """TRL's DPO, every pair alike."""
    recipe = job.recipe
    rows = [pair.row() for pair in pairs]

    def build(folder: Path) -> DPOTrainer:
        return RetainingDPOTrainer(
            kept=kept(recipe, tokenizer, job.source.folder),
            model=load_policy(start, recipe, job.source.folder),
            args=preference_arguments(recipe, folder),
            train_dataset=dataset(rows, folder),
            processing_class=tokenizer,
        )

    return train_stage(job.stage("dpo"), "DPO", build)
