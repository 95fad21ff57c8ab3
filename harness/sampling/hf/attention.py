"""Attention of one new token a row to keys and values that several heads share, without a copy of these for each head.

Where there is a mask, transformers repeats shared keys and values head by head before it attends: for one token all that
is kept of a prefix is read, written and read again. But the heads that share a key may as well be several queries of one
head, which is the same product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

if TYPE_CHECKING:
    from torch import Tensor

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


def share_keys() -> None:
    """Let every model that attends by ``sdpa`` do so from now on."""
    AttentionInterface.register(NAME, attend)
