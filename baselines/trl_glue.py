"""From our recipes and rows to TRL: the arguments of its trainers, its form of examples, and what it would cut."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any

import accelerate
import datasets
import torch
import transformers
import trl.trainer.utils

from baselines.policy import uses_bf16
from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from baselines.recipe import StagedRecipe, TuningRecipe
    from baselines.rows import Row

ROWS = "rows"
"""Folder of a stage with its rows, and what TRL computes of them."""


def arguments(recipe: StagedRecipe, folder: Path) -> dict[str, Any]:
    """The arguments that every trainer on rows gets, by the names of TRL."""
    return {
        **shared_arguments(recipe, folder),
        "max_length": recipe.max_length,
        "save_strategy": "steps",
        "save_steps": recipe.save_steps,
        "logging_steps": 10,
    }


def shared_arguments(recipe: TuningRecipe, folder: Path) -> dict[str, Any]:
    """The arguments that every trainer gets, by the names of transformers."""
    if torch.cuda.device_count() > 1 and "LOCAL_RANK" not in os.environ:
        raise UserError(
            "several GPUs are visible to one process",
            found=torch.cuda.device_count(),
            hint="accelerate launch -m distalign train …, or CUDA_VISIBLE_DEVICES=0",
        )
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Would fill every new tensor first, a third of a small model's step; the result does not depend on it.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # not in its stubs
    # TRL asks this before it leaves out of the output layer what is not trained on: prompts and padding, most of a
    # row. It does so on a GPU alone, for a compiled kernel's sake; here nothing is compiled.
    trl.trainer.utils._use_triton = any_device
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # not annotated
    return {
        "output_dir": str(folder),
        "seed": recipe.seed,
        "gradient_accumulation_steps": recipe.gradient_accumulation,
        "gradient_checkpointing": recipe.gradient_checkpointing,
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.max_grad_norm,
        "warmup_steps": recipe.warmup,
        "lr_scheduler_type": recipe.schedule,
        "bf16": uses_bf16(recipe.precision),
        "save_total_limit": 2,
        "report_to": [] if recipe.log_to == "none" else [recipe.log_to],
        "disable_tqdm": not sys.stderr.isatty(),
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


def any_device(device: torch.device) -> bool:
    """Whether the output layer may leave tokens out there."""
    return True


def dataset(rows: Sequence[Mapping[str, object]], folder: Path) -> datasets.Dataset:
    """Rows in a file of the stage, where every process finds what TRL computes once and keeps beside them."""
    state = accelerate.PartialState()
    if state.is_main_process:
        shutil.rmtree(folder / ROWS, ignore_errors=True)
        datasets.Dataset.from_list(list(rows)).save_to_disk(folder / ROWS)
    state.wait_for_everyone()
    return datasets.Dataset.load_from_disk(folder / ROWS)


def example(row: Row, tokenizer: PreTrainedTokenizerBase, *completions: str) -> list[object]:
    """A row's prompt and each completion in the form that TRL takes: chat turns, or plain text."""
    if row.messages and tokenizer.chat_template:
        prompt = [{"role": r, "content": c} for r, c in row.messages]
        return [prompt, *([{"role": "assistant", "content": c}] for c in completions)]
    text = row.text or "\n\n".join(c for _, c in row.messages)
    return [text, *completions]


def check_lengths(rows: Sequence[list[object]], tokenizer: PreTrainedTokenizerBase, most: int) -> None:
    """Refuse rows that would be cut: the model would learn from answers without an end, or from none."""
    texts = {_written(prompt, completion, tokenizer) for prompt, completion in rows}
    sizes = {t: len(tokenizer(t, add_special_tokens=False, verbose=False)["input_ids"]) for t in texts}
    longest = max(texts, key=lambda t: (sizes[t], t))
    if sizes[longest] > most:
        raise UserError(
            "training rows are longer than max_length",
            where="max_length",
            found=f"{sizes[longest]} tokens: {longest[:80]}…",
            expected=f"at most {most}",
            hint=f"--set max_length={sizes[longest]}, if the model reads that much",
        )


def _written(prompt: object, completion: Any, tokenizer: PreTrainedTokenizerBase) -> str:
    if isinstance(prompt, list):
        turns = [*prompt, *completion]
        return str(tokenizer.apply_chat_template(turns, tokenize=False))
    return f"{prompt}{completion}{tokenizer.eos_token}"


def check_terminated(row: Row, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a chat template that does not end the assistant's turn: the model would never learn to stop."""
    if not (row.messages and tokenizer.chat_template):
        return
    mark = "distalign-turn"
    turns = [*({"role": r, "content": c} for r, c in row.messages), {"role": "assistant", "content": mark}]
    after = str(tokenizer.apply_chat_template(turns, tokenize=False)).rpartition(mark)[2]
    special = {str(t) for t in tokenizer.added_tokens_decoder.values()}
    if not any(re.match(rf"\s*{re.escape(s)}", after) for s in special):
        raise UserError(
            "the chat template writes no special token after an assistant's words, so their end cannot be learned",
            found=after or "nothing",
            expected="for example <|im_end|>",
        )
