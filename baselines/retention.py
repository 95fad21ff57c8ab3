"""What keeps a model's language: its loss on, or its distance from its own base at, single tokens of texts."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
import transformers
from accelerate.utils import extract_model_from_parallel

from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from baselines.recipe import TrainingRecipe

Measure = Literal["ce", "kl"]


@dataclass(frozen=True, slots=True)
class Text:
    """Token ids, and which of them are the text's own and not marks around it."""

    ids: tuple[int, ...]
    own: tuple[int, ...]


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], longest: int) -> list[Text]:
    """Texts cut after ``longest`` tokens; those without two tokens are left out."""
    if not texts:
        return []
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
    inner = extract_model_from_parallel(model)
    off: AbstractContextManager[object] = inner.disable_adapter() if base is None else nullcontext()
    with torch.no_grad(), off:
        there = at_places(base or model, batch)
    return torch.nn.functional.kl_div(here, there, log_target=True, reduction="batchmean")


def lines(path: Path | None) -> list[str]:
    """A file's texts, one a line."""
    return [t for t in path.read_text(encoding="utf-8").splitlines() if t.strip()] if path else []


class Kept:
    """How the base goes on in texts that the rows say nothing about: what a training should leave as it is."""

    def __init__(self, recipe: TrainingRecipe, tokenizer: PreTrainedTokenizerBase, base: Path) -> None:
        """Read the texts; the base is loaded a second time where there is no adapter to switch off."""
        self.gamma, self.rows = recipe.gamma, recipe.retention_rows
        self.pad = cast("int", tokenizer.pad_token_id)
        self.texts = encode(tokenizer, lines(recipe.retained()), recipe.max_length)
        if not self.texts:
            raise UserError(
                "no text of two tokens or more", where="retention_text", found=recipe.retention_text
            )
        self.base: Any = None
        if recipe.adapter == "full":
            self.base = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)

    def term(self, model: Any, device: torch.device) -> torch.Tensor:
        """``gamma`` times the mean KL(base || model) over the tokens of ``rows`` texts, drawn anew."""
        if self.base is not None:
            self.base.to(device)
        batch = causal_batch(self.texts, self.rows, self.pad)
        return self.gamma * loss(model, {k: v.to(device) for k, v in batch.items()}, "kl", self.base)


def kept(recipe: TrainingRecipe, tokenizer: PreTrainedTokenizerBase, base: Path) -> Kept | None:
    """What a recipe asks to keep."""
    return Kept(recipe, tokenizer, base) if recipe.gamma else None


class Retaining:
    """Adds the retention term to the loss of the trainer that comes after it in a class's bases."""

    def __init__(self, *, kept: Kept | None = None, **kwargs: Any) -> None:
        """Take the trainer's own arguments, and what is to be kept."""
        self.kept = kept
        super().__init__(**kwargs)

    def compute_loss(
        self: Any,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The trainer's loss, and the term where there is one."""
        found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[misc]
        if self.kept is None or return_outputs:
            return found
        term = self.kept.term(model, self.args.device)
        self._metrics["train"]["retention"].append(term.item())
        # A loss per token of all of a step's batches is not divided by their number any more.
        divided = self.loss_is_scaled_for_ga is None and num_items_in_batch is not None
        return found + term / (self.current_gradient_accumulation_steps if divided else 1)
