"""Wordings as rows of tokens, and their probabilities, for the choices measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.errors import UserError
from harness.sampling.hf.budget import survives
from harness.sampling.hf.padding import filled, padded
from harness.sampling.wordings import shared, written
from harness.terms import SLOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness.sampling.hf.budget import Budget
    from harness.sampling.hf.chat import Chat
    from harness.terms import Request

IGNORED = -100
"""A target that is not scored."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Token ids and, at each position, the token whose probability counts there, or ``IGNORED``."""

    ids: Sequence[int]
    targets: Sequence[int]


def log_probabilities(
    model: PreTrainedModel, batch: Sequence[Scored], pad: int, masked: bool
) -> torch.Tensor:
    """Sum of the log-probabilities of each row's targets, one forward pass; gradients flow if they are on.

    In a causal model the target at a position is predicted from the position before it.
    """
    inputs = {name: x.to(model.device) for name, x in padded([row.ids for row in batch], pad).items()}
    targets = filled([row.targets for row in batch], IGNORED).to(model.device)
    logits = model(**inputs).logits
    if not masked:
        logits, targets = logits[:, :-1], targets[:, 1:]
    owner, place = (targets != IGNORED).nonzero(as_tuple=True)
    gained = logits[owner, place].float().log_softmax(-1).gather(-1, targets[owner, place][:, None])[:, 0]
    sums = torch.zeros(len(batch), device=model.device, dtype=torch.float64)
    return sums.index_add(0, owner, gained.double())


def score_all(
    model: PreTrainedModel, rows: Sequence[Scored], pad: int, masked: bool, budget: Budget
) -> NDArray[np.float64]:
    """Log-probabilities of many rows in batches that fit in memory, without gradients."""
    out = np.full(len(rows), np.nan)
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i].ids))
    start = 0
    while start < len(order):
        longest = len(rows[order[start]].ids)
        positions = min(budget.prefill, budget.bytes // budget.logit_bytes)
        batch = order[start : start + max(1, min(budget.rows, positions // longest))]

        def score(batch: Sequence[int] = batch) -> None:
            with torch.inference_mode():
                sums = log_probabilities(model, [rows[i] for i in batch], pad, masked)
            out[batch] = sums.cpu().numpy()

        if survives(score):
            start += len(batch)
        else:
            budget.halve(len(batch))
    return out


def masked_row(
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    scored: tuple[int, int],
    hidden: Iterable[tuple[int, int]] = (),
) -> Scored:
    """``text`` with the words at the character span ``scored`` masked and scored, those at ``hidden`` masked only."""
    found = tokenizer(text, return_offsets_mapping=True, truncation=False, verbose=False)
    ids = list(found["input_ids"])
    targets = [IGNORED] * len(ids)
    mask = tokenizer.mask_token_id
    hidden = list(hidden)
    for i, (a, b) in enumerate(found["offset_mapping"]):
        if a < b and a < scored[1] and b > scored[0]:
            targets[i] = ids[i]
        if a < b and any(a < end and b > begin for begin, end in (scored, *hidden)):
            ids[i] = mask
    return Scored(ids, targets)


def masked_group(chat: Chat, request: Request, wordings: Sequence[str]) -> list[Scored]:
    """A row per wording: its pieces masked and scored in their place."""
    before, slot, after = chat.render(request).partition(SLOT)
    if not slot:
        raise UserError(
            "a masked model needs a slot in the prompt",
            where=request.prompt,
            expected="{{ choice }} in its text",
        )
    rows = []
    for wording in wordings:
        text = before + wording + after.replace(SLOT, wording)
        row = masked_row(chat.tokenizer, text, (len(before), len(before) + len(wording)))
        if all(target == IGNORED for target in row.targets):
            raise UserError("a wording that is no token of this model", where=request.prompt, found=wording)
        rows.append(row)
    return rows


def causal_group(chat: Chat, request: Request, wordings: Sequence[str]) -> list[Scored]:
    """A row per wording: the filled text or the reply, scored from where the wordings' tokens part."""
    templated = bool(request.messages and chat.template)
    rows = chat.tokens(written(request, wordings, chat.render, templated=templated), templated)
    same = shared(rows)
    if not same:
        rows, same = [[*chat.start(), *r] for r in rows], 1
    return [Scored(r, [IGNORED] * same + r[same:]) for r in rows]
