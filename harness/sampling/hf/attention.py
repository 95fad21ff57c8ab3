"""Attention to keys and values that several heads share, or several rows, without a copy of these for each.

Where there is a mask, transformers repeats shared keys and values head by head before it attends: for one token all that
is kept of a prefix is read, written and read again. But the heads that share a key may as well be several queries of one
head, which is the same product. So may the rows that stand on one prompt. What they take from the prompt and what each
takes from its own tokens are then weighed by their shares of the softmax's sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from harness.sampling.hf.layer import of_prompts

if TYPE_CHECKING:
    from torch import Tensor

    from harness.sampling.hf.layer import PromptKeys

NAME = "sdpa"


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """As ``sdpa_attention_forward`` of transformers, which does whatever is not one token with shared keys."""
    rows, heads, tokens, size = query.shape
    shared = key.shape[1]
    alike = attention_mask is None or attention_mask.shape[1] == 1
    special = any(others.get(name) is not None for name in ("position_bias", "cache"))
    if prompts := of_prompts(key):
        if alike and not special and not dropout and (tokens == 1 or attention_mask is not None):
            found = _on_prompts(query, key, value, attention_mask, scaling or size**-0.5, prompts)
            return found.transpose(1, 2).contiguous(), None
        key, value = prompts.before(key, value)
    if tokens != 1 or heads == shared or not alike or special:
        given = (module, query, key, value, attention_mask, dropout, scaling)
        return sdpa_attention_forward(*given, **others)
    found = torch.nn.functional.scaled_dot_product_attention(
        query.reshape(rows, shared, heads // shared, size),
        key,
        value,
        attn_mask=attention_mask,
        dropout_p=dropout,
        scale=scaling,
    )
    return found.reshape(rows, 1, heads, value.shape[-1]), None


def _on_prompts(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float, prompts: PromptKeys
) -> Tensor:
    """Attention of rows to the prompt that each stands on and to its own keys: [rows, heads, tokens, size]."""
    rows, heads, tokens, size = query.shape
    shared, width = key.shape[1], prompts.keys.shape[2]
    if mask is not None and mask.shape[-1] != width + key.shape[2]:
        raise RuntimeError("the mask is not that of the prompts and of what follows them")
    several = heads // shared
    asked = (query * scaling).reshape(rows, shared, several * tokens, size)
    after = None if mask is None or tokens == 1 else mask[..., width:].repeat(1, 1, several, 1)
    own, own_sum = _part(asked, key, value, after)

    standing = prompts.standing
    count, most = standing.slots.shape
    by_prompt = asked.index_select(0, standing.slots.flatten()).view(count, most, shared, -1, size)
    queries = by_prompt.transpose(1, 2).reshape(count, shared, -1, size)
    seen = None if mask is None else mask[standing.slots[:, 0], :, -1:, :width]
    found = _part(queries, prompts.keys, prompts.values, seen)
    of_prompt, prompt_sum = (
        x.view(count, shared, most, several * tokens, -1).transpose(1, 2).flatten(0, 1)[standing.place]
        for x in found
    )
    share = torch.sigmoid(prompt_sum - own_sum)
    return torch.lerp(own, of_prompt, share).reshape(rows, heads, tokens, value.shape[-1])


def _part(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Attention to some of the keys, and the logarithm of the sum that its softmax divides by."""
    scores = query @ key.transpose(2, 3)
    if mask is not None:
        scores = scores.masked_fill_(~mask, -torch.inf) if mask.dtype == torch.bool else scores.add_(mask)
    top = scores.amax(-1, keepdim=True)
    weights = scores.sub_(top).exp_()
    total = weights.sum(-1, keepdim=True)
    return (weights @ value).div_(total), total.log_().add_(top)


def share_keys() -> None:
    """Let every model that attends by ``sdpa`` do so from now on."""
    AttentionInterface.register(NAME, attend)
