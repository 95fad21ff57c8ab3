"""The choices measure: the probability of each class's wordings, normalised over all wordings.

A causal model gives each wording the probability of its whole token sequence in its place: where the prompt has a
slot, of the filled text; where it has none, of the wording as the reply. A masked model gives a wording of k
pieces, put in as k masks, the product over j of the probability of piece j at mask j. A task that asks for the
association of its words with a word of the context has ``harness.sampling.hf.association`` score them instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.errors import UserError
from harness.sampling.base import Shares
from harness.sampling.hf import association
from harness.sampling.hf.budget import Budget
from harness.sampling.hf.checkpoint import load
from harness.sampling.hf.source import find, kind_of
from harness.sampling.hf.wordings import causal_group, masked_group, score_all
from harness.sampling.wordings import fill, normalised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.sampling.base import ModelCard
    from harness.sampling.hf.chat import Chat
    from harness.sampling.hf.checkpoint import Checkpoint
    from harness.sampling.hf.source import Kind
    from harness.terms import Request


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
        trust_pickle: bool = False,
    ) -> None:
        """Find the model; it is loaded when first needed. Arguments as for ``CollapsedEngine``."""
        self.source = find(model, revision, trust_pickle=trust_pickle)
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
        return self.checkpoint.chat("none" if self.kind == "masked" else self._template)

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
        pad = checkpoint.pad
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
        logs = iter(association.score_many(self.checkpoint.model, chosen, self.checkpoint.pad, budget))
        for request, names, fit in zip(requests, words, fits, strict=True):
            if not fit:
                yield request, Shares({"failed": 1.0}, 0.0)
                continue
            scored = torch.from_numpy(next(logs)).view(1, len(names), -1)
            found = association.log_shares(scored, quirks).exp().tolist()
            yield request, Shares(dict(zip(names, found, strict=True)), 0.0)
