"""What the trainings of the tiny models share: batches of equal size in tokens, and a Trainer without output."""

from __future__ import annotations

import json
import tempfile
from typing import TYPE_CHECKING

import torch
import transformers

from baselines.seed import packing
from harness.progress import say
from harness.sampling.hf.padding import filled, padded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

THREADS = 1
"""One, however many cores there are: sums in another order would give other weights."""
Labelled = tuple[list[int], list[int]]
"""Token ids and labels of one example."""
Batch = dict[str, torch.Tensor]


def groups(lengths: Sequence[int], tokens: int, rng: np.random.Generator) -> list[list[int]]:
    """Indices of rows of similar length together, ``tokens`` a group with padding, in a random order."""
    order = sorted((int(i) for i in rng.permutation(len(lengths))), key=lambda i: lengths[i])
    made, start = [], 0
    while start < len(order):
        end = start
        while end < len(order) and (end - start + 1) * lengths[order[end]] <= tokens:
            end += 1
        end = max(end, start + 1)
        made.append(order[start:end])
        start = end
    return [made[i] for i in rng.permutation(len(made))]


def batches(rows: Sequence[Labelled], tokens: int, pad: int, rng: np.random.Generator) -> list[Batch]:
    """Rows of similar length together, ``tokens`` of them a batch, in a random order."""
    return [_batch([rows[i] for i in group], pad) for group in groups([len(r[0]) for r in rows], tokens, rng)]


def _batch(rows: Sequence[Labelled], pad: int) -> Batch:
    return {**padded([ids for ids, _ in rows], pad), "labels": filled([labels for _, labels in rows], -100)}


class _Trainer(transformers.Trainer):
    """Scores only the positions that are learned, a fraction of all: the vocabulary is the dearest layer."""

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,  # the signature is transformers'
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Mean cross-entropy over the learned tokens."""
        if isinstance(model, transformers.LlamaForCausalLM):
            return branched_loss(model, inputs)
        assert isinstance(model, transformers.BertForMaskedLM)  # noqa: S101  # the only other
        states = model.bert(inputs["input_ids"], attention_mask=inputs["attention_mask"]).last_hidden_state
        learned = inputs["labels"] != -100
        return torch.nn.functional.cross_entropy(model.cls(states[learned]), inputs["labels"][learned])


def branched_loss(model: transformers.LlamaForCausalLM, inputs: Batch) -> torch.Tensor:
    """The loss of a batch of ``packing``."""
    states = model.model(
        inputs["input_ids"],
        attention_mask=packing.sight(inputs["branches"]),
        position_ids=inputs["position_ids"],
    ).last_hidden_state
    losses = torch.nn.functional.cross_entropy(
        model.lm_head(states.flatten(0, 1)[inputs["at"]]), inputs["labels"], reduction="none"
    )
    weights = inputs["weights"]
    return (losses * weights).sum() / weights.sum()


def fit(model: PreTrainedModel, data: Sequence[Batch], learning_rate: float, seed: int) -> None:
    """Train the model in place, once through the batches in their order."""
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = transformers.TrainingArguments(
            output_dir=scratch,
            per_device_train_batch_size=1,
            num_train_epochs=1,
            learning_rate=learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=0.05,
            adam_beta2=0.98,
            weight_decay=0.01,
            max_grad_norm=1.0,
            train_sampling_strategy="sequential",
            logging_steps=200,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            seed=seed,
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        trainer = _Trainer(
            model=model, args=arguments, train_dataset=data, data_collator=lambda found: found[0]
        )
        trainer.train()
    say(f"{len(data)} steps, {sum(b['input_ids'].numel() for b in data)} tokens")


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, card: str, out: Path) -> None:
    """Write a folder that transformers loads: weights rounded to 16 bits, computed with in 32."""
    out.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(str(out))  # type: ignore[no-untyped-call]  # not annotated
    tokenizer.save_pretrained(str(out))
    path = out / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    # A float32 model is what is meant; half precision is how the file is kept small.
    config["dtype"] = "float32"
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (out / "README.md").write_text(card, encoding="utf-8")
