"""Trains ``walf`` with transformers' Trainer: fits association scores to a target, group by group."""

from __future__ import annotations

import csv
import math
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from accelerate import PartialState
from torch.utils.data import DataLoader

from baselines import retention
from baselines.method import Trained
from baselines.policy import load_tokenizer, lora, uses_bf16
from baselines.stage import train_stage
from baselines.trl_glue import shared_arguments
from baselines.walf.data import GroupedBatches, Sentences, collate, without_last
from baselines.walf.loss import Adaptive, Group, by_pair, divergence
from harness.contract import Contract
from harness.errors import UserError, missing_package
from harness.files import digest
from harness.sampling.hf import association
from harness.sampling.hf.foreign import foreign
from harness.sampling.hf.source import kind_of
from harness.tasks.prompts import select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from transformers import PreTrainedModel

    from baselines.method import Job
    from baselines.needs import OneAttribute
    from baselines.walf.data import Item
    from baselines.walf.recipe import Recipe

LOG = "walf.csv"


class WalfTrainer(transformers.Trainer):
    """Loss on batches of one group; unweighted KL in evaluation."""

    def __init__(
        self,
        *,
        recipe: Recipe,
        masked: bool,
        items: Sequence[Item],
        shape: tuple[int, int],
        kept: retention.Kept | None,
        **kwargs: Any,
    ) -> None:
        """Take the Trainer's arguments, the training items and their (prompts, classes).

        Args:
            recipe: all settings.
            masked: whether the model is a masked one.
            items: what is trained on.
            shape: prompts and classes of each item.
            kept: what the retention term keeps.
            **kwargs: the Trainer's own arguments.
        """
        numbered: Any = list(enumerate(items))
        super().__init__(train_dataset=numbered, **kwargs)
        # The model's forward would take the number of tokens; the loss is ours and does not.
        self.model_accepts_loss_kwargs = False
        self.recipe, self.masked, self.items, self.shape = recipe, masked, items, shape
        self.quirks = recipe.quirks()
        self.half = recipe.kl_half or recipe.as_published
        groups = recipe.masked_groups if masked else recipe.causal_groups
        self.adaptive = Adaptive(
            {name: Group(*constants) for name, constants in groups.items()},
            recipe.beta,
            recipe.count_in_place or recipe.as_published,
            0.0 if recipe.as_published else recipe.floor,
        )
        self.kept = kept
        self._pad: int = kwargs["processing_class"].pad_token_id

    def _drawn(self, batch: Sequence[tuple[int, Item]]) -> dict[str, torch.Tensor]:
        words = self.items[0].inputs.sentences // math.prod(self.shape)
        return collate(batch, self._pad, words, self.recipe.pairs)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Batches of one group each."""
        batches = GroupedBatches([i.group for i in self.items], self.recipe.batch_size, self.args.seed)
        rows: Any = self.train_dataset
        loader: DataLoader[Any] = self.accelerator.prepare(
            DataLoader(rows, batch_sampler=batches, collate_fn=self._drawn)
        )
        return loader

    def scored(self, model: torch.nn.Module, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Scores of a batch: contexts x prompts x classes x words."""
        sentences = int(inputs["sentence"].max()) + 1
        return association.scores(model, inputs, sentences).view(len(inputs["target"]), *self.shape, -1)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor | Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """``lambda * KL / (m + alpha) + gamma * retention``, or the plain mean KL in place of the first term."""
        self._remember()
        members = [self.items[i] for i in inputs["index"].tolist()]
        kl = by_pair(inputs["target"], self.scored(model, inputs), self.quirks, self.half).mean()
        entry: dict[str, Any] = {"group": members[0].group, "contexts": len(members), "kl": kl.item()}
        loss = kl
        if self.recipe.adaptive:
            loss, told = self.adaptive(kl, len(members), members[0].group)
            entry |= told
        if self.kept is not None:
            away = self.kept.loss(model, self.args.device, [t for item in members for t in item.texts])
            loss = loss + self.kept.gamma * away
            entry["retention"] = away.item()
        self.log(entry)
        return loss

    def _remember(self) -> None:
        """The trackers of a training that is taken up again: what it logged says all they have seen."""
        if self.adaptive.trackers or not self.recipe.adaptive:
            return
        for entry in self.state.log_history:
            if "kl" in entry:
                seen: Any = entry
                self.adaptive(torch.tensor(seen["kl"]), seen["contexts"], seen["group"])

    def prediction_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor | Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
        """Mean KL of the shares, unweighted."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            log_shares = association.log_shares(self.scored(model, inputs), self.quirks)
            return divergence(inputs["target"], log_shares, self.half).mean(), None, None

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """The weights, and beside the final ones what every batch was."""
        super().save_model(output_dir, _internal_call)
        if _internal_call or not self.is_world_process_zero():
            return
        rows = [e for e in self.state.log_history if "kl" in e or "eval_loss" in e]
        names = list(dict.fromkeys(k for row in rows for k in row))
        with (Path(output_dir or str(self.args.output_dir)) / LOG).open(
            "w", newline="", encoding="utf-8"
        ) as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def fit(job: Job[Recipe, OneAttribute]) -> Trained:
    """One stage; the epoch that is best on validation contexts, in the training prompts, is kept."""
    recipe, about = job.recipe, job.about
    check(job)
    masked = kind_of(job.source.folder) == "masked"
    tokenizer = load_tokenizer(job.source.folder)
    words = association.paired(about.attribute.classes, str(about.task.source.path))
    trained = without_last(words, recipe.hold_out)
    maker = Sentences(
        about.task, tokenizer, trained, masked=masked, quirks=recipe.quirks(), group_by=recipe.group_by
    )
    contexts, prompts = select(about.task, "train", "train")
    watched, _ = select(about.task, "validation", "train")
    items = maker.items(about.attribute, about.target, contexts, prompts)
    known = recipe.masked_groups if masked else recipe.causal_groups
    for group in sorted({i.group for i in items} - set(known)):
        raise UserError(
            "a group without constants",
            where="masked_groups, causal_groups",
            found=group,
            expected=", ".join(known),
        )
    validation = maker.items(about.attribute, about.target, watched, prompts)
    pad: Any = tokenizer.pad_token_id
    watching: Any = list(enumerate(validation))

    def build(folder: Path) -> WalfTrainer:
        model = load_model(job.source.folder, recipe, masked)
        kept = None
        if recipe.gamma:
            apart = recipe.retention == "kl" and recipe.adapter == "full"
            base = load_model(job.source.folder, recipe, masked) if apart else None
            kept = retention.Kept(
                recipe, tokenizer, base, masked=masked, kind=recipe.retention, sentences=True
            )
        return WalfTrainer(
            recipe=recipe,
            masked=masked,
            items=items,
            shape=(len(prompts), len(trained)),
            kept=kept,
            model=model,
            args=transformers.TrainingArguments(**arguments(recipe, folder)),
            data_collator=partial(collate, pad=pad),
            eval_dataset=watching,
            processing_class=tokenizer,
            callbacks=[transformers.EarlyStoppingCallback(recipe.patience, recipe.min_delta)],
        )

    final = train_stage(job.stage("walf"), "WALF", build)
    return Trained(final, digest([[i.context, i.group, i.target, i.texts] for i in items]), Contract())


def check(job: Job[Recipe, OneAttribute]) -> None:
    """Refuse what cannot be trained, before a model is loaded."""
    if not job.about.task.association:
        raise UserError(
            "WALF trains associations",
            where=str(job.about.task.source.path),
            expected="association: COLUMN in the task",
        )
    if (processes := PartialState().num_processes) > 1:
        raise UserError(
            "WALF trains in one process: its trackers see every batch",
            found=processes,
            hint="without accelerate launch",
        )
    if job.recipe.four_bit and job.recipe.adapter == "full":
        raise UserError("a base in 4 bits is frozen", where="four_bit", expected="adapter: lora")


def arguments(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """The Trainer's arguments: an evaluation and a checkpoint each epoch, the best one kept."""
    return {
        **shared_arguments(recipe, folder),
        "learning_rate": recipe.learning_rate,
        "num_train_epochs": recipe.epochs,
        "per_device_train_batch_size": recipe.batch_size,
        "per_device_eval_batch_size": recipe.batch_size,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "logging_steps": 10,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        "restore_callback_states_from_checkpoint": True,
        "remove_unused_columns": False,
    }


def load_model(folder: Path, recipe: Recipe, masked: bool) -> PreTrainedModel:
    """The model to train, under a fresh adapter where the recipe asks for one."""
    auto: Any = transformers.AutoModelForMaskedLM if masked else transformers.AutoModelForCausalLM
    half = uses_bf16(recipe.precision) and recipe.adapter == "lora"
    more = {"quantization_config": _four_bit()} if recipe.four_bit else {}
    with foreign("transformers cannot load this model", str(folder)):
        model = auto.from_pretrained(folder, dtype=torch.bfloat16 if half else torch.float32, **more)
    config = lora(recipe, model)
    if config is None:
        # Tied weights are saved once; the Trainer takes the others for lost unless they are named here.
        model._keys_to_ignore_on_save = set(model.all_tied_weights_keys)
        whole: PreTrainedModel = model
        return whole
    from peft import get_peft_model, prepare_model_for_kbit_training

    # The adapter's first weights are drawn here, before the Trainer seeds anything.
    transformers.set_seed(recipe.seed)
    if recipe.four_bit:
        model = prepare_model_for_kbit_training(
            model, use_gradient_checkpointing=recipe.gradient_checkpointing
        )
    elif recipe.gradient_checkpointing:
        model.enable_input_require_grads()
    if masked:
        config.task_type = None
    adapted: PreTrainedModel = get_peft_model(model, config)  # of the base's class, as the Trainer sees it
    return adapted


def _four_bit() -> object:
    if find_spec("bitsandbytes") is None:
        raise missing_package("a base in 4 bits", "bitsandbytes", "train")
    make: Any = transformers.BitsAndBytesConfig
    return make(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
