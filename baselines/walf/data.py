"""Training data of ``walf``: for each context its sentences, its target and its group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Sampler

from harness.errors import UserError
from harness.sampling.hf import association
from harness.sampling.hf.chat import Chat
from harness.tasks.prompts import render
from harness.terms import SLOT, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from transformers import PreTrainedTokenizerBase

    from harness.sampling.hf.association import Inputs, Quirks, Words
    from harness.tasks.prompts import Rendered
    from harness.tasks.target import Target
    from harness.tasks.task import Attribute, Context, Task
    from harness.tasks.task_file import PromptSpec


@dataclass(frozen=True, slots=True)
class Item:
    """One context with the sentences of all its prompts, prompt by prompt, class by class, word by word."""

    context: str
    group: str
    target: tuple[float, ...]
    texts: tuple[str, ...]
    inputs: Inputs


class Sentences:
    """Makes items for one model and one set of words."""

    def __init__(
        self,
        task: Task,
        tokenizer: PreTrainedTokenizerBase,
        words: Words,
        *,
        masked: bool,
        quirks: Quirks,
        group_by: str,
    ) -> None:
        """Take what all items share; ``group_by`` is a column of the contexts."""
        self.task, self.words, self.masked, self.quirks = task, words, masked, quirks
        self.group_by = group_by
        self.chat = Chat(tokenizer, "none" if masked else "auto")

    def items(
        self, attribute: Attribute, target: Target, contexts: Sequence[Context], prompts: Sequence[PromptSpec]
    ) -> list[Item]:
        """An item per context, each asked in every prompt."""
        shares = target.matrix(self.task, attribute, [c.id for c in contexts])
        asked: dict[str, list[Rendered]] = {c.id: [] for c in contexts}
        for rendered in render(self.task, contexts, prompts, {"choice": SLOT}):
            asked[rendered.context].append(rendered)
        made = []
        for context, row in zip(contexts, shares, strict=True):
            if len(asked[context.id]) != len(prompts):
                raise UserError(
                    "a context that not every prompt is about",
                    where=str(self.task.source.path),
                    found=context.id,
                    expected="prompts without 'contexts'",
                )
            if self.group_by not in context.fields:
                raise UserError(
                    "contexts without the column that groups them",
                    where="group_by",
                    found=self.group_by,
                    expected=", ".join(context.fields),
                )
            texts: list[str] = []
            parts = []
            for rendered in asked[context.id]:
                filled, inputs = self._one(rendered, context.fields[self.task.association])
                texts += [f.text for f in filled]
                parts.append(inputs)
            made.append(
                Item(
                    context.id,
                    context.fields[self.group_by],
                    tuple(float(s) for s in row),
                    tuple(texts),
                    association.merge(parts),
                )
            )
        return made

    def _one(self, rendered: Rendered, about: str) -> tuple[list[association.Filled], Inputs]:
        request = Request(rendered.context, rendered.prompt, 0, 1, 0, rendered.messages, rendered.text)
        filled = association.fill(self.chat.render(request), about, self.words, rendered.prompt)
        if self.masked:
            return filled, association.masked_inputs(self.chat.tokenizer, filled, self.quirks)
        templated = bool(rendered.messages and self.chat.template)
        return filled, association.causal_inputs(self.chat, filled, templated, self.quirks)


def without_last(words: Words, count: int) -> Words:
    """All but the last ``count`` words of each class, which are kept for measuring."""
    if count >= min(len(found) for found in words.values()):
        raise UserError("no word is left to train on", where="hold_out", found=count)
    return {name: found[: len(found) - count] for name, found in words.items()}


def collate(
    items: Sequence[tuple[int, Item]], pad: int, words: int = 0, drawn: int = 0
) -> dict[str, torch.Tensor]:
    """A batch: targets first, since the trainer takes the number of examples from there.

    Args:
        items: their places in the data, and they themselves.
        pad: what rows are filled up with.
        words: how many each class has.
        drawn: so many pairs of them, drawn anew for the batch; 0 takes all.
    """
    inputs = [item.inputs for _, item in items]
    if 0 < drawn < words:
        pairs = torch.randperm(words)[:drawn].tolist()
        chosen = [at + i for at in range(0, inputs[0].sentences, words) for i in pairs]
        inputs = [association.only(one, chosen) for one in inputs]
    joint = association.merge(inputs)
    return {
        "target": torch.tensor([item.target for _, item in items]),
        "index": torch.tensor([index for index, _ in items]),
        **association.tensors(joint, pad),
    }


class GroupedBatches(Sampler[list[int]]):
    """Batches of one group each, shuffled within groups and among them, anew in each epoch."""

    def __init__(self, groups: Sequence[str], size: int, seed: int) -> None:
        self.size, self.seed, self.epoch = size, seed, 0
        members: dict[str, list[int]] = {}
        for index, group in enumerate(groups):
            members.setdefault(group, []).append(index)
        self.members: Mapping[str, list[int]] = members

    def set_epoch(self, epoch: int) -> None:
        """The order is that of an epoch, also where a training is taken up again."""
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(-(-len(found) // self.size) for found in self.members.values())

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        batches = []
        for found in self.members.values():
            order = [found[k] for k in rng.permutation(len(found))]
            batches += [order[i : i + self.size] for i in range(0, len(order), self.size)]
        yield from (batches[k] for k in rng.permutation(len(batches)))
