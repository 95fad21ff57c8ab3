"""A whole method in one folder: it adds a constant to the output layer's weights of each class's first token."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
import transformers
from pydantic import Field

from baselines.method import Method, Trained
from baselines.needs import one_attribute
from baselines.policy import load_tokenizer
from baselines.recipe import Recipe
from baselines.texts import answers
from harness.contract import Contract
from harness.files import digest

if TYPE_CHECKING:
    from baselines.method import Job
    from baselines.needs import OneAttribute


class NudgeRecipe(Recipe):
    """``recipe.yaml`` of nudge."""

    strength: float = Field(gt=0)


def _fit(job: Job[NudgeRecipe, OneAttribute]) -> Trained:
    final, texts = job.stage("nudge") / "final", answers(job)
    data_hash = digest(sorted(texts.items()))
    if not final.is_dir():
        tokenizer = load_tokenizer(job.source.folder)
        model = transformers.AutoModelForCausalLM.from_pretrained(job.source.folder)
        first = [tokenizer(text)["input_ids"][0] for found in texts.values() for text in found]
        with torch.no_grad():
            model.lm_head.weight[first] += job.recipe.strength
        model.save_pretrained(final)
        tokenizer.save_pretrained(final)
    return Trained(final, data_hash, Contract())


METHOD = Method(Path(__file__).parent, NudgeRecipe, one_attribute(), _fit)
