"""The forward pass of a model over the prefixes of a frontier, with a key-value cache if the model has one."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from transformers.cache_utils import CacheLayerMixin, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from harness.sampling.hf.budget import out_of_memory
from harness.sampling.hf.layer import FrontierLayer, PromptKeys, Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from transformers import PreTrainedModel

TOKENS = 8192
"""Tokens that a model without a cache reads in one pass."""
SHARED, NEVER = 512, 2**62
"""A beginning that all prompts share is read once for all where that saves so many tokens: it takes a pass more."""
ON_PROMPTS = 2048
"""A prompt of several rows is kept once for all of them where that saves so many positions of the cache."""
SLACK = 50
"""Rounding moves logits by less than so many of their dtype's steps, as a share of their spread."""
REFUSALS = (RuntimeError, TypeError, ValueError, AttributeError, IndexError)
"""What models raise that do not take a mask or positions of ours; NotImplementedError is a RuntimeError."""
AGREE = 0.01, 0.2
"""That share is held between these."""


def takes_keep(model: PreTrainedModel) -> bool:
    """Whether a model can be told of how many positions the logits are wanted."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters


class Forward:
    """Runs the model over a set of rows that branches, ends and grows by one token a step."""

    def __init__(self, model: PreTrainedModel, pad: int) -> None:
        self.model = model
        self.device = model.device
        self.pad = pad
        names = inspect.signature(model.forward).parameters
        self.takes_positions = "position_ids" in names
        self.takes_keep = takes_keep(model)
        self.least_shared, self.least_on_prompts = SHARED, NEVER
        self.cache = DynamicCache()
        self.mask: torch.Tensor | None = None
        self.rows = self.length = 0
        self.width = 0
        """Positions of the prompts."""
        self.owner = np.zeros(0, dtype=np.int64)
        """The prompt of each row."""
        self.standing: Standing | None = None
        """Once prompts are kept apart from their rows."""
        self.calls = 0
        """Forward passes so far."""

    def begin(self, prompts: Sequence[Sequence[int]], told: NDArray[np.integer]) -> torch.Tensor:
        """New rows, each its prompt and then its tokens of ``told`` [rows, depth]; their next-token logits.

        A prompt of several rows is read once, unless the model keeps a state: some can then go on by one token only.
        """
        distinct: dict[tuple[int, ...], int] = {}
        if told.shape[1] and not self._appends():
            prompts = [[*p, *row] for p, row in zip(prompts, told.tolist(), strict=True)]
            told = told[:, :0]
        place = np.array([distinct.setdefault(tuple(p), len(distinct)) for p in prompts])
        logits = self._read(list(distinct))
        self.width, self.owner = self.length, np.arange(len(distinct))
        self.branch(place)
        return self.step(told.astype(np.int64)) if told.shape[1] else logits[self._tensor(place)]

    def _appends(self) -> bool:
        """Whether all that is kept of a row are keys and values, to which any number of tokens can be added."""
        layers = DynamicCache(config=self.model.config).layers
        return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)

    def _read(self, prompts: Sequence[tuple[int, ...]]) -> torch.Tensor:
        self.cache = DynamicCache(config=self.model.config)
        for i, layer in enumerate(self.cache.layers):
            if type(layer) is DynamicLayer:
                self.cache.layers[i] = FrontierLayer()
        self.mask, self.rows, self.length, self.standing = None, 1, 0, None
        shared = self._shared(prompts)
        if shared:
            self._run(self._tensor(np.array([prompts[0][:shared]])))
            self._copy(np.zeros(len(prompts), dtype=np.int64))
        self.rows = len(prompts)
        lengths = np.array([len(p) - shared for p in prompts])
        width = int(lengths.max())
        ids = np.full((len(prompts), width), self.pad, dtype=np.int64)
        for row, prompt, length in zip(ids, prompts, lengths, strict=True):
            row[width - length :] = prompt[shared:]
        if (lengths < width).any():
            told = np.arange(width)[None] >= width - lengths[:, None]
            self.mask = self._tensor(np.pad(told, ((0, 0), (shared, 0)), constant_values=True))
        return self._run(self._tensor(ids))

    def _shared(self, prompts: Sequence[tuple[int, ...]]) -> int:
        """Tokens that all prompts begin with, 0 where to read them apart gains nothing or is not possible.

        Padding then stands between the beginning and the rest, and a window of positions would count it.
        """
        first, last = min(prompts), max(prompts)
        most = min(map(len, prompts)) - 1
        shared = next((i for i in range(most) if first[i] != last[i]), most)
        if shared * (len(prompts) - 1) < self.least_shared:
            return 0
        return shared if all(isinstance(layer, FrontierLayer) for layer in self.cache.layers) else 0

    @torch.inference_mode()
    def branch(self, parents: NDArray[np.int64]) -> None:
        """Row i is now a copy of what was row ``parents[i]``."""
        more = len(parents) - len(np.unique(self.owner[parents]))
        if self.standing is None and more * self.width >= self.least_on_prompts:
            self._keep_prompts_apart()
        self._copy(parents)
        self.owner = self.owner[parents]
        if self.standing is None:
            return
        left, renumbered = np.unique(self.owner, return_inverse=True)
        if 2 * len(left) <= self.standing.prompts:
            self.owner, self.standing.prompts = renumbered, len(left)
            for layer in self._kept_apart():
                layer.keep(self._tensor(left))
        self.standing.set(self.owner)

    def _keep_prompts_apart(self) -> None:
        """From now on a prompt's keys and values are there once for all rows that stand on it."""
        _, first, self.owner = np.unique(self.owner, return_index=True, return_inverse=True)
        self.standing = Standing(self.owner, len(first), self.device)
        for layer in self.cache.layers:
            if isinstance(layer, FrontierLayer):
                layer.split(self._tensor(first), self.width, self.standing)

    def _kept_apart(self) -> list[PromptKeys]:
        return [x.prompts for x in self.cache.layers if isinstance(x, FrontierLayer) and x.prompts]

    def _copy(self, parents: NDArray[np.int64]) -> None:
        changed = np.flatnonzero(parents != np.arange(len(parents)))
        if not len(changed) and len(parents) == self.rows:
            return
        index, moved, source = map(self._tensor, (parents, changed, parents[changed]))
        self.rows = len(parents)
        for layer in self.cache.layers:
            if isinstance(layer, FrontierLayer):
                layer.select(index, moved, source)
            else:
                layer.reorder_cache(cast("torch.LongTensor", index))
        if self.mask is not None:
            self.mask = self.mask[index]

    def step(self, tokens: NDArray[np.int64]) -> torch.Tensor:
        """Append tokens [rows] or [rows, several]; the next-token logits."""
        ids = self._tensor(tokens if tokens.ndim == 2 else tokens[:, None])
        if self.mask is not None:
            self.mask = torch.cat([self.mask, self.mask.new_ones(ids.shape)], dim=1)
        return self._run(ids)

    def drop(self) -> None:
        """Give the memory back."""
        self.cache, self.mask, self.standing = DynamicCache(), None, None

    def room(self, ahead: int) -> tuple[int, int]:
        """Bytes that the prompts take for themselves, and bytes of a row once ``ahead`` more positions are told."""
        kept, row = 0, 0.0
        apart = self.least_on_prompts < NEVER
        for layer in self.cache.layers:
            if not isinstance(layer, CacheLayerMixin) or layer.keys is None or layer.values is None:
                continue
            if apart and isinstance(layer, FrontierLayer):
                kept += layer.position_bytes() * self.width * len(np.unique(self.owner))
                row += layer.position_bytes() * (self.length - self.width + ahead)
            else:
                held = (layer.keys.nbytes + layer.values.nbytes) / max(self.rows, 1)
                row += held * (self.length + ahead) / max(self.length, 1)
        return kept, math.ceil(row)

    @torch.inference_mode()
    def _run(self, ids: torch.Tensor) -> torch.Tensor:
        options: dict[str, object] = {"logits_to_keep": 1} if self.takes_keep else {}
        if self.mask is not None:
            options["attention_mask"] = self.mask.long()
            if self.takes_positions:
                positions = (self.mask.cumsum(-1) - 1).clamp_(min=0)
                options["position_ids"] = positions[:, -ids.shape[1] :]
        out = self.model(input_ids=ids, past_key_values=self.cache, use_cache=True, **options)
        self.calls += 1
        self.length += ids.shape[1]
        logits: torch.Tensor = out.logits[:, -1]
        return logits

    def _tensor(self, array: NDArray[np.generic]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


class Uncached(Forward):
    """The same without a cache, for models whose cache cannot branch or be padded: everything is read each time."""

    def begin(self, prompts: Sequence[Sequence[int]], told: NDArray[np.integer]) -> torch.Tensor:
        """New rows, each its prompt and then its tokens of ``told``; their next-token logits."""
        self.texts = [[*p, *row] for p, row in zip(prompts, told.tolist(), strict=True)]
        return self._read_all()

    def branch(self, parents: NDArray[np.int64]) -> None:
        """Row i is now a copy of what was row ``parents[i]``."""
        self.texts = [self.texts[i] for i in parents]

    def step(self, tokens: NDArray[np.int64]) -> torch.Tensor:
        """Append one token to each row; the next-token logits."""
        self.texts = [[*text, token] for text, token in zip(self.texts, tokens.tolist(), strict=True)]
        return self._read_all()

    def drop(self) -> None:
        """Nothing is held."""
        self.texts = []

    @torch.inference_mode()
    def _read_all(self) -> torch.Tensor:
        lengths = np.array([len(text) for text in self.texts])
        self.rows, self.length = len(lengths), int(lengths.max())
        logits: list[torch.Tensor] = [torch.empty(0)] * len(lengths)
        options: dict[str, object] = {"logits_to_keep": 1} if self.takes_keep else {}
        for places in self._pieces(lengths):
            ids = self._tensor(np.array([self.texts[i] for i in places]))
            out = self.model(input_ids=ids, use_cache=False, **options).logits[:, -1]
            self.calls += 1
            for place, row in zip(places, out, strict=True):
                logits[place] = row
        return torch.stack(logits)

    def _pieces(self, lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Rows of one length that are read together, so many that they have no more than ``TOKENS``."""
        for length in np.unique(lengths):
            places = np.flatnonzero(lengths == length)
            most = max(1, TOKENS // int(length))
            yield from (places[i : i + most] for i in range(0, len(places), most))


def open_forward(model: PreTrainedModel, pad: int) -> Forward:
    """A forward whose cache was seen to agree with the model read without one, or else one without a cache.

    Padding, branching and going on are tried together: some architectures fail at them loudly, others silently. Then
    the same with a beginning read once for all prompts.
    """
    cached, plain = Forward(model, pad), Uncached(model, pad)
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        return plain
    low, high = 3, max(4, min(1000, int(model.config.get_text_config().vocab_size)))
    told = np.random.default_rng(0).integers(low, high, (3, 9))
    prompts, begun = [told[0, :5].tolist(), told[0:2, 0].tolist()], told[1:, 2:4]

    def seen(forward: Forward) -> torch.Tensor:
        forward.begin(prompts, begun)
        forward.branch(np.array([0, 1, 1]))
        forward.step(told[:, 5])
        forward.branch(np.array([2, 1, 0, 2]))
        logits = forward.step(np.append(told[:, 6], told[0, 7])).float()
        forward.drop()
        return logits

    truth = seen(plain)
    share = min(max(AGREE[0], SLACK * torch.finfo(model.dtype).eps), AGREE[1])

    def agrees(least_shared: int, least_on_prompts: int = NEVER) -> bool:
        cached.least_shared, cached.least_on_prompts = least_shared, least_on_prompts
        try:
            apart = (truth - seen(cached)).std(-1) / truth.std(-1)
        except REFUSALS as error:
            cached.drop()
            if out_of_memory(error):
                raise
            return False
        return apart.max().item() < share

    if not agrees(NEVER):
        return plain
    shared = SHARED if agrees(1) else NEVER
    # attention to a prompt apart is our own: where a GPU or few bits make the library's much better, it is left alone
    ours = model.device.type == "cpu" and model.dtype == torch.float32
    apart = ON_PROMPTS if ours and agrees(NEVER, 1) else NEVER
    cached.least_shared, cached.least_on_prompts = shared, apart
    return cached
