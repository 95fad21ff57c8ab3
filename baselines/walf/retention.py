"""What keeps a model's language: its loss on, or its distance from its own base at, single tokens of texts."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from transformers import PreTrainedTokenizerBase

Measure = Literal["ce", "kl"]


@dataclass(frozen=True, slots=True)
class Text:
    """Token ids, and which of them are the text's own and not marks around it."""

    ids: tuple[int, ...]
    own: tuple[int, ...]


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], longest: int) -> list[Text]:
    """Texts cut after ``longest`` tokens; those without two tokens are left out."""
    found = tokenizer(list(texts), truncation=True, max_length=longest, return_special_tokens_mask=True)
    made = []
    for ids, special in zip(found["input_ids"], found["special_tokens_mask"], strict=True):
        own = tuple(i for i, mark in enumerate(special) if not mark)
        if len(own) > 1:
            made.append(Text(tuple(ids), own))
    return made


def masked_batch(texts: Sequence[Text], rows: int, mask: int, pad: int) -> dict[str, torch.Tensor]:
    """``rows`` single tokens of the texts, each masked alone; all of them where ``rows`` is 0.

    Tokens are drawn with equal chances, so their mean loss is, on average, that over all tokens of all texts.
    """
    places = [(t, i) for t, text in enumerate(texts) for i in text.own]
    if 0 < rows < len(places):
        places = [places[k] for k in torch.randperm(len(places))[:rows].tolist()]
    batch = _padded([texts[t].ids for t, _ in places], pad)
    row, at = torch.arange(len(places)), torch.tensor([i for _, i in places])
    token = batch["input_ids"][row, at]
    batch["input_ids"][row, at] = mask
    return {**batch, "place": row * batch["input_ids"].shape[1] + at, "token": token}


def causal_batch(texts: Sequence[Text], rows: int, pad: int) -> dict[str, torch.Tensor]:
    """``rows`` whole texts, every token predicted from those before it; all of them where ``rows`` is 0."""
    chosen = list(texts)
    if 0 < rows < len(chosen):
        chosen = [chosen[k] for k in torch.randperm(len(chosen))[:rows].tolist()]
    batch = _padded([t.ids for t in chosen], pad)
    ids, mask = batch["input_ids"], batch["attention_mask"]
    row, at = mask[:, 1:].nonzero(as_tuple=True)
    return {**batch, "place": row * ids.shape[1] + at, "token": ids[row, at + 1]}


def _padded(rows: Sequence[Sequence[int]], pad: int) -> dict[str, torch.Tensor]:
    width = max(len(r) for r in rows)
    return {
        "input_ids": torch.tensor([[*r, *[pad] * (width - len(r))] for r in rows]),
        "attention_mask": torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in rows]),
    }


def at_places(model: Callable[..., Any], batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Log-probabilities over the vocabulary at the batch's places, in float32."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    picked: torch.Tensor = logits.flatten(0, 1)[batch["place"]]
    return picked.float().log_softmax(-1)


def loss(model: Any, batch: dict[str, torch.Tensor], measure: Measure, base: Any) -> torch.Tensor:
    """Mean over the batch's places of the cross-entropy, or of KL(base || model).

    Args:
        model: the model that is trained.
        batch: of ``masked_batch`` or ``causal_batch``.
        measure: which of the two.
        base: the frozen base; None takes the model itself with its adapter switched off.
    """
    here = at_places(model, batch)
    if measure == "ce":
        return -here.gather(-1, batch["token"][:, None]).mean()
    off: AbstractContextManager[object] = model.disable_adapter() if base is None else nullcontext()
    with torch.no_grad(), off:
        there = at_places(base or model, batch)
    return torch.nn.functional.kl_div(here, there, log_target=True, reduction="batchmean")
