"""Rows of a batch that begin alike are read as one up to where they part, when a model is trained on a processor.

A question stands in a row for each of its answers, and in a pair of replies twice; nearly all of such a batch is the
same tokens again. What rows share is put into one row with a branch for each, and a token sees what came before it in
its own branch. The hidden states are those of the rows one by one; what is computed of them does not change.
"""

from __future__ import annotations

import functools
import inspect
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import embedding

from harness.sampling.hf.budget import out_of_memory
from harness.sampling.hf.cache import REFUSALS
from harness.sampling.hf.padding import filled

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDEST = 1024
"""Tokens of a row with branches at most, since each pair of them has a place in its mask; a longer row stands alone."""
GAIN = 1.25
"""So many times the tokens must be left out, or the batch stays as it is."""
APART = 1e-4
"""Of the size of a float32 state: where branches change one by more, the model does not read branches."""


@dataclass(frozen=True, slots=True)
class Branched:
    """Rows with branches, and where each token of the rows that they stand for is."""

    ids: torch.Tensor
    positions: torch.Tensor
    sight: torch.Tensor
    """Rows x 1 x from x to: whether a token sees another."""
    places: torch.Tensor
    """For each place of the batch, which token it is, counted through all rows."""


def branched(ids: torch.Tensor, mask: torch.Tensor) -> Branched | None:
    """The batch in rows with branches; None where that is not much less to compute."""
    rows = [row[seen].tolist() for row, seen in zip(ids, mask.bool(), strict=True)]
    groups = _groups(rows)
    width = max(group.size for group in groups)
    if len(groups) * width * GAIN > ids.numel():
        return None
    sight = torch.eye(width, dtype=torch.bool).repeat(len(groups), 1, 1)
    places = torch.zeros(ids.shape, dtype=torch.long)
    for number, group in enumerate(groups):
        for row, path in group.paths.items():
            at = torch.tensor(path)
            sight[number, at.unsqueeze(1), at] |= torch.ones(len(at), len(at), dtype=torch.bool).tril()
            places[row, mask[row].bool()] = number * width + at
    return Branched(
        filled([group.ids for group in groups], 0),
        filled([group.positions for group in groups], 0),
        sight.unsqueeze(1),
        places,
    )


class _Group:
    """Rows that begin alike; they come in the order of their tokens."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.positions: list[int] = []
        self.paths: dict[int, list[int]] = {}
        """Row of the batch -> where its tokens are."""

    @property
    def size(self) -> int:
        return len(self.ids)

    def add(self, row: int, tokens: Sequence[int], before: int | None, shared: int) -> None:
        """A row whose first ``shared`` tokens are those of the row ``before``."""
        path = [] if before is None else self.paths[before][:shared]
        self.paths[row] = [*path, *range(self.size, self.size + len(tokens) - shared)]
        self.ids += tokens[shared:]
        self.positions += range(shared, len(tokens))


def _groups(rows: Sequence[list[int]]) -> list[_Group]:
    """Rows of which the next shares at least half with the last."""
    groups: list[_Group] = []
    last = -1
    for row in sorted(range(len(rows)), key=lambda r: rows[r]):
        tokens = rows[row]
        shared = _shared(rows[last], tokens) if groups else 0
        near = 2 * shared >= min(len(rows[last]), len(tokens))
        if not (groups and near and groups[-1].size + len(tokens) - shared <= WIDEST):
            groups.append(_Group())
            groups[-1].add(row, tokens, None, 0)
        else:
            groups[-1].add(row, tokens, last, shared)
        last = row
    return groups


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    return next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def share_beginnings(model: Any) -> None:
    """Let a causal model read batches in rows with branches where it can, and where that is less to compute.

    The first such batch is read both ways. A model that does not come to the same states, since it carries them along
    the row or has a mask of its own, goes on as it was.

    Args:
        model: with an adapter or without.
    """
    if hasattr(model, "peft_config"):
        model = model.get_base_model()
    inner = model.base_model
    if inner is model or "position_ids" not in inspect.signature(type(inner).forward).parameters:
        return
    if inner.dtype != torch.float32 or model._is_stateful:
        return
    plain = inner.forward
    config = model.config.get_text_config()
    near = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    window = min((n for n in near if n), default=None)
    able: bool | None = None

    @functools.wraps(type(inner).forward)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal able
        given = {name for name, value in kwargs.items() if value is not None}  # peft names what it leaves out
        known = not args and given == {"input_ids", "attention_mask", "use_cache"}
        if able is False or not known or kwargs["use_cache"]:
            return plain(*args, **kwargs)
        ids, mask = kwargs["input_ids"], kwargs["attention_mask"]
        far = window is not None and ids.shape[1] > window
        if ids.device.type != "cpu" or torch.is_autocast_enabled("cpu") or mask.ndim != 2 or far:
            return plain(**kwargs)
        found = branched(ids, mask)
        if found is None:
            return plain(**kwargs)
        if able is None:
            able = _agree(self, plain, kwargs, found)
            if not able:
                return plain(**kwargs)
        return _read(self, plain, found)

    inner.forward = types.MethodType(forward, inner)


def _read(inner: Any, plain: Any, found: Branched) -> Any:
    """The output of the rows with branches, its states laid out as the batch is."""
    unseen = torch.zeros(found.sight.shape).masked_fill(~found.sight, torch.finfo(torch.float32).min)
    output = plain(input_ids=found.ids, attention_mask=unseen, position_ids=found.positions, use_cache=False)
    output.last_hidden_state = embedding(found.places, output.last_hidden_state.flatten(0, 1))
    return output


def _agree(inner: Any, plain: Any, kwargs: dict[str, Any], found: Branched) -> bool:
    """Whether a model comes to the same states both ways."""
    trained = inner.training
    inner.train(False)
    try:
        with torch.no_grad():
            here, there = (o.last_hidden_state for o in (_read(inner, plain, found), plain(**kwargs)))
    except REFUSALS as error:
        if out_of_memory(error):
            raise
        return False
    finally:
        inner.train(trained)
    real = kwargs["attention_mask"].bool()
    away = (here[real] - there[real]).norm(dim=-1)
    return bool((away <= APART * there[real].norm(dim=-1)).all())
