"""Draws next tokens: random numbers by prefix, temperature and top-k and top-p, many distributions at once.

Randomness is a function of the path: each prefix has a key, made from its parent's key and its token, and the
i-th draw from a prefix uses the i-th number of the key's stream (SplitMix64). So a request's draws depend on
its seed and the model alone, not on what shares its batch or in which order prefixes are visited.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.terms import Sampling

    Keys = NDArray[np.uint64]
    Ints = NDArray[np.int64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
BRANCH = np.uint64(0xD1B54A32D192ED03)
TINY = torch.finfo(torch.float32).tiny
BLOCK = 256
"""Tokens per block of the two-level search."""
SMALL = 2**16
"""So few logits are searched on one level: each level costs some thirty calls of torch."""
BITS = 44
ONE = 2**BITS
"""A probability of 1 where distributions are inverted, in whole numbers; 2**19 rows fit beside it."""
NUCLEUS = 1024
"""Most probable tokens among which top-p is looked for first."""
CPU_LOGITS, GPU_LOGITS = 2**20, 2**26
"""Logits that are filtered and weighed together."""


def mix(x: Keys) -> Keys:
    """SplitMix64's finaliser: a bijection of 64 bits whose outputs pass BigCrush on consecutive inputs."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def root_keys(seeds: list[int]) -> Keys:
    """The keys of prompts, from their requests' seeds."""
    return mix(np.array([s & (2**64 - 1) for s in seeds], dtype=np.uint64) + GOLDEN)


def child_keys(keys: Keys, tokens: Ints) -> Keys:
    """The keys of prefixes one token longer."""
    return mix(mix(keys ^ BRANCH) + (tokens.astype(np.uint64) + np.uint64(1)) * GOLDEN)


def uniforms(keys: Keys, counts: Ints) -> tuple[Ints, NDArray[np.float64]]:
    """``counts[r]`` numbers in (0, 1) for each row r, with the row of each."""
    rows = np.repeat(np.arange(len(keys)), counts)
    index = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    bits = mix(keys[rows] + (index.astype(np.uint64) + np.uint64(1)) * GOLDEN)
    # 52 bits, centred: neither 0 nor, after rounding, 1.
    return rows, ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def filtered(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Float32 logits under temperature, then top-k, then top-p; what is cut off is -inf."""
    scores = logits.float()
    if sampling.temperature not in (0.0, 1.0):
        # The largest becomes 0: a temperature close to 0 must not carry it to infinity.
        scores = (scores - scores.amax(-1, keepdim=True)) / max(sampling.temperature, TINY)
    vocabulary = scores.shape[-1]
    if 0 < sampling.top_k < vocabulary:
        least = scores.topk(sampling.top_k, dim=-1).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if sampling.top_p < 1:
        scores = scores.masked_fill(_outside(scores, sampling.top_p, NUCLEUS), -torch.inf)
    return scores


def _outside(scores: torch.Tensor, top_p: float, most: int) -> torch.Tensor:
    """What lies outside the fewest most probable tokens that hold ``top_p``.

    They are looked for among ``most`` first, since to sort a whole vocabulary takes longer than the model.
    """
    values, order = scores.topk(min(most, scores.shape[-1]), dim=-1)
    total = (scores - values[:, :1]).exp_().sum(-1, keepdim=True, dtype=torch.float64)
    held = (values - values[:, :1]).double().exp_().cumsum(-1) / total
    before = held.roll(1, -1)
    before[:, 0] = 0.0
    outside = torch.ones_like(scores, dtype=torch.bool).scatter_(-1, order, before >= top_p)
    wider = held[:, -1] < top_p
    if most < scores.shape[-1] and wider.any():
        outside[wider] = _outside(scores[wider], top_p, scores.shape[-1])
    return outside


def parts(logits: torch.Tensor) -> list[slice]:
    """Rows to filter and to weigh together: a vocabulary of 150,000 must not be held many times over."""
    count, width = logits.shape
    step = max(1, (GPU_LOGITS if logits.is_cuda else CPU_LOGITS) // max(width, BLOCK))
    return [slice(i, min(i + step, count)) for i in range(0, count, step)]


def not_numbers(where: str = "") -> UserError:
    """The error of a model whose forward pass overflows, or whose weights are broken, after a prompt."""
    return UserError(
        "the model's next-token probabilities are not numbers (NaN)",
        where=where,
        expected="weights without NaN, and a dtype in which the model does not overflow",
        hint="--dtype float32, if it was loaded in half precision",
    )


def draw_tokens(
    logits: torch.Tensor, keys: Keys, counts: Ints, sampling: Sampling
) -> tuple[Ints, Ints, Ints]:
    """Draw ``counts[r]`` next tokens from each row r.

    Returns:
        Row, token and count of each distinct (row, token), sorted by row, then token.
    """
    if sampling.temperature == 0:
        best, token = logits.max(-1)
        if best.isnan().any():
            raise not_numbers()
        return np.arange(len(counts)), token.cpu().numpy(), counts
    rows, u = uniforms(keys, counts)
    # Sorted, so that what is looked up below comes in order; how often each token is met does not change.
    points = np.sort((rows << BITS) + (u * ONE).astype(np.int64))
    width, ends = logits.shape[-1], np.cumsum(counts)
    codes = np.concatenate(
        [
            _invert(filtered(logits[part], sampling), points[drawn] - (part.start << BITS))
            + part.start * width
            for part in parts(logits)
            for drawn in [slice(ends[part.start] - counts[part.start], ends[part.stop - 1])]
        ]
    )
    codes, totals = np.unique(codes, return_counts=True)
    return codes // width, codes % width, totals


def _invert(scores: torch.Tensor, points: Ints) -> Ints:
    """Inverse of the rows' cumulative distributions at sorted points: row x vocabulary + token of each.

    Two levels: float64 sums over blocks of tokens find the block, a float64 sum inside finds the token. One pass
    over the vocabulary, and no tail is lost to a float32 running sum.
    """
    count, width = scores.shape
    at = torch.from_numpy(points).to(scores.device)
    most = scores.amax(-1, keepdim=True)
    if scores.numel() <= SMALL:
        return torch.searchsorted(_edges((scores - most).exp_()), at, right=True).cpu().numpy()
    blocks = -(-width // BLOCK)
    weights = scores.new_zeros(count, blocks * BLOCK)
    torch.sub(scores, most, out=weights[:, :width]).exp_()
    weights = weights.view(-1, BLOCK)
    edges = _edges(weights.sum(-1, dtype=torch.float64).view(count, blocks))
    block = torch.searchsorted(edges, at, right=True)
    low = torch.where(block > 0, edges[block - 1], 0)
    inside = ((at - low).double() + 0.5) / (edges[block] - low) * ONE
    distinct, place = torch.unique_consecutive(block, return_inverse=True)
    edges = _edges(weights.index_select(0, distinct))
    token = torch.searchsorted(edges, (place << BITS) + inside.long(), right=True) % BLOCK
    return (block // blocks * width + block % blocks * BLOCK + token).cpu().numpy()


def _edges(weights: torch.Tensor) -> torch.Tensor:
    """Where each weight ends when row r's divide the whole numbers from r x ``ONE`` to (r + 1) x ``ONE``.

    All rows together are one sorted ladder. Its numbers are whole so that what a point falls on does not depend on
    where in the batch its row stands.
    """
    sums = weights.cumsum(-1, dtype=torch.float64)
    total = sums[:, -1:]
    # A row of nothing but -inf has become NaN, as has one in which the model gave a NaN.
    if not math.isfinite(total.sum().item()):
        raise not_numbers()
    edges: torch.Tensor = (sums / (total / ONE)).long()
    edges += torch.arange(0, len(edges) << BITS, ONE, device=edges.device)[:, None]
    return edges.view(-1)
