"""The key-value cache of a frontier. Rows that do not branch stay in place; appending a token copies nothing."""

from __future__ import annotations

import torch
from transformers.cache_utils import DynamicLayer

ROOM = 16
"""Positions to allocate beyond what is needed, at least."""


class FrontierLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no types
    """Keys and values in a buffer with room to grow in both rows and positions."""

    _layer_type = None

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # transformers leaves it without types
        self.key_buffer = self.value_buffer = torch.empty(0)
        self.rows = self.length = 0

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
