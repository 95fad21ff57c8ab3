"""Retention losses, which keep a model's language: its own loss, or its distance from its base, at tokens of texts."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import transformers
from accelerate.utils import extract_model_from_parallel

from baselines.recipe import SENTENCES
from harness.errors import UserError
from harness.sampling.hf.padding import padded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from baselines.recipe import RetentionLoss, TuningRecipe


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
    batch = padded([texts[t].ids for t, _ in places], pad)
    row, at = torch.arange(len(places)), torch.tensor([i for _, i in places])
    token = batch["input_ids"][row, at]
    batch["input_ids"][row, at] = mask
    return {**batch, "place": row * batch["input_ids"].shape[1] + at, "token": token}


def causal_batch(texts: Sequence[Text], rows: int, pad: int) -> dict[str, torch.Tensor]:
    """``rows`` whole texts, every token predicted from those before it; all of them where ``rows`` is 0."""
    chosen = list(texts)
    if 0 < rows < len(chosen):
        chosen = [chosen[k] for k in torch.randperm(len(chosen))[:rows].tolist()]
    batch = padded([t.ids for t in chosen], pad)
    ids, mask = batch["input_ids"], batch["attention_mask"]
    row, at = mask[:, 1:].nonzero(as_tuple=True)
    return {**batch, "place": row * ids.shape[1] + at, "token": ids[row, at + 1]}


def at_places(model: Callable[..., Any], batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Log-probabilities over the vocabulary at the batch's places, in float32."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    picked: torch.Tensor = logits.flatten(0, 1)[batch["place"]]
    return picked.float().log_softmax(-1)


def loss(model: Any, batch: dict[str, torch.Tensor], kind: RetentionLoss, base: Any) -> torch.Tensor:
    """Mean over the batch's places of the cross-entropy, or of KL(base || model).

    Args:
        model: the model that is trained.
        batch: of ``masked_batch`` or ``causal_batch``.
        kind: which of the two.
        base: the frozen base; None takes the model itself with its adapter switched off.
    """
    here = at_places(model, batch)
    if kind == "ce":
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
    """How the base goes on in texts that are not trained on: what a training should leave as it is."""

    def __init__(
        self,
        recipe: TuningRecipe,
        tokenizer: PreTrainedTokenizerBase,
        base: Any,
        *,
        masked: bool = False,
        kind: RetentionLoss = "kl",
        sentences: bool = False,
    ) -> None:
        """Read the recipe's texts.

        Args:
            recipe: weight, texts and how many of them.
            tokenizer: the model's.
            base: the frozen base; None where there is an adapter to switch off, or the loss needs none.
            masked: whether the model is a masked one.
            kind: which loss says how far the model is from what it was.
            sentences: whether a batch's own sentences may be named in place of texts.
        """
        self.gamma, self.rows, self.longest = recipe.gamma, recipe.retention_rows, recipe.max_length
        self.tokenizer, self.masked, self.kind = tokenizer, masked, kind
        self.base = base if base is None else base.train(False)
        self.texts = encode(tokenizer, lines(recipe.retained()), self.longest)
        if not self.texts and not (sentences and recipe.retention_text == SENTENCES):
            raise UserError(
                "no text of two tokens or more", where="retention_text", found=recipe.retention_text
            )

    def loss(self, model: Any, device: torch.device, sentences: Sequence[str] = ()) -> torch.Tensor:
        """The loss at tokens of texts drawn anew, or of ``sentences`` where no texts were asked for."""
        if self.base is not None:
            self.base.to(device)
        texts = self.texts or encode(self.tokenizer, sentences, self.longest)
        named: Any = self.tokenizer  # its stubs do not say that these are whole numbers
        pad: int = named.pad_token_id
        if self.masked:
            batch = masked_batch(texts, self.rows, named.mask_token_id, pad)
        else:
            batch = causal_batch(texts, self.rows, pad)
        return loss(model, {k: v.to(device) for k, v in batch.items()}, self.kind, self.base)


def kept(recipe: TuningRecipe, tokenizer: PreTrainedTokenizerBase, base: Path) -> Kept | None:
    """What a recipe of rows asks to keep; the base is loaded once more where there is no adapter to switch off."""
    if not recipe.gamma:
        return None
    whole = recipe.adapter == "full"
    frozen = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32) if whole else None
    return Kept(recipe, tokenizer, frozen)


class Retaining:
    """Adds ``gamma`` times KL(base || model) to the loss of the trainer that comes after it in a class's bases."""

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
        whole: Any = super()
        found = whole.compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if self.kept is None or return_outputs:
            return found
        away = self.kept.loss(model, self.args.device)
        self._metrics["train"]["retention"].append(away.item())
        # A loss per token of all of a step's batches is not divided by their number any more.
        divided = self.loss_is_scaled_for_ga is None and num_items_in_batch is not None
        return found + self.kept.gamma * away / (self.current_gradient_accumulation_steps if divided else 1)
