"""One training stage: runs a TRL trainer, saves states from which it can resume, and the weights at the end."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import transformers
from transformers import TrainerCallback

from baselines.beginnings import share_beginnings
from baselines.pooling import REFERENCE
from baselines.trl_glue import ROWS
from harness.files import make_folder
from harness.progress import Steps, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments

WHOLE = "whole"
"""Marks a checkpoint whose every file was written before the process went away."""


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
    share_beginnings(trainer.accelerator.unwrap_model(trainer.model))
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
        (folder / REFERENCE).unlink(missing_ok=True)
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
        self.steps = Steps(name, 0)
        self.loss = ""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.steps = Steps(self.name, state.max_steps, done=state.global_step)
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
        if logs and "loss" in logs:
            self.loss = f"loss {float(logs['loss']):.4f}, "

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if state.is_world_process_zero:
            self.steps.reach(state.global_step, self.loss)

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
