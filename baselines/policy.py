"""Loads the model that is trained, with its precision, tokenizer and adapter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import accelerate
import torch
import transformers
from transformers.pytorch_utils import Conv1D

from harness.contract import ComputedRecord
from harness.errors import UserError, missing_package, nearest
from harness.sampling.hf import foreign

try:
    from peft import LoraConfig, PeftModel
except ImportError as error:
    raise missing_package("training", "peft", "train") from error

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from baselines.recipe import Precision, TuningRecipe


def uses_bf16(asked: Precision) -> bool:
    """bf16 where asked for, or by itself on a GPU that computes in it."""
    if asked == "auto":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return asked == "bf16"


def computed(asked: Precision | None) -> ComputedRecord:
    """What the recipe leaves to the machine, and the weights depend on: a step is a batch on each process."""
    if asked is None:
        return ComputedRecord()
    precision = "bf16" if uses_bf16(asked) else "fp32"
    return ComputedRecord(processes=accelerate.PartialState().num_processes, precision=precision)


def load_policy(folder: Path, recipe: TuningRecipe, base: Path) -> PreTrainedModel | PeftModel:
    """The model to train: a whole one, or the adapter that an earlier stage left on top of its base.

    Weights that are trained are kept in float32 (bf16 is then mixed precision); a frozen base under an
    adapter is held in the precision of the computation.
    """
    half = uses_bf16(recipe.precision) and recipe.adapter == "lora"
    dtype = torch.bfloat16 if half else torch.float32
    whole = base if (folder / "adapter_config.json").is_file() else folder
    with foreign.foreign("transformers cannot load this model", str(folder)):
        model: PreTrainedModel = transformers.AutoModelForCausalLM.from_pretrained(whole, dtype=dtype)
        if whole == folder:
            return model
        adapted: PeftModel = PeftModel.from_pretrained(model, folder, is_trainable=True)
        return adapted


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer, with a token to pad with."""
    tokenizer = foreign.load_tokenizer(folder, str(folder))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def lora(recipe: TuningRecipe, model: torch.nn.Module) -> LoraConfig | None:
    """The adapter that a recipe asks for; None when the whole model is trained."""
    if recipe.adapter == "full":
        return None
    _check_targets(recipe.lora_targets, model)
    return LoraConfig(
        r=recipe.lora_r,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=recipe.lora_targets,
        bias="none",
        task_type="CAUSAL_LM",
    )


def _check_targets(targets: str | list[str], model: torch.nn.Module) -> None:
    """Refuse a name that no part has: peft passes over one among others, and the adapter would lack it."""
    parts = dict(model.named_modules())

    def found(target: str) -> bool:
        if isinstance(targets, str):  # to peft a pattern of whole names, or this word
            return target == "all-linear" or any(re.fullmatch(target, name) for name in parts)
        return any(f".{name}".endswith(f".{target}") for name in parts)

    for target in [targets] if isinstance(targets, str) else targets:
        if not found(target):
            linear = (torch.nn.Linear, Conv1D)
            ends = sorted({n.rpartition(".")[2] for n, part in parts.items() if isinstance(part, linear)})
            raise UserError(
                "no part of the model has this name",
                where="lora_targets",
                found=target,
                expected=f"all-linear, or a list such as [{', '.join(ends)}]",
                nearest=nearest(target, ends),
            )
