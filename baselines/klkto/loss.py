"""The loss of ``klkto``: TRL's KTO loss, a KL term on the steering token, and a baseline from other prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from trl import KTOTrainer
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

from baselines.klkto.steering import Steered, add_steering_head, steering_kl
from baselines.pooling import ReferencedOnce, Seen, Weighted
from baselines.retention import Retaining
from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from datasets import Dataset
    from trl import KTOConfig

    from baselines.klkto.recipe import Ablation


@dataclass
class SteeringCollator(DataCollatorForUnpairedPreference):  # type: ignore[misc]  # TRL is not typed
    """Adds where the steering position of each prompt is, once per distinct prompt, and the target there."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """The batch."""
        batch: dict[str, torch.Tensor] = super().torch_call(examples)
        seen: set[tuple[int, ...]] = set()
        positions = []
        for item in examples:
            prompt = tuple(item["prompt_ids"])
            positions.append(-1 if prompt in seen else len(prompt) - 1)
            seen.add(prompt)
        batch["steering"] = torch.tensor(positions)
        batch["target"] = torch.tensor([item["target"] for item in examples], dtype=torch.float32)
        return batch


class KLKTOTrainer(Retaining, ReferencedOnce, Weighted, KTOTrainer):  # type: ignore[misc]  # TRL is not typed
    """``mean KTO loss + kl_weight * mean over the batch's prompts of KL(target || model)``."""

    def __init__(
        self, *, steering: Sequence[int], kl_weight: float, ablation: Ablation, **kwargs: Any
    ) -> None:
        """Take KTOTrainer's arguments and the steering tokens' ids in class order."""
        self.kl_weight, self.ablation, self.classes = kl_weight, ablation, len(steering)
        super().__init__(**kwargs)
        self.data_collator.inner = SteeringCollator(
            pad_token_id=self.processing_class.pad_token_id,
            max_length=self.args.max_length,
            pad_to_multiple_of=self.args.pad_to_multiple_of,
        )
        inner = self.accelerator.unwrap_model(self.model)
        add_steering_head(inner.get_base_model() if hasattr(inner, "peft_config") else inner, steering)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        columns: list[str] = self._signature_columns
        if "target" not in columns:
            columns.append("target")

    def _prepare_dataset(
        self, dataset: Dataset, processing_class: object, args: KTOConfig, dataset_name: str
    ) -> Dataset:
        prepared = super()._prepare_dataset(dataset, processing_class, args, dataset_name)
        other = mismatched(
            list(prepared["prompt_ids"]), list(prepared["completion_ids"]), args.per_device_train_batch_size
        )
        return prepared.remove_columns("KL_completion_ids").add_column("KL_completion_ids", other)

    def _precompute_ref_logps(self, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        if self.ablation == "kl_only":
            return dataset  # it compares with no reference
        return super()._precompute_ref_logps(dataset, name, batch_size)

    def _compute_kl_logps(self, model: Any, batch: dict[str, torch.Tensor]) -> Any:
        plain = model.model if isinstance(model, (Steered, Seen)) else model
        self.baseline = super()._compute_kl_logps(plain, batch)
        return self.baseline

    def _compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool
    ) -> torch.Tensor:
        batch, weight = self.apart(inputs)
        target, positions = batch.pop("target"), batch.pop("steering")
        if self.ablation == "kto_only":
            return self._kto(Seen(model), batch, weight)
        steered = Steered(model, positions, self.classes)
        if self.ablation == "kl_only":
            loss = self._forward_prompts(steered, batch)
        else:
            loss = self._kto(steered, batch, weight)
        assert steered.log_probs is not None  # noqa: S101  # the forward above has filled it
        here = positions >= 0
        log_probs = steered.log_probs[here]
        divergence = steering_kl(log_probs, target[here]).mean()
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["steering/kl"].append(divergence.item())
        metrics["steering/mass"].append(log_probs.detach().exp().sum(-1).mean().item())
        return loss + self.kl_weight * divergence

    def _kto(
        self, seen: Seen | Steered, batch: dict[str, torch.Tensor], weight: torch.Tensor | None
    ) -> torch.Tensor:
        """TRL's loss, or with weights the same: each row's times its weight, the baseline their weighted mean."""
        plain: torch.Tensor = super()._compute_loss(seen, batch, False)
        if weight is None:
            return plain
        ratio = seen.outputs.log_probs[:, 1 - batch["input_ids"].shape[1] :].sum(-1) - batch["ref_logps"]
        away = weight * (self.baseline - batch["ref_KL_logps"])
        total, weights = self.accelerator.gather(torch.stack([away.sum(), weight.sum()])[None]).sum(0)
        gain = torch.where(batch["label"], 1.0, -1.0) * (ratio - (total / weights).clamp(min=0))
        ours = torch.where(batch["label"], self.desirable_weight, self.undesirable_weight)
        return (weight * ours * (1 - torch.sigmoid(self.beta * gain))).mean()

    def _forward_prompts(self, steered: Steered, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Forward without a completion to score; its loss is 0."""
        steered(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            labels=torch.full_like(batch["input_ids"], -100),
            fused_lm_head=True,
        )
        return batch["input_ids"].new_zeros((), dtype=torch.float32)


def mismatched(
    prompts: Sequence[Sequence[int]], completions: Sequence[list[int]], size: int
) -> list[list[int]]:
    """For each row the completion of another prompt: what KTO's baseline is estimated from.

    It is the nearest earlier row of another prompt, going round within the row's batch of ``size``, so that
    as far as possible a batch's baseline comes from its own completions; where a batch holds one prompt
    alone, the nearest earlier row of all.
    """
    found = []
    for i, prompt in enumerate(prompts):
        start = i - i % size
        width = min(size, len(prompts) - start)
        near = (start + (i - start - s) % width for s in range(1, width))
        far = ((i - s) % len(prompts) for s in range(1, len(prompts)))
        other = next((j for places in (near, far) for j in places if prompts[j] != prompt), None)
        if other is None:
            raise UserError(
                "KTO's baseline needs completions of other prompts, and there is one training prompt",
                expected="at least two different training prompts",
                hint="--set ablation=kl_only",
            )
        found.append(list(completions[other]))
    return found
