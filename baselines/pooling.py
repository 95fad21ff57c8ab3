"""Distinct rows: rows that are the same are trained on once, with their number as weight."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch.utils.data import Sampler

from harness.files import digest, write_atomic
from harness.progress import Steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from datasets import Dataset

    from baselines.recipe import Pooling

WEIGHT, GROUP = "weight", "group"
REFERENCE = "reference.json"
"""File of a stage with what its reference says about the rows."""


def pooled(examples: Sequence[Mapping[str, object]], pooling: Pooling) -> list[dict[str, object]]:
    """Examples as they are, or each distinct one with how often it occurs and the number of its prompt."""
    if pooling == "all":
        return [dict(e) for e in examples]
    prompts: dict[str, dict[str, list[Mapping[str, object]]]] = {}
    for example in examples:
        same = prompts.setdefault(json.dumps(example["prompt"]), {})
        same.setdefault(json.dumps(example), []).append(example)
    return [
        {**rows[0], WEIGHT: float(len(rows)), GROUP: group}
        for group, same in enumerate(prompts.values())
        for rows in same.values()
    ]


class WholePrompts(Sampler[int]):
    """Prompts in a new order each epoch, the rows of each side by side.

    A step that sees all answers of a prompt has no noise where the model gives them their shares.
    """

    def __init__(self, groups: Sequence[int], seed: int) -> None:
        self.seed, self.epoch, self.size = seed, 0, len(groups)
        members: dict[int, list[int]] = {}
        for index, group in enumerate(groups):
            members.setdefault(group, []).append(index)
        self.members = list(members.values())

    def set_epoch(self, epoch: int) -> None:
        """The order is that of an epoch, also where a training is taken up again."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        for k in rng.permutation(len(self.members)):
            yield from self.members[k]


class _WithNumbers:
    """A collator that hands on numbers of each row beside what another one makes of the rows."""

    def __init__(self, inner: Any, columns: Sequence[str]) -> None:
        self.inner, self.columns = inner, columns

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch: dict[str, torch.Tensor] = self.inner(rows)
        for column in self.columns:
            if column in rows[0]:
                batch[column] = torch.tensor([row[column] for row in rows])
        return batch


class Weighted:
    """Brings the weights of a trainer's rows to its loss; goes before the trainer in a class's bases.

    Weights are divided by their mean over all rows of the training, never over a batch's, so that small batches whose
    gradients are added up have the gradient of a large one.
    """

    mean_weight: float
    numbers: ClassVar[tuple[str, ...]] = (WEIGHT,)
    """Columns of the rows with a number for the loss, which the model must not see."""

    def __init__(self, **kwargs: Any) -> None:
        """Take the trainer's own arguments."""
        super().__init__(**kwargs)
        this: Any = self
        this.data_collator = _WithNumbers(this.data_collator, this.numbers)
        self.mean_weight = self._mean_weight(this.train_dataset)

    def _mean_weight(self, rows: Dataset) -> float:
        return float(np.mean(rows[WEIGHT])) if WEIGHT in rows.column_names else 1.0

    def _set_signature_columns_if_needed(self: Any) -> None:
        super()._set_signature_columns_if_needed()  # type: ignore[misc]  # the trainer's
        self._signature_columns += [c for c in self.numbers if c not in self._signature_columns]

    def _get_train_sampler(self: Any, train_dataset: Dataset | None = None) -> Any:
        if self.args.train_sampling_strategy == "random" and GROUP in self.train_dataset.column_names:
            return WholePrompts(self.train_dataset[GROUP], self.args.seed)
        return super()._get_train_sampler(train_dataset)  # type: ignore[misc]  # the trainer's

    def apart(
        self, inputs: Mapping[str, torch.Tensor]
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor | None]:
        """A batch without the weights, and these, 1 on average over all rows; None where rows have none."""
        rest = dict(inputs)
        weight = rest.pop(WEIGHT, None)
        return rest, None if weight is None else weight / self.mean_weight


class Seen:
    """A model whose last output is kept, for a loss that is made of it anew."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.outputs: Any = None

    def __call__(self, **kwargs: Any) -> Any:
        """Forward."""
        self.outputs = self.model(**kwargs)
        return self.outputs


class ReferencedOnce:
    """Scores each distinct row by the reference once, says how far that is, and keeps it for a resumed training."""

    _told: Steps | None = None

    def _precompute_ref_logps(self: Any, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        columns = [c for c in dataset.column_names if c.endswith("_ids")]
        keys = [json.dumps(row) for row in zip(*(list(dataset[c]) for c in columns), strict=True)]
        first = {key: i for i, key in reversed(list(enumerate(keys)))}
        places = sorted(first.values())
        file, rows = Path(self.args.output_dir) / REFERENCE, digest(keys)
        known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        if known.get("rows") != rows:
            self._told = Steps("reference log-probabilities", len(places), "rows")
            scored = super()._precompute_ref_logps(dataset.select(places), name, batch_size)  # type: ignore[misc]  # the trainer's
            new = [c for c in scored.column_names if c not in dataset.column_names]
            known = {"rows": rows, "scores": {c: list(scored[c]) for c in new}}
            if self.is_world_process_zero():
                write_atomic(file, json.dumps(known))
        at = {keys[place]: k for k, place in enumerate(places)}
        for column, scores in known["scores"].items():
            dataset = dataset.add_column(column, [scores[at[key]] for key in keys])
        return dataset

    def compute_ref_log_probs(self: Any, model: Any, inputs: dict[str, torch.Tensor]) -> Any:
        """The trainer's, counted; the reference must not see the numbers either."""
        rest = {k: v for k, v in inputs.items() if k not in self.numbers}
        found = super().compute_ref_log_probs(model, rest)  # type: ignore[misc]  # the trainer's
        if self._told is not None:
            self._told.reach(self._told.done + len(found[0]) * self.accelerator.num_processes)
        return found
