"""Seeds of chunks: the same anywhere, never close enough for their children to meet."""

from __future__ import annotations

import itertools

import numpy as np

from harness.contract import Contract
from harness.runs.identity import seed_of
from harness.runs.seeds import BLOCK, chunk_seed
from tests.runs.test_folder import MANIFEST

NAMES = [f"{a}{b}" for a, b in itertools.product("abcdefghij", range(10))]


def test_children_of_a_prompts_chunks_never_meet_even_in_32_bits() -> None:
    for prompt in NAMES[:10]:
        low = np.sort([chunk_seed(1, "nurse", prompt, c) % 2**32 for c in range(2000)])
        gaps = np.diff(np.append(low, low[0] + 2**32))
        assert gaps.min() >= BLOCK


def test_children_of_a_runs_chunks_never_meet() -> None:
    seeds = np.array([chunk_seed(7, c, p, k) for c in NAMES for p in NAMES[:20] for k in range(10)])
    assert len(np.unique(seeds)) == 20_000
    assert (np.diff(np.sort(seeds)) >= BLOCK).all()
    assert seeds.min() >= 0
    assert seeds.max() < 2**63


def test_seeds_depend_on_names_not_on_where_they_are_cut() -> None:
    parts = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"), ("1:a", "b"), ("1", ":ab")]
    assert len({chunk_seed(0, c, p, 0) for c, p in parts}) == len(parts)
    assert chunk_seed(0, "a", "b", 0) == chunk_seed(0, "a", "b", 0) != chunk_seed(1, "a", "b", 0)


def test_seeds_look_random_in_every_bit_that_may_be_used() -> None:
    seeds = np.array([chunk_seed(3, c, p, 0) for c in NAMES for p in NAMES[:40]], dtype=np.uint64)
    for bit in (*range(32), 33, 47, 62):
        ones = ((seeds >> np.uint64(bit)) & np.uint64(1)).mean()
        assert abs(ones - 0.5) < 4.5 * 0.5 / len(seeds) ** 0.5


def test_two_models_or_two_ways_of_asking_share_no_random_numbers() -> None:
    who = MANIFEST.identity.model_copy(update={"weights": "1a", "seed": 3})
    others = [
        who.model_copy(update=change)
        for change in (
            {"seed": 4},
            {"weights": "2b"},
            {"adapter_weights": "3c"},
            {"template": "4d"},
            {"prompts_hash": "5e"},
            {"contract": Contract(strip_leading=("<a>",))},
            {"sampling": who.sampling.model_copy(update={"temperature": 0.7})},
        )
    ]
    assert len({seed_of(w) for w in [who, *others]}) == len(others) + 1
    elsewhere = who.model_copy(update={"model": "/another/place", "device": "cuda", "task_hash": "f"})
    assert seed_of(elsewhere) == seed_of(who)
    unseen = who.model_copy(update={"weights": ""})
    assert seed_of(unseen) != seed_of(unseen.model_copy(update={"model": "another"}))
