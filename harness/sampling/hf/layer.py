"""The key-value cache of a frontier. Rows that do not branch stay in place; appending a token copies nothing.

Keys and values of a prompt can be kept once for all rows that stand on it. Then ``update`` gives the rows' own ones, and
``of_prompts`` finds the prompts' beside them, for an attention that knows how to put the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from transformers.cache_utils import DynamicLayer

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOM = 16
"""Positions to allocate beyond what is needed, at least."""


class Standing:
    """Which rows stand on which prompt; one for all layers."""

    def __init__(self, owner: NDArray[np.int64], prompts: int, device: torch.device) -> None:
        self.prompts, self.device = prompts, device
        self.set(owner)

    def set(self, owner: NDArray[np.int64]) -> None:
        """Row i stands on prompt ``owner[i]``."""
        order = np.argsort(owner, kind="stable")
        counts = np.bincount(owner, minlength=self.prompts)
        most = int(counts.max())
        rank = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        slots = np.zeros((self.prompts, most), dtype=np.int64)
        slots[owner[order], rank] = order
        place = np.empty(len(owner), dtype=np.int64)
        place[order] = owner[order] * most + rank
        self.owner, self.slots, self.place = (
            torch.from_numpy(x).to(self.device) for x in (owner, slots, place)
        )
        """Of each row its prompt; of each prompt its rows, filled up with any; of each row its place among these."""


class PromptKeys:
    """Keys and values of prompts, each once: [prompts, heads, positions, size]."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, standing: Standing) -> None:
        self.keys, self.values, self.standing = keys, values, standing

    def keep(self, prompts: torch.Tensor) -> None:
        """Only these are still stood on."""
        self.keys, self.values = (x.index_select(0, prompts) for x in (self.keys, self.values))

    def before(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of the rows, their prompts' before their own."""
        whole = [
            torch.cat([first.index_select(0, self.standing.owner), own], dim=2)
            for first, own in ((self.keys, keys), (self.values, values))
        ]
        return whole[0], whole[1]


def of_prompts(keys: torch.Tensor) -> PromptKeys | None:
    """What comes before the keys that a layer gave, where that is kept apart."""
    return getattr(keys, "_prompts", None)


class FrontierLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no types
    """Keys and values in a buffer with room to grow in both rows and positions."""

    _layer_type = None

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # transformers leaves it without types
        self.key_buffer = self.value_buffer = torch.empty(0)
        self.rows = self.length = 0
        self.prompts: PromptKeys | None = None

    def get_seq_length(self) -> int:
        """Positions, those of a prompt among them."""
        return self.length + (self.prompts.keys.shape[2] if self.prompts else 0)

    def position_bytes(self) -> int:
        """That a row takes for each position."""
        return sum(x.shape[1] * x.shape[3] * x.element_size() for x in (self.key_buffer, self.value_buffer))

    def split(self, first: torch.Tensor, width: int, standing: Standing) -> None:
        """Keep the first ``width`` positions once for each prompt; row ``first[i]`` stands on prompt i."""
        buffers = self.key_buffer, self.value_buffer
        keys, values = (x[:, :, :width].index_select(0, first) for x in buffers)
        self.prompts = PromptKeys(keys, values, standing)
        self.key_buffer, self.value_buffer = (x[: self.rows, :, width : self.length].clone() for x in buffers)
        self.length -= width
        self._view()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append positions in place."""
        if not self.is_initialized:
            self.dtype, self.device = key_states.dtype, key_states.device
            self.key_buffer, self.value_buffer = (
                x.new_empty(0, x.shape[1], 0, x.shape[3]) for x in (key_states, value_states)
            )
            self.rows, self.is_initialized = key_states.shape[0], True
        end = self.length + key_states.shape[2]
        self._reserve(self.rows, end)
        self.key_buffer[: self.rows, :, self.length : end] = key_states
        self.value_buffer[: self.rows, :, self.length : end] = value_states
        self.length = end
        return self._view()

    def select(self, parents: torch.Tensor, moved: torch.Tensor, source: torch.Tensor) -> None:
        """Row i becomes a copy of row ``parents[i]``: ``moved`` and ``source`` are those that differ."""
        if len(parents) > len(self.key_buffer):
            self._reserve(len(parents), self.length, parents)
        elif len(moved):
            for buffer in (self.key_buffer, self.value_buffer):
                held = buffer[:, :, : self.length]
                held.index_copy_(0, moved, held.index_select(0, source))
        self.rows = len(parents)
        self._view()

    def _view(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.keys = self.key_buffer[: self.rows, :, : self.length]
        self.values = self.value_buffer[: self.rows, :, : self.length]
        if self.prompts:
            self.keys._prompts = self.prompts  # type: ignore[attr-defined]  # the one way to an attention of transformers
        return self.keys, self.values

    def _reserve(self, rows: int, length: int, parents: torch.Tensor | None = None) -> None:
        """Make room; with ``parents``, rows are put in their order on the way."""
        have_rows, _, have_length, _ = self.key_buffer.shape
        if rows <= have_rows and length <= have_length:
            return
        rows = rows + rows // 4 if rows > have_rows else have_rows
        length = length + max(ROOM, length // 4) if length > have_length else have_length
        for name in ("key_buffer", "value_buffer"):
            old: torch.Tensor = getattr(self, name)
            new = old.new_empty(rows, old.shape[1], length, old.shape[3])
            held = old[: self.rows, :, : self.length]
            if parents is not None:
                torch.index_select(held, 0, parents, out=new[: len(parents), :, : self.length])
            elif len(old):
                new[: self.rows, :, : self.length] = held
            setattr(self, name, new)
