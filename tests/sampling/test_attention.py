"""Heads that share keys: the same numbers as a model that reads everything anew, and no copy for each head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from transformers.integrations import sdpa_attention

from harness.sampling.hf.attention import attend, share_keys
from harness.sampling.hf.cache import Forward, Uncached
from harness.sampling.hf.layer import FrontierLayer
from tests.sampling.reference import from_config

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SIZES: dict[str, object] = {
    "vocab_size": 50,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "initializer_range": 0.3,
}


def llama(heads: int, shared: int) -> PreTrainedModel:
    return from_config("llama", **SIZES, num_attention_heads=heads, num_key_value_heads=shared)


def gemma() -> PreTrainedModel:
    """Layers with a window of five tokens, and one without."""
    own: dict[str, object] = {
        "num_attention_heads": 4,
        "num_key_value_heads": 1,
        "head_dim": 12,
        "sliding_window": 5,
    }
    return from_config("gemma3_text", **SIZES, **own)


def logits(model: PreTrainedModel, kind: type[Forward]) -> torch.Tensor:
    """Of rows that are padded, branch and go on."""
    forward, told = kind(model, 0), np.random.default_rng(3).integers(1, 50, (3, 12))
    found = [forward.begin([told[0, :6].tolist(), told[1, :3].tolist()], np.zeros((2, 0), np.int64))]
    for step in range(6, 12):
        forward.branch(np.array([0, 1, 1]) if step == 6 else np.array([2, 0, 1]))
        found.append(forward.step(told[:, step]))
    return torch.cat(found)


@pytest.mark.parametrize("model", [llama(6, 2), llama(6, 1), llama(4, 4), gemma()])
def test_the_logits_are_those_of_eager_attention_without_a_cache(model: PreTrainedModel) -> None:
    share_keys()
    assert model.config._attn_implementation == "sdpa"
    ours = logits(model, Forward)
    model.set_attn_implementation("eager")
    torch.testing.assert_close(ours, logits(model, Uncached), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("model", [llama(6, 2), llama(4, 4), gemma()])
def test_prompts_kept_apart_give_the_logits_of_eager_attention_without_a_cache(
    model: PreTrainedModel,
) -> None:
    """Through prompts of different lengths, branches, several tokens at once, and prompts that no row stands on any more."""
    share_keys()
    told = np.random.default_rng(4).integers(1, 50, (5, 40))
    lengths = (9, 9, 4, 7, 7)  # the first two rows stand on one prompt
    prompts = [told[max(i, 1), :length].tolist() for i, length in enumerate(lengths)]
    parents = (
        [0, 1, 2, 3, 4, 4, 4],
        [6, 1, 2, 2, 4, 0],
        [1, 5, 0, 0],
        [2, 3],
    )  # of 4 prompts 3, 2 and 1 are left

    def walked(forward: Forward) -> torch.Tensor:
        found = [forward.begin(prompts, told[:, 10:12])]
        for depth, of in enumerate(parents):
            forward.branch(np.array(of))
            found.append(forward.step(told[np.arange(len(of)) % 5, depth]))
        return torch.cat(found)

    ours = Forward(model, 0)
    ours.least_on_prompts = 1
    logits_ours = walked(ours)
    assert ours.standing is not None
    assert ours.standing.prompts == 1
    model.set_attn_implementation("eager")
    torch.testing.assert_close(logits_ours, walked(Uncached(model, 0)), atol=2e-4, rtol=1e-4)


def test_a_branch_copies_no_prompt_that_is_kept_apart() -> None:
    share_keys()
    forward = Forward(llama(6, 2), 0)
    forward.least_on_prompts = 30
    forward.begin([list(range(1, 11)), list(range(11, 16))], np.zeros((2, 0), np.int64))
    forward.branch(np.array([0, 0, 1, 1]))
    assert forward.standing is None, "two more rows of ten positions are fewer than 30"
    forward.step(np.array([3, 4, 5, 6]))
    forward.branch(np.repeat(np.arange(4), 25))
    forward.step(np.arange(100) % 50)
    held = [x for x in forward.cache.layers if isinstance(x, FrontierLayer)]
    assert len(held) == 3
    assert all((x.rows, x.length) == (100, 2) for x in held), "the rows' own positions alone"
    kept, row = forward.room(5)
    position = 3 * 2 * 2 * 8 * 4  # layers, keys and values, heads, size, bytes
    assert (kept, row) == (position * 10 * 2, position * (2 + 5))


def test_a_step_repeats_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    share_keys()
    forward, steps = Forward(llama(6, 2), 0), np.array([[4, 5], [6, 7]])
    forward.begin([[1, 2, 3], [4, 5]], np.zeros((2, 0), np.int64))
    repeated: list[int] = []
    repeat = sdpa_attention.repeat_kv

    def noted(states: torch.Tensor, times: int) -> torch.Tensor:
        repeated.append(times)
        return repeat(states, times)

    monkeypatch.setattr(sdpa_attention, "repeat_kv", noted)
    forward.step(steps[:, 0])
    assert not repeated
    forward.step(steps)  # several tokens are left to transformers, which repeats
    assert repeated


def test_what_is_not_one_token_is_left_to_transformers() -> None:
    module = torch.nn.Module()
    module.num_key_value_groups = 3  # type: ignore[assignment]  # a plain attribute, as attention layers have it
    query, key = torch.randn(2, 6, 4, 8), torch.randn(2, 2, 4, 8)
    asked = module, query, key, key, None
    assert torch.equal(attend(*asked)[0], sdpa_attention.sdpa_attention_forward(*asked)[0])
