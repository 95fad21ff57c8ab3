"""The cache of a frontier against the model read without a cache, over architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig
from transformers.cache_utils import CacheLayerMixin

from harness.sampling.hf.attention import share_keys
from harness.sampling.hf.cache import NEVER, ON_PROMPTS, SHARED, Forward, Uncached, open_forward
from tests.sampling.reference import from_config, logits_after

if TYPE_CHECKING:
    from transformers import PreTrainedModel

V = 60
SMALL: dict[str, object] = {
    "vocab_size": V,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
SLIDING = {**SMALL, "sliding_window": 5, "head_dim": 8}
STATES: dict[str, object] = {"vocab_size": V, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}
CONFIGS: dict[str, tuple[type[Forward], dict[str, object]]] = {
    "llama": (Forward, SMALL),
    "gpt2": (Forward, {"vocab_size": V, "n_embd": 32, "n_layer": 2, "n_head": 4}),
    "bloom": (Forward, {"vocab_size": V, "hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "mistral": (Forward, SLIDING),
    "gemma3_text": (
        Forward,
        {**SLIDING, "layer_types": ["sliding_attention", "full_attention"] * 2, "num_hidden_layers": 4},
    ),
    "lfm2": (Forward, {**SMALL, "layer_types": ["conv", "full_attention", "conv"]}),
    "jamba": (
        Forward,
        {
            **SMALL,
            "num_experts": 2,
            "num_experts_per_tok": 1,
            "mamba_d_state": 8,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "use_mamba_kernels": False,
        },
    ),
    "mamba2": (Uncached, {**STATES, "num_heads": 8, "head_dim": 8, "n_groups": 1}),
    "mamba": (Uncached, STATES),
}
USUAL = [
    "apertus",
    "cohere2",
    "exaone4",
    "gemma",
    "gemma2",
    "gemma3_text",
    "glm4",
    "gpt_neox",
    "granite",
    "helium",
    "hunyuan_v1_dense",
    "llama",
    "mistral",
    "mixtral",
    "nemotron",
    "olmo2",
    "olmo3",
    "opt",
    "phi",
    "phi3",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "seed_oss",
    "smollm3",
    "stablelm",
    "starcoder2",
]
"""What people have on their disks; each is read by a model of its kind with random weights."""


def first_keys(forward: Forward) -> torch.Tensor:
    layer = forward.cache.layers[0]
    assert isinstance(layer, CacheLayerMixin)
    assert layer.keys is not None
    return layer.keys


def check_rows(
    model: PreTrainedModel, forward: Forward, prompts: list[list[int]], rng: np.random.Generator
) -> None:
    """Three prompts' rows branch, end and grow; each sees what the model sees of that row alone."""
    rows = [list(p) for p in prompts]
    seen = forward.begin(prompts, np.zeros((3, 0), dtype=np.int64))
    moves = {0: [0, 1, 1, 2, 0], 3: [0, 4, 4, 3, 1, 0], 5: [5, 1, 2], 6: [1, 1, 0, 2, 2, 2, 2]}
    for step in range(8):
        for row, logits in zip(rows, seen, strict=True):
            torch.testing.assert_close(logits, logits_after(model, row), atol=1e-4, rtol=1e-4)
        if step in moves:
            forward.branch(np.array(moves[step]))
            rows = [list(rows[i]) for i in moves[step]]
        tokens = rng.integers(3, V, len(rows))
        seen = forward.step(tokens)
        for row, token in zip(rows, tokens.tolist(), strict=True):
            row.append(token)


@pytest.mark.parametrize("shared", [0, 6])
@pytest.mark.parametrize("name", CONFIGS)
def test_rows_that_branch_end_and_grow_see_what_the_model_alone_sees(name: str, shared: int) -> None:
    kind, settings = CONFIGS[name]
    model = from_config(name, **settings)
    forward = open_forward(model, 0)
    assert type(forward) is kind
    assert forward.least_shared == SHARED
    rng = np.random.default_rng(0)
    beginning = rng.integers(3, V, shared).tolist()
    prompts = [[*beginning, *rng.integers(3, V, size).tolist()] for size in (9, 4, 7)]
    forward.least_shared = shared or NEVER
    check_rows(model, forward, prompts, rng)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["plain", "shared", "on prompts"])
@pytest.mark.parametrize("name", USUAL)
def test_usual_architectures_are_read_with_a_cache(name: str, way: str) -> None:
    share_keys()
    known: Any = AutoConfig
    size = {"head_dim": 8} if hasattr(known.for_model(name), "head_dim") else {}
    model = from_config(name, **SMALL, **size, pad_token_id=0)
    forward = open_forward(model, 0)
    assert (type(forward), forward.least_shared, forward.least_on_prompts) == (Forward, SHARED, ON_PROMPTS)
    rng = np.random.default_rng(0)
    beginning = rng.integers(3, V, 6).tolist()
    prompts = [[*beginning, *rng.integers(3, V, size).tolist()] for size in (19, 4, 7)]
    forward.least_shared = 6 if way == "shared" else NEVER
    forward.least_on_prompts = 1 if way == "on prompts" else NEVER
    check_rows(model, forward, prompts, rng)


@pytest.mark.parametrize("name", CONFIGS)
def test_prefixes_taken_up_again_see_what_the_model_alone_sees(name: str) -> None:
    model = from_config(name, **CONFIGS[name][1])
    with torch.no_grad():
        for weights in model.parameters():
            # Weights as small as at random would hide a state that was lost.
            if weights.dim() > 1:
                weights.mul_(6)
    forward = open_forward(model, 0)
    rng = np.random.default_rng(2)
    prompts = [rng.integers(3, V, size).tolist() for size in (9, 4)]
    told = rng.integers(3, V, (3, 6))
    rows = [prompts[p] + t for p, t in zip((0, 1, 0), told.tolist(), strict=True)]
    seen = forward.begin([prompts[p] for p in (0, 1, 0)], told)
    for step in range(3):
        for row, logits in zip(rows, seen, strict=True):
            torch.testing.assert_close(logits, logits_after(model, row), atol=2e-3, rtol=2e-3)
            row.append(3 + step)
        seen = forward.step(np.full(3, 3 + step))


def test_without_a_cache_only_so_many_tokens_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = from_config("llama", **SMALL)
    plain = Uncached(model, 0)
    prompts = [[5, 6, 7], [8, 9], [5, 7, 7], [9, 8], [1, 2, 3]]
    whole = plain.begin(prompts, np.zeros((5, 0), dtype=np.int64))
    monkeypatch.setattr("harness.sampling.hf.cache.TOKENS", 6)
    before = plain.calls
    torch.testing.assert_close(plain.begin(prompts, np.zeros((5, 0), dtype=np.int64)), whole)
    assert plain.calls - before == 3


def test_prefixes_taken_up_again_are_read_from_a_shared_prompt() -> None:
    model = from_config("llama", **SMALL)
    forward = Forward(model, 0)
    told = np.random.default_rng(1).integers(3, V, (3, 4))
    prompts = [[5, 6, 7], [8, 9], [5, 6, 7]]
    seen = forward.begin(prompts, told)
    for prompt, row, logits in zip(prompts, told.tolist(), seen, strict=True):
        torch.testing.assert_close(logits, logits_after(model, prompt + row), atol=1e-4, rtol=1e-4)
    assert forward.calls == 2
    assert first_keys(forward).shape[0] == 3


@pytest.mark.parametrize(("name", "positions"), [("llama", 500 + 3 * 3), ("mistral", 3 * 503)])
def test_a_long_beginning_is_read_once_for_all_prompts_unless_a_window_would_count_its_padding(
    name: str, positions: int
) -> None:
    model = from_config(name, **{**CONFIGS[name][1], "max_position_embeddings": 600})
    forward = Forward(model, 0)
    read = []
    model.register_forward_pre_hook(
        lambda _, args, kwargs: read.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    beginning = np.random.default_rng(1).integers(3, V, 500).tolist()
    prompts = [[*beginning, *rest] for rest in ([5], [6, 7, 8], [5, 6])]
    seen = forward.begin(prompts, np.zeros((3, 0), dtype=np.int64))
    assert sum(read) == positions
    for prompt, logits in zip(prompts, seen, strict=True):
        torch.testing.assert_close(logits, logits_after(model, prompt), atol=1e-4, rtol=1e-4)


def test_rows_that_do_not_branch_stay_where_they_are() -> None:
    model = from_config("llama", **SMALL)
    forward = Forward(model, 0)
    forward.begin([[3, 4], [5, 6], [7, 8]], np.zeros((3, 0), dtype=np.int64))
    forward.branch(np.array([0, 1, 2, 1, 1]))
    forward.step(np.array([9, 9, 9, 10, 11]))
    keys = first_keys(forward)
    place, before = keys.data_ptr(), keys.clone()
    forward.branch(np.array([0, 4, 2]))
    after = first_keys(forward)
    assert after.data_ptr() == place
    torch.testing.assert_close(after, before[[0, 4, 2]])
