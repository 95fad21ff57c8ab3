"""One training stage: a model, TRL's trainer, checkpoints that survive a kill, and weights at the end."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import accelerate
import datasets
import torch
import transformers
from transformers import TrainerCallback
from transformers.pytorch_utils import Conv1D

from harness.errors import UserError, missing_package, nearest
from harness.files import make_folder
from harness.progress import say

try:
    from peft import LoraConfig, PeftModel
except ImportError as error:
    raise missing_package("training", "peft", "train") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from transformers import (
        PreTrainedModel,
        PreTrainedTokenizerBase,
        Trainer,
        TrainerControl,
        TrainerState,
        TrainingArguments,
    )

    from baselines.data import Row
    from baselines.recipe import TrainingRecipe, TuningRecipe

WHOLE = "whole"
"""Marks a checkpoint whose every file was written before the process went away."""
ROWS = "rows"
SECONDS = 15.0


def train_stage(folder: Path, name: str, build: Callable[[Path], Trainer]) -> Path:
    """Run a stage and return the folder of its weights; an earlier run's last whole checkpoint is resumed.

    Args:
        folder: the stage's own folder.
        name: what the stage is called in messages.
        build: makes the trainer, given where its checkpoints go.
    """
    final = folder / "final"
    if final.is_dir():
        return final
    make_folder(folder)
    trainer = build(folder)
    trainer.pop_callback(transformers.PrinterCallback)
    trainer.add_callback(_Stage(name))
    last = last_whole(folder, remove_torn=trainer.is_world_process_zero())
    if last is not None:
        say(f"{name}: going on from {last.name}")
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    _save(trainer, final)
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        for checkpoint in folder.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
        shutil.rmtree(folder / ROWS, ignore_errors=True)
    return final


def last_whole(folder: Path, *, remove_torn: bool = False) -> Path | None:
    """The newest checkpoint that was written to the end; torn ones are removed where asked."""
    whole = []
    for path in folder.glob("checkpoint-*"):
        if (path / WHOLE).is_file():
            whole.append(path)
        elif remove_torn:
            shutil.rmtree(path)
    return max(whole, key=lambda p: int(p.name.rpartition("-")[2]), default=None)


def _save(trainer: Trainer, final: Path) -> None:
    """Weights, tokenizer and template, under a temporary name until all of it is there."""
    temporary = final.with_name("final.tmp")
    if trainer.is_world_process_zero():
        shutil.rmtree(temporary, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    trainer.save_model(str(temporary))
    if trainer.is_world_process_zero():
        shutil.rmtree(temporary / "ref", ignore_errors=True)
        for name in ("training_args.bin", "README.md"):
            (temporary / name).unlink(missing_ok=True)
        temporary.replace(final)


class _Stage(TrainerCallback):
    """Says how far a stage is, and marks checkpoints that are whole."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.start = self.said = time.monotonic()
        self.first = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.start = self.said = time.monotonic()
        self.first = state.global_step
        if state.is_world_process_zero:
            say(f"{self.name}: {state.max_steps} steps")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: object,
    ) -> None:
        quiet = time.monotonic() - self.said < SECONDS
        if not state.is_world_process_zero or quiet or not logs or "loss" not in logs:
            return
        self.said = time.monotonic()
        done = state.global_step - self.first
        left = (state.max_steps - state.global_step) * (self.said - self.start) / max(done, 1)
        say(
            f"{self.name}: step {state.global_step}/{state.max_steps}, "
            f"loss {float(logs['loss']):.4f}, {left:,.0f} s left"
        )

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if not state.is_world_process_zero:
            return
        checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        # transformers resumes from adapters in subfolders alone when there are any, and would leave the
        # trained one, which lies beside them, at its start. The frozen reference is made anew anyway.
        shutil.rmtree(checkpoint / "ref", ignore_errors=True)
        (checkpoint / WHOLE).touch()


def link_or_copy(source: Path, place: Path) -> None:
    """The same file under another name: a hard link where the file system allows it."""
    place.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), place)
    except OSError:
        shutil.copyfile(source, place)


def uses_bf16(recipe: TuningRecipe) -> bool:
    """bf16 where asked for, or by itself on a GPU that computes in it."""
    if recipe.precision == "auto":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return recipe.precision == "bf16"


def computed(recipe: TuningRecipe) -> dict[str, object]:
    """What the recipe leaves to the machine, and the weights depend on: a step is a batch on each process."""
    precision = "bf16" if uses_bf16(recipe) else "fp32"
    return {"processes": accelerate.PartialState().num_processes, "precision": precision}


def load_policy(folder: Path, recipe: TrainingRecipe, base: Path) -> PreTrainedModel | PeftModel:
    """The model to train: a whole one, or the adapter that an earlier stage left on top of its base.

    Weights that are trained are kept in float32 (bf16 is then mixed precision); a frozen base under an
    adapter is held in the precision of the computation.
    """
    half = uses_bf16(recipe) and recipe.adapter == "lora"
    dtype = torch.bfloat16 if half else torch.float32
    whole = base if (folder / "adapter_config.json").is_file() else folder
    model = transformers.AutoModelForCausalLM.from_pretrained(whole, dtype=dtype)
    if whole == folder:
        return cast("PreTrainedModel", model)
    return cast("PeftModel", PeftModel.from_pretrained(model, folder, is_trainable=True))


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer, with a token to pad with."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return cast("PreTrainedTokenizerBase", tokenizer)


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


def arguments(recipe: TrainingRecipe, folder: Path) -> dict[str, object]:
    """The arguments that every trainer on rows gets, by the names of TRL."""
    return {
        **shared_arguments(recipe, folder),
        "max_length": recipe.max_length,
        "save_strategy": "steps",
        "save_steps": recipe.save_steps,
        "logging_steps": 10,
    }


def shared_arguments(recipe: TuningRecipe, folder: Path) -> dict[str, object]:
    """The arguments that every trainer gets, by the names of transformers."""
    if torch.cuda.device_count() > 1 and "LOCAL_RANK" not in os.environ:
        raise UserError(
            "several GPUs are visible to one process",
            found=torch.cuda.device_count(),
            hint="accelerate launch -m harness train …, or CUDA_VISIBLE_DEVICES=0",
        )
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Would fill every new tensor first, a third of a small model's step; the result does not depend on it.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # not in its stubs
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
        "bf16": uses_bf16(recipe),
        "save_total_limit": 2,
        "report_to": [],
        "disable_tqdm": not sys.stderr.isatty(),
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


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


def _written(prompt: object, completion: object, tokenizer: PreTrainedTokenizerBase) -> str:
    if isinstance(prompt, list):
        turns = [*prompt, *cast("list[dict[str, str]]", completion)]
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
