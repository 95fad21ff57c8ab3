"""The choices measure: the probability of each class's wordings, normalised over all wordings.

A causal model gives each wording the probability of its whole token sequence in its place: where the prompt has a
slot, of the filled text; where it has none, of the wording as the reply. A masked model gives a wording of k
pieces, put in as k masks, the product over j of the probability of piece j at mask j. A task that asks for the
association of its words with a word of the context has ``harness.sampling.hf.association`` score them instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.errors import UserError
from harness.sampling.base import Shares
from harness.sampling.hf import association
from harness.sampling.hf.budget import Budget, survives
from harness.sampling.hf.chat import Chat
from harness.sampling.hf.checkpoint import load
from harness.sampling.hf.source import find, kind_of
from harness.terms import SLOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness.sampling.base import ModelCard
    from harness.sampling.hf.checkpoint import Checkpoint
    from harness.sampling.hf.source import Kind
    from harness.terms import Request

IGNORED = -100
"""A target that is not scored."""


def fill(request: Request, wording: str) -> Request:
    """The request with its slot filled; one without a slot gets the wording as the beginning of the reply."""
    return replace(
        request,
        text=request.text.replace(SLOT, wording),
        messages=tuple(replace(m, content=m.content.replace(SLOT, wording)) for m in request.messages),
    )


def has_slot(request: Request) -> bool:
    """Whether a wording has a place inside the prompt."""
    return SLOT in request.text or any(SLOT in m.content for m in request.messages)


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
    width = max(len(row.ids) for row in batch)
    ids = torch.full((len(batch), width), pad)
    targets = torch.full((len(batch), width), IGNORED)
    for i, row in enumerate(batch):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
        targets[i, : len(row.ids)] = torch.tensor(row.targets)
    lengths = torch.tensor([len(row.ids) for row in batch])
    ids, targets, lengths = (x.to(model.device) for x in (ids, targets, lengths))
    mask = torch.arange(width, device=model.device)[None] < lengths[:, None]
    logits = model(input_ids=ids, attention_mask=mask.long()).logits
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
    if has_slot(request):
        texts = [chat.render(fill(request, w)) for w in wordings]
    else:
        begun = not request.messages or request.messages[-1].role == "assistant"
        prompt = chat.render(request)
        texts = [prompt + (gap(prompt, w) if begun or not templated else "") + w for w in wordings]
    rows = chat.tokens(texts, templated)
    shared = 0
    while all(len(r) > shared and r[shared] == rows[0][shared] for r in rows):
        shared += 1
    if not shared:
        rows, shared = [[*chat.start(), *r] for r in rows], 1
    return [Scored(r, [IGNORED] * shared + r[shared:]) for r in rows]


def gap(prompt: str, wording: str) -> str:
    """The blank that written text has between words, where the script has one and the prompt does not end in it."""
    return (
        " " if prompt and not prompt[-1].isspace() and wording[0].isalnum() and wording[0] < "\u2e80" else ""
    )


def normalised(labels: Sequence[str], logs: NDArray[np.float64]) -> dict[str, float]:
    """Each label's share of the probability of all wordings."""
    weights = np.exp(logs - logs.max())
    shares = dict.fromkeys(labels, 0.0)
    for label, weight in zip(labels, weights / weights.sum(), strict=True):
        shares[label] += float(weight)
    return shares


class ChoicesEngine:
    """Scores wordings with a transformers model, causal or masked by its own account."""

    def __init__(
        self,
        model: str,
        *,
        revision: str = "",
        device: str = "auto",
        dtype: str = "auto",
        template: str = "auto",
        trust_remote_code: bool = False,
    ) -> None:
        """Find the model; it is loaded when first needed. Arguments as for ``CollapsedEngine``."""
        self.source = find(model, revision)
        self.kind: Kind = kind_of((self.source.base or self.source).folder)
        self._device, self._dtype, self._trust = device, dtype, trust_remote_code
        self._template = template
        self._loaded: Checkpoint | None = None

    @property
    def checkpoint(self) -> Checkpoint:
        """The loaded model."""
        if self._loaded is None:
            self._loaded = load(
                self.source,
                kind=self.kind,
                device=self._device,
                dtype=self._dtype,
                trust_remote_code=self._trust,
            )
            if self.kind == "masked" and (
                self._loaded.tokenizer.mask_token_id is None or not self._loaded.tokenizer.is_fast
            ):
                raise UserError(
                    "a masked model needs a fast tokenizer with a mask token", where=self.source.name
                )
        return self._loaded

    @property
    def chat(self) -> Chat:
        """How prompts are written; masked models have no chat template."""
        return Chat(self.checkpoint.tokenizer, "none" if self.kind == "masked" else self._template)

    def card(self) -> ModelCard:
        """Identity of the model, its adapter and its template."""
        return self.checkpoint.card(self.chat.digest)

    def render(self, request: Request) -> str:
        """The prompt with the chat template applied; the slot shows as an ellipsis."""
        return self.chat.render(fill(request, "…"))

    def close(self) -> None:
        """Give the model's memory back."""
        self._loaded = None

    def choices(
        self,
        requests: Sequence[Request],
        classes: Callable[[Request], Mapping[str, Sequence[str]]],
        about: Callable[[Request], str] | None = None,
    ) -> Iterator[tuple[Request, Shares]]:
        """Yield each request with the share of each of its classes.

        Args:
            requests: prompts; ``SLOT`` in a message or the text is where a wording goes.
            classes: the wordings of each class, of a request.
            about: the word whose association with the wordings is measured, of a request; None measures the
                wordings' own probabilities.

        A prompt that does not fit into the model's window has the share 1 of ``failed``.
        """
        checkpoint, chat = self.checkpoint, self.chat
        config = checkpoint.model.config.get_text_config()
        budget = Budget(checkpoint.device, int(config.vocab_size))
        window = int(getattr(config, "max_position_embeddings", 0) or 2**31)
        pad = checkpoint.tokenizer.pad_token_id or 0
        masked = self.kind == "masked"
        # A few hundred prompts at a time: results come as they are made, batches are full.
        for part in (requests[i : i + 256] for i in range(0, len(requests), 256)):
            if about is not None:
                yield from self._associations(part, classes, about, budget, window)
                continue
            wordings = [[(c, w) for c, ws in classes(r).items() for w in dict.fromkeys(ws)] for r in part]
            groups = [
                (masked_group if masked else causal_group)(chat, request, [w for _, w in found])
                for request, found in zip(part, wordings, strict=True)
            ]
            groups = [g if all(len(r.ids) <= window for r in g) else [] for g in groups]
            flat = [row for rows in groups for row in rows]
            logs = np.split(
                score_all(checkpoint.model, flat, pad, masked, budget),
                np.cumsum([len(g) for g in groups])[:-1],
            )
            for request, found, log in zip(part, wordings, logs, strict=True):
                shares = normalised([c for c, _ in found], log) if len(log) else {"failed": 1.0}
                yield request, Shares(shares, 0.0)

    def _associations(
        self,
        requests: Sequence[Request],
        classes: Callable[[Request], Mapping[str, Sequence[str]]],
        about: Callable[[Request], str],
        budget: Budget,
        window: int,
    ) -> Iterator[tuple[Request, Shares]]:
        quirks = association.Quirks()
        masked = self.kind == "masked"
        tokenizer = self.checkpoint.tokenizer
        inputs, words = [], []
        for request in requests:
            words.append(association.paired(classes(request), request.prompt))
            filled = association.fill(self.chat.render(request), about(request), words[-1], request.prompt)
            templated = bool(request.messages and self.chat.template)
            inputs.append(
                association.masked_inputs(tokenizer, filled, quirks)
                if masked
                else association.causal_inputs(self.chat, filled, templated, quirks)
            )
        fits = [all(len(row) <= window for row in one.rows) for one in inputs]
        chosen = [one for one, fit in zip(inputs, fits, strict=True) if fit]
        logs = iter(
            association.score_many(self.checkpoint.model, chosen, tokenizer.pad_token_id or 0, budget)
        )
        for request, names, fit in zip(requests, words, fits, strict=True):
            if not fit:
                yield request, Shares({"failed": 1.0}, 0.0)
                continue
            scored = torch.from_numpy(next(logs)).view(1, len(names), -1)
            found = association.log_shares(scored, quirks).exp().tolist()
            yield request, Shares(dict(zip(names, found, strict=True)), 0.0)
