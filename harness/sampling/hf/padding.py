"""Makes one batch of rows of tokens that have different lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence


def filled(rows: Sequence[Sequence[int]], rest: int) -> torch.Tensor:
    """The rows beside each other, each filled up on the right with ``rest``."""
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[rest] * (width - len(row))] for row in rows])


def padded(rows: Sequence[Sequence[int]], pad: int) -> dict[str, torch.Tensor]:
    """What a model takes: the rows' tokens, and which places hold one."""
    return {"input_ids": filled(rows, pad), "attention_mask": filled([[1] * len(row) for row in rows], 0)}
