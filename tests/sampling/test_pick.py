"""Next-token draws against their distribution and against transformers' own filters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from harness.errors import UserError
from harness.sampling.hf.frontier import in_place
from harness.sampling.hf.pick import child_keys, draw_tokens, filtered, root_keys, uniforms
from harness.terms import Sampling

PLAIN = Sampling()


def counts_of(logits: torch.Tensor, seed: int, n: int, sampling: Sampling = PLAIN) -> np.ndarray:
    """Counts [rows, vocabulary] of ``n`` draws from each row."""
    keys = root_keys([seed * 1000 + i for i in range(len(logits))])
    rows, tokens, counts = draw_tokens(logits, keys, np.full(len(logits), n), sampling)
    out = np.zeros(logits.shape, dtype=np.int64)
    out[rows, tokens] = counts
    return out


def test_counts_follow_the_softmax() -> None:
    torch.manual_seed(1)
    logits = torch.randn(3, 700) * 2
    probabilities = logits.double().softmax(-1).numpy()
    p_values = []
    for seed in range(30):
        seen = counts_of(logits, seed, 20_000)
        assert seen.sum(1).tolist() == [20_000] * 3
        for row in range(3):
            big = probabilities[row] * 20_000 >= 5
            observed = np.append(seen[row][big], seen[row][~big].sum())
            expected = np.append(probabilities[row][big], probabilities[row][~big].sum()) * 20_000
            p_values.append(stats.chisquare(observed, expected).pvalue)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_one_level_of_search_finds_what_two_do(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(4)
    logits = torch.randn(5, 2000) * 6
    logits[1, :700] = -torch.inf
    logits[2, 300:] = -torch.inf
    found = []
    for small in (0, 2**20):
        monkeypatch.setattr("harness.sampling.hf.pick.SMALL", small)
        found.append(counts_of(logits, 9, 50_000))
    assert (found[0] == found[1]).all()
    expected = logits.double().softmax(-1).numpy() * 50_000
    for seen, row in zip(found[0], expected, strict=True):
        big = row >= 5
        observed, wanted = (np.append(x[big], x[~big].sum()) for x in (seen, row))
        assert stats.chisquare(observed, wanted).pvalue > 1e-3


def test_single_draws_per_row_follow_it_too() -> None:
    torch.manual_seed(2)
    one = torch.randn(1, 40)
    seen = counts_of(one.expand(20_000, -1), 3, 1).sum(0)
    expected = one.double().softmax(-1)[0].numpy() * 20_000
    assert stats.chisquare(seen, expected / expected.sum() * seen.sum()).pvalue > 1e-3


def test_a_tail_that_float32_sums_would_lose_is_drawn() -> None:
    # 150,000 tokens of 1e-8 each after one of nearly 1: a float32 running sum near 1 cannot add them.
    logits = torch.full((1, 150_001), float(np.log(1e-8)))
    logits[0, 0] = 0.0
    share = 150_000e-8 / (1 + 150_000e-8)
    tail = sum(200_000 - int(counts_of(logits, seed, 200_000)[0, 0]) for seed in range(5))
    assert stats.binomtest(tail, 1_000_000, share).pvalue > 1e-3


def test_what_has_no_probability_is_never_drawn() -> None:
    logits = torch.full((2, 515), -torch.inf)
    logits[0, 511] = 3.0
    logits[1, [0, 514]] = 0.0
    seen = counts_of(logits, 5, 50_000)
    assert seen[0, 511] == 50_000
    assert seen[1, 0] + seen[1, 514] == 50_000


def test_probabilities_that_are_no_numbers_are_an_error() -> None:
    broken = torch.zeros(2, 5)
    broken[1, 3] = torch.nan
    for logits in (broken, torch.full((2, 5), torch.nan), torch.full((2, 5), -torch.inf)):
        with pytest.raises(UserError, match="NaN"):
            counts_of(logits, 0, 3)
    with pytest.raises(UserError, match="NaN"):
        counts_of(broken, 0, 3, Sampling(temperature=0.0))


@given(
    st.floats(0.3, 2.0),
    st.one_of(st.just(1.0), st.floats(0.05, 0.99)),
    st.one_of(st.just(0), st.integers(1, 60)),
    st.integers(0, 10_000),
)
@settings(max_examples=80, deadline=None)
def test_filters_are_those_of_transformers(temperature: float, top_p: float, top_k: int, seed: int) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(4, 50) * 3
    ids = torch.zeros(4, 1, dtype=torch.long)
    expected = TemperatureLogitsWarper(temperature)(ids, logits)
    if top_k:
        expected = TopKLogitsWarper(top_k)(ids, expected)
    if top_p < 1:
        expected = TopPLogitsWarper(top_p)(ids, expected)
    got = filtered(logits, Sampling(temperature=temperature, top_p=top_p, top_k=top_k))
    torch.testing.assert_close(got.softmax(-1), expected.softmax(-1), atol=1e-6, rtol=1e-5)


def test_tokens_that_tie_at_the_edge_of_top_k_all_stay() -> None:
    logits = torch.tensor([[3.0, 1.0, 1.0, 1.0, 0.0], [2.0, 2.0, 2.0, 2.0, 2.0]])
    expected = TopKLogitsWarper(2)(torch.zeros(2, 1, dtype=torch.long), logits)
    assert (filtered(logits, Sampling(top_k=2)) == expected).all()
    assert expected.isfinite().sum(1).tolist() == [4, 5]


@pytest.mark.parametrize("nucleus", [1, 4, 50])
def test_top_p_is_found_wherever_it_ends(monkeypatch: pytest.MonkeyPatch, nucleus: int) -> None:
    monkeypatch.setattr("harness.sampling.hf.pick.NUCLEUS", nucleus)
    torch.manual_seed(8)
    logits = torch.randn(40, 50) * torch.logspace(-1, 1.5, 40)[:, None]
    logits[3, 20:] = -torch.inf
    for top_p in (1e-9, 0.3, 0.9, 0.999999):
        expected = TopPLogitsWarper(top_p)(torch.zeros(40, 1, dtype=torch.long), logits)
        assert (filtered(logits, Sampling(top_p=top_p)) == expected).all()


def test_temperature_zero_takes_the_most_probable() -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0], [5.0, 2.0, 1.0]])
    seen = counts_of(logits, 0, 7, Sampling(temperature=0.0))
    assert seen.tolist() == [[0, 7, 0], [7, 0, 0]]


def test_rows_weighed_in_parts_are_drawn_as_if_together(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(5)
    logits, keys = torch.randn(7, 300) * 3, root_keys(list(range(7)))
    counts = np.array([3, 1, 200, 1, 40, 2, 9])
    for sampling in (Sampling(), Sampling(temperature=0.7, top_k=50, top_p=0.9)):
        whole = draw_tokens(logits, keys, counts, sampling)
        with monkeypatch.context() as patch:
            patch.setattr("harness.sampling.hf.pick.CPU_LOGITS", 900)
            for one, other in zip(whole, draw_tokens(logits, keys, counts, sampling), strict=True):
                assert one.tolist() == other.tolist()


@pytest.mark.parametrize("temperature", [1e-3, 1e-40, 1e-300])
def test_temperature_close_to_zero_does_too(temperature: float) -> None:
    logits = torch.tensor([[0.0, 2e4, 1.0], [-5.0, -7.0, -torch.inf]])
    seen = counts_of(logits, 0, 7, Sampling(temperature=temperature))
    assert seen.tolist() == [[0, 7, 0], [7, 0, 0]]


def test_numbers_are_uniform_and_streams_differ() -> None:
    keys = root_keys(list(range(2000)))
    children = child_keys(np.repeat(keys, 20), np.tile(np.arange(20), 2000))
    assert len(np.unique(np.concatenate([keys, children]))) == 42_000
    _, u = uniforms(children, np.full(40_000, 3))
    assert stats.kstest(u, "uniform").pvalue > 0.01
    first, second = u[0::3], u[1::3]
    assert abs(stats.pearsonr(first, second).statistic) < 4 / np.sqrt(40_000)
    assert abs(stats.pearsonr(first[:-1], first[1:]).statistic) < 4 / np.sqrt(40_000)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=13))
def test_children_fill_the_frontier_and_first_ones_stay(family: list[int]) -> None:
    parents = np.repeat(np.arange(len(family)), family)
    order = in_place(parents)
    assert sorted(order.tolist()) == list(range(len(parents)))
    placed = parents[order]
    for row, size in enumerate(family):
        if size and row < len(parents):
            assert placed[row] == row
