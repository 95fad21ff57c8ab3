"""The steering token: which tokens it may be, the KL term on it, and one forward pass for both terms of the loss."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any

import torch

from baselines.trl_glue import example
from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from baselines.rows import Row

MOST = 10
"""Classes that one decimal digit can name."""


def steering_kl(log_probs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Forward KL of each row, in nats: ``sum_k p_k (ln p_k - ln pi(t_k))``; a class with p_k = 0 adds nothing.

    ``pi`` is the softmax over the whole vocabulary, not renormalised over the steering tokens. For a target
    that sums to 1 this is ``KL(p || pi renormalised) - ln(mass on the steering tokens)``, so it also draws
    all mass onto them; it is 0 exactly where both fit.

    Args:
        log_probs: rows x classes, ``ln pi(t_k)`` at the steering position.
        target: rows x classes, ``p_k``.
    """
    target = target.to(log_probs.dtype)
    terms = torch.where(target > 0, torch.special.xlogy(target, target) - target * log_probs, 0.0)
    return terms.sum(-1)


def steering_tokens(
    tokenizer: PreTrainedTokenizerBase, row: Row, classes: int, texts: Iterable[str]
) -> list[int]:
    """The token of each class's digit, as it stands at the head of an answer to ``row``'s prompt.

    Read off whole tokenised conversations rather than from the digit alone, since a tokenizer may write a
    digit otherwise after a blank, or merge it with what follows.
    """
    if classes > MOST:
        raise UserError("more classes than single digits", found=classes, expected=f"{MOST} or fewer")
    found: list[int] = []
    for digit in range(classes):
        ids = {_first_token(tokenizer, row, f"{digit}{text}") for text in texts}
        if len(ids) != 1 or str(tokenizer.decode(list(ids))).strip() != str(digit):
            shown = ", ".join(repr(tokenizer.decode([i])) for i in sorted(ids))
            raise UserError(
                "the tokenizer does not write a steering digit as one token of its own",
                found=f"digit {digit}: {shown}",
                expected=f"the token {digit} before every answer",
            )
        found.append(ids.pop())
    return found


def _first_token(tokenizer: PreTrainedTokenizerBase, row: Row, completion: str) -> int:
    prompt, answer = example(row, tokenizer, completion)
    if isinstance(prompt, list) and isinstance(answer, list):
        before = _ids(tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True))
        whole = _ids(tokenizer.apply_chat_template(prompt + answer, return_dict=True))
    else:
        before, whole = _ids(tokenizer(str(prompt))), _ids(tokenizer(f"{prompt}{answer}"))
    if whole[: len(before)] != before:
        raise UserError(
            "the prompt's tokens change when the answer follows, so there is no steering position",
            found=repr(tokenizer.decode(before[-3:])),
            expected="a chat template that writes a prompt the same with and without an answer",
        )
    return whole[len(before)]


def _ids(encoded: Any) -> list[int]:
    return list(encoded["input_ids"])


def add_steering_head(model: PreTrainedModel, tokens: Sequence[int]) -> None:
    """Let ``model(..., steering=positions, fused_lm_head=True)`` also score every steering token.

    ``model`` already has TRL's fused head. Each row's hidden state at its steering position is put ahead of
    its sequence once per class, with the steering tokens as labels: the same pass and the same float32
    log-softmax over the vocabulary that score the completion then score the steering tokens. The first
    ``len(tokens)`` columns of the output's per-token fields are theirs; the rest are as without steering,
    and TRL takes its own from the end.

    A position of -1 leaves a row out: its columns are 0.
    """
    fused = model.forward

    @functools.wraps(type(model).forward)
    def forward(
        self: PreTrainedModel,
        *args: object,
        steering: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **kwargs: object,
    ) -> object:
        if steering is None or labels is None:
            return fused(*args, labels=labels, **kwargs)
        wanted = torch.tensor(list(tokens), device=labels.device).expand(len(labels), -1)
        wanted = wanted.masked_fill(steering.unsqueeze(1) < 0, -100)
        ahead = labels.new_full((len(labels), 1), -100)

        def repeat(module: object, inputs: object, output: Any) -> None:
            states = output.last_hidden_state
            rows = torch.arange(len(states), device=states.device)
            picked = states[rows, steering.clamp(min=0)].unsqueeze(1).expand(-1, len(tokens), -1)
            output.last_hidden_state = torch.cat([picked, states], dim=1)

        hook = self.base_model.register_forward_hook(repeat)
        try:
            return fused(*args, labels=torch.cat([ahead, wanted, labels[:, 1:]], dim=1), **kwargs)
        finally:
            hook.remove()

    model.forward = types.MethodType(forward, model)


class Steered:
    """A model whose calls score the steering tokens too; TRL's loss calls it as it would the model."""

    def __init__(self, model: torch.nn.Module, positions: torch.Tensor, classes: int) -> None:
        self.model, self.positions, self.classes = model, positions, classes
        self.log_probs: torch.Tensor | None = None

    def __call__(self, **kwargs: object) -> object:
        """Forward once and keep the steering tokens' log-probabilities."""
        self.outputs = outputs = self.model(**kwargs, steering=self.positions)
        self.log_probs = outputs.log_probs[:, : self.classes].float()
        return outputs
