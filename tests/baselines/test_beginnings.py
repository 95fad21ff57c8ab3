"""Rows with branches: the same states, scores and gradients as of the rows one by one, from fewer tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.beginnings import branched, share_beginnings
from harness.sampling.hf.padding import padded
from tests.sampling.reference import from_config

SIZES: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
KINDS: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {},
    "gemma3_text": {"sliding_window": 64},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
}
QUESTION = list(range(3, 23))
OTHER = [3, 4, *range(30, 48)]
ROWS = [
    [*QUESTION, 50, 51, 2],
    [*QUESTION, 50, 52, 53, 2],
    [*OTHER, 54, 2],
    [*QUESTION, 55, 2],
    [*OTHER, 55, 56, 2],
    [*QUESTION, 50, 51, 2],
]


def model_of(kind: str, **more: Any) -> Any:
    """A small model with random weights."""
    return from_config(kind, **{**SIZES, **KINDS.get(kind, {}), **more})


def batch_of(rows: list[list[int]], *, left: bool = False) -> dict[str, torch.Tensor]:
    """Rows filled up on one side."""
    batch = padded(rows, 0)
    if left:
        width = batch["input_ids"].shape[1]
        shift = [width - len(row) for row in rows]
        batch = {k: torch.stack([x.roll(s) for x, s in zip(v, shift, strict=True)]) for k, v in batch.items()}
    return batch


def states(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, torch.Tensor], int]:
    """States at the rows' tokens, gradients of something made of them, and how many tokens were read."""
    read = 0

    def count(module: object, inputs: tuple[torch.Tensor, ...], output: object) -> None:
        nonlocal read
        read = max(read, inputs[0].numel())

    hook = model.get_input_embeddings().register_forward_hook(count)
    model.zero_grad()
    found = model.base_model(**batch, use_cache=False).last_hidden_state
    real = found[batch["attention_mask"].bool()]
    (real * torch.linspace(-1, 1, real.numel()).view(real.shape)).sum().backward()
    hook.remove()
    return real.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}, read


def same(model: Any, batch: dict[str, torch.Tensor]) -> tuple[int, int]:
    """Holds a model's states and gradients equal before and after; how many tokens it read each time."""
    before, slopes, many = states(model, batch)
    share_beginnings(model)
    states(model, batch)  # the first batch is read both ways
    after, steps, few = states(model, batch)
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)
    for name, slope in slopes.items():
        torch.testing.assert_close(steps[name], slope, atol=1e-3, rtol=1e-3)
    return many, few


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [False, True])
def test_states_and_gradients_are_those_of_the_rows_one_by_one(kind: str, left: bool) -> None:
    many, few = same(model_of(kind), batch_of(ROWS, left=left))
    # Given no positions, GPT-2 counts those of a row from its filling on: with branches its states would be others.
    alone = kind == "gpt2" and left
    assert (many, few) == (6 * 24, 6 * 24 if alone else 2 * 28)


@pytest.mark.parametrize("kind", ["mamba", "lfm2", "bloom", "openai-gpt"])
def test_a_model_that_cannot_read_branches_reads_rows_one_by_one(kind: str) -> None:
    more = {"layer_types": ["conv", "full_attention"]} if kind == "lfm2" else {}
    many, few = same(model_of(kind, **more), batch_of(ROWS))
    assert many == few == 6 * 24


def test_rows_longer_than_a_window_are_read_one_by_one() -> None:
    many, few = same(model_of("gemma3_text", sliding_window=16), batch_of(ROWS))
    assert many == few


def test_rows_that_share_little_stay_as_they_are() -> None:
    batch = batch_of([[3, *range(10, 20)], [3, *range(20, 30)]])
    assert branched(batch["input_ids"], batch["attention_mask"]) is None


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 2), min_size=1, max_size=12), min_size=1, max_size=8))
def test_every_token_sees_what_came_before_it_in_its_row(rows: list[list[int]]) -> None:
    batch = batch_of(rows)
    found = branched(batch["input_ids"], batch["attention_mask"])
    if found is None:
        return
    width = found.ids.shape[1]
    for number, row in enumerate(rows):
        places = found.places[number, : len(row)]
        group = int(places[0]) // width
        at = places - group * width
        assert found.ids[group, at].tolist() == row
        assert found.positions[group, at].tolist() == list(range(len(row)))
        for depth, place in enumerate(at):
            seen = found.sight[group, 0, place].nonzero().flatten()
            assert seen.tolist() == at[: depth + 1].tolist()
