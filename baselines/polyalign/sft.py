"""The first stage of every arm: fine-tuning on people's replies with TRL's SFTTrainer, each token times its weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from trl import SFTConfig, SFTTrainer

from baselines.policy import load_policy, lora
from baselines.polyalign.profile import OPENINGS
from baselines.polyalign.weighting import per_token, row_weights
from baselines.retention import Retaining, kept
from baselines.sft.trainer import Weighing
from baselines.stage import train_stage
from baselines.trl_glue import arguments, dataset
from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from datasets import Dataset
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

    from baselines.method import Job
    from baselines.needs import Replies
    from baselines.polyalign.data import PeopleRow
    from baselines.polyalign.recipe import Recipe
    from baselines.polyalign.weighting import Weights

TOKEN_WEIGHTS, ROW_WEIGHT, CONTEXT = "token_weights", "row_weight", "context"
IGNORED = -100


class Weighed(NamedTuple):
    """How the tokens of the replies are weighed."""

    weights: Weights
    clip: float = 0.0
    own_length: bool = False
    """Divide a reply's loss by its own number of tokens, not by that of its context."""
    by_batch: bool = False
    """Divide by the sum of the weights of the batch, as published: of a row alone the weight is gone."""


class PeopleSFTTrainer(Retaining, SFTTrainer):  # type: ignore[misc]  # TRL is not typed
    """TRL's, each token times its weight, divided by the number of rows."""

    def __init__(self, *, weighed: Weighed, opening: tuple[str, ...] = (), **kwargs: Any) -> None:
        """Take SFTTrainer's arguments.

        Args:
            weighed: how tokens are weighed.
            opening: texts of which each reply begins with one; their tokens have weight 1.
            **kwargs: SFTTrainer's.
        """
        super().__init__(**kwargs)
        self.by_batch = weighed.by_batch
        this: Any = self
        this.train_dataset = _with_weights(this.train_dataset, weighed, opening, this.processing_class)
        this.data_collator = _WithTokenWeights(this.data_collator)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        if TOKEN_WEIGHTS not in self._signature_columns:
            self._signature_columns.append(TOKEN_WEIGHTS)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        """Rows, not tokens: so many small batches have the gradient of a large one, and no row's share hangs on others'."""
        rows = torch.tensor(sum(len(batch["labels"]) for batch in batch_samples), device=device)
        if self.args.average_tokens_across_devices and self.args.world_size > 1:
            rows = self.accelerator.gather(rows).sum()
        return rows

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """TRL's loss, which adds up what the model says of each token."""
        rest = dict(inputs)
        weights = rest.pop(TOKEN_WEIGHTS)[:, 1:]
        if self.by_batch:
            weights = weights * (len(weights) / weights.sum())
        rows = len(weights) if num_items_in_batch is None else num_items_in_batch
        return super().compute_loss(Weighing(model, weights), rest, return_outputs, rows)


class _WithTokenWeights:
    """A collator that pads the weights as the labels are."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch: dict[str, torch.Tensor] = self.inner(rows)
        weights = torch.zeros(batch["labels"].shape)
        weights[batch["labels"] != IGNORED] = torch.cat(
            [torch.tensor(w)[torch.tensor(r["labels"]) != IGNORED] for r in rows for w in [r[TOKEN_WEIGHTS]]]
        )
        batch[TOKEN_WEIGHTS] = weights
        return batch


def _with_weights(
    rows: Dataset, weighed: Weighed, opening: Sequence[str], tokenizer: PreTrainedTokenizerBase
) -> Dataset:
    """The tokenised rows with a weight for each token; 0 for those of the prompt."""
    labels = [np.array(found) for found in rows["labels"]]
    trained = [found[found != IGNORED] for found in labels]
    unit = per_token([len(t) for t in trained], rows[CONTEXT], own_length=weighed.own_length)
    weights = []
    for found, own, one, row in zip(labels, trained, unit, rows[ROW_WEIGHT], strict=True):
        of_reply = np.full(len(own), one * row)
        if opening:
            of_reply[: _opening(own, opening, tokenizer)] = one
        every = np.zeros(len(found))
        every[found != IGNORED] = of_reply
        weights.append(every.tolist())
    return rows.add_column(TOKEN_WEIGHTS, weights)


def _opening(reply: NDArray[np.int64], texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> int:
    """How many tokens of a reply are its opening."""
    longest = max(len(t) for t in texts) + 1
    for count in range(1, longest + 1):
        if str(tokenizer.decode(reply[:count])).lstrip(" ") in texts:
            return count
    raise UserError(
        "the tokenizer does not write the length's digit as tokens of its own",
        found=repr(tokenizer.decode(reply[:longest])),
        expected=" or ".join(repr(t) for t in texts),
        hint="--set profile=drawn",
    )


def examples(rows: Sequence[PeopleRow], weighed: Weighed) -> list[dict[str, object]]:
    """Rows in the form that the trainer takes."""
    return [
        {
            "prompt": [m.turn() for m in row.prompt],
            "completion": [{"role": "assistant", "content": row.text}],
            CONTEXT: f"{row.language} {row.context}",
            ROW_WEIGHT: float(weight),
        }
        for row, weight in zip(rows, row_weights(rows, weighed.weights, weighed.clip), strict=True)
    ]


def people_stage(
    job: Job[Recipe, Replies],
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[PeopleRow],
    weighed: Weighed,
) -> Path:
    """Fine-tune the base model on people's replies.

    Args:
        job: recipe, model and folder.
        tokenizer: with the chat template that is trained.
        rows: as the model sees them.
        weighed: how their tokens are weighed.
    """
    recipe = job.recipe

    def build(folder: Path) -> SFTTrainer:
        config = SFTConfig(
            **arguments(recipe, folder),
            learning_rate=recipe.learning_rate,
            num_train_epochs=recipe.epochs,
            per_device_train_batch_size=recipe.batch_size,
            completion_only_loss=True,
        )
        model = load_policy(job.source.folder, recipe, job.source.folder)
        return PeopleSFTTrainer(
            weighed=weighed,
            opening=OPENINGS if recipe.profile == "written" else (),
            kept=kept(recipe, tokenizer, job.source.folder),
            model=model,
            args=config,
            train_dataset=dataset(examples(rows, weighed), folder),
            processing_class=tokenizer,
            peft_config=lora(recipe, model),
        )

    return train_stage(job.stage("sft"), "fine-tuning on people's replies", build)
