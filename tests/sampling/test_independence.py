"""The tests of independence: honest draws pass at the stated rate, every known way to cheat is caught."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from harness.sampling.base import ModelCard
from harness.sampling.independence import FIRST, duplicates, outputs, probe
from harness.terms import Draw, Request, Sampling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.sampling.base import Settled
    from harness.terms import Finish

LAWS = {"coin": 0.5, "low entropy": 0.02, "many": 0.0}


def law(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Output probabilities of one prompt."""
    if kind == "coin":
        return np.array([0.5, 0.45, 0.05])
    if kind == "low entropy":
        return np.array([0.985, 0.01, 0.005])
    return rng.dirichlet(np.full(3000, 0.5))


def chunk(p: np.ndarray, n: int, seed: int) -> Counter[str]:
    """n draws with a seed of their own."""
    return Counter(map(str, np.random.default_rng(seed).choice(len(p), n, p=p).tolist()))


def honest(kind: str, prompts: int, seed: int, chunks: int = 4, n: int = 25) -> list[list[Counter[str]]]:
    rng = np.random.default_rng(seed)
    laws = [law(kind, rng) for _ in range(prompts)]
    return [[chunk(p, n, int(rng.integers(2**62))) for _ in range(chunks)] for p in laws]


@pytest.mark.parametrize("kind", LAWS)
def test_honest_draws_are_not_blamed(kind: str) -> None:
    found = [duplicates(honest(kind, 12, seed)) for seed in range(150)]
    for level in (0.05, 0.2):
        for name in ("copies", "repeats", "doubles"):
            blamed = sum(getattr(f, name) <= level for f in found)
            assert stats.binomtest(blamed, len(found), level, alternative="greater").pvalue > 1e-3
    assert sum(not f.passed for f in found) <= 3


@pytest.mark.parametrize("kind", LAWS)
def test_chunks_that_share_a_seed_are_caught(kind: str) -> None:
    rng = np.random.default_rng(1)
    shared = []
    for i in range(60):
        p = law(kind, rng)
        shared.append([chunk(p, 25, i) for _ in range(4)])
    found = duplicates(shared)
    assert not found.passed
    assert "share seeds" in found.reason


@pytest.mark.parametrize("kind", ["coin", "many"])
def test_two_replicas_among_four_chunks_are_caught(kind: str) -> None:
    run = honest(kind, 120, 2)
    for chunks in run:
        chunks[2] = chunks[0]
    assert not duplicates(run).passed


def test_children_that_overlap_are_caught() -> None:
    # Child i of a chunk has the seed + i; chunks stand 1 apart instead of 25.
    rng = np.random.default_rng(3)
    run = []
    for prompt in range(20):
        p = law("many", rng)
        each = [int(np.random.default_rng([prompt, s]).choice(len(p), p=p)) for s in range(28)]
        run.append([Counter(map(str, each[c : c + 25])) for c in range(4)])
    found = duplicates(run)
    assert not found.passed
    assert "share seeds" in found.reason


@pytest.mark.parametrize("kind", LAWS)
def test_copies_within_a_request_are_caught(kind: str) -> None:
    rng = np.random.default_rng(4)
    run = []
    for prompt in range(60):
        p = law(kind, rng)
        run.append([Counter({next(iter(chunk(p, 1, prompt * 50 + c))): 25}) for c in range(4)])
    found = duplicates(run)
    assert not found.passed
    assert "copies" in found.reason


def test_draws_that_come_in_pairs_are_caught_in_a_single_chunk() -> None:
    run = [[Counter({k: 2 * c for k, c in chunks[0].items()})] for chunks in honest("many", 2, 5, 1)]
    found = duplicates(run)
    assert not found.passed
    assert "pairs" in found.reason


TIGHT = {
    "two equal": [0.5, 0.5],
    "two thirds": [2 / 3, 1 / 3],
    "three": [0.5, 0.49, 0.01],
    "ties": [0.3, 0.3, 0.3, 0.1],
    "spike": [0.9, *[0.01] * 10],
    "zipf": (1 / np.arange(1, 31) / np.sum(1 / np.arange(1, 31))).tolist(),
}


@pytest.mark.parametrize("n", [2, 5, 8, 9, 25, 100])
@pytest.mark.parametrize("kind", TIGHT)
def test_no_law_and_no_n_makes_honest_draws_look_like_pairs(kind: str, n: int) -> None:
    rng = np.random.default_rng([n, *kind.encode()])
    for prompts, runs in ((1, 60), (100, 20)):
        drawn = rng.multinomial(n, TIGHT[kind], size=(runs, prompts))
        found = [
            duplicates([[Counter({str(i): int(k) for i, k in enumerate(row)})] for row in run]).doubles
            for run in drawn
        ]
        for level in (0.01, 0.2):
            blamed = sum(p <= level for p in found)
            assert stats.binomtest(blamed, runs, level, alternative="greater").pvalue > 1e-4


def test_the_bound_on_pairs_holds_exactly_where_all_vectors_can_be_counted() -> None:
    for n in (2, 4, 5, 8):
        vectors = [v for v in itertools.product(range(1, n + 1), repeat=3) if sum(v) == n]
        for shares in itertools.product((0.1, 1, 3), repeat=2):
            law = stats.multinomial(n, np.array([*shares, 1]) / (sum(shares) + 1))
            weights = np.array([law.pmf(v) for v in vectors])
            claimed = np.array(
                [duplicates([[Counter(dict(zip("abc", v, strict=True)))]]).doubles for v in vectors]
            )
            for level in set(claimed[claimed < 1].tolist()):
                assert weights[claimed <= level].sum() <= level * weights.sum() * (1 + 1e-6)


@pytest.mark.parametrize(("classes", "n", "prompts"), [(2, 24, 24), (3, 100, 24), (4, 25, 24), (10, 25, 8)])
def test_draws_handed_out_twice_are_caught(classes: int, n: int, prompts: int) -> None:
    rng = np.random.default_rng(n)
    run = []
    for _ in range(prompts):
        twice = np.repeat(rng.integers(classes, size=(n + 1) // 2), 2)[:n]
        run.append([Counter(map(str, twice.tolist()))])
    assert "pairs" in duplicates(run).reason


def test_one_output_or_none_at_all_says_nothing() -> None:
    assert duplicates([]).p == 1
    assert duplicates([[Counter({"a": 25}), Counter({"a": 25})]] * 50).p == 1
    assert duplicates([[Counter()], [Counter({"a": 1})]]).p == 1


def test_failed_draws_are_no_outputs() -> None:
    draws = [Draw("x", 3), Draw("", 4, "failed", 0, "cut"), Draw("x", 2, "length")]
    assert sorted(outputs(draws).values()) == [2, 3]


@dataclass
class Mock:
    """An engine over a known law, with a fault."""

    fault: str = ""
    max_chunk: int = 50
    size: int = 6
    calls: list[int] = field(default_factory=list)

    def card(self) -> ModelCard:
        return ModelCard("mock")

    def render(self, request: Request) -> str:
        return request.text

    def close(self) -> None:
        return None

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        for request in requests:
            self.calls.append(request.n)
            seed = {"seedless": len(self.calls), "constant": 0}.get(self.fault, request.seed)
            rng = np.random.default_rng(seed)
            drawn = rng.integers(self.size, size=1 if self.fault == "copies" else request.n)
            texts = Counter(map(str, np.resize(drawn, request.n).tolist()))
            finish: Finish = "failed" if self.fault == "down" else "stop"
            yield request, [Draw(t, c, finish) for t, c in texts.items()]


@pytest.mark.parametrize(
    ("fault", "repeatable", "passed"),
    [("", True, True), ("seedless", False, True), ("constant", True, False), ("copies", True, False)],
)
def test_the_probe_tells_seeds_kept_from_seeds_ignored(fault: str, repeatable: bool, passed: bool) -> None:
    engine = Mock(fault)
    requests = [Request(f"c{i}", "p", 0, 500, 11 + i, text="?") for i in range(5)]
    others = [replace(r, seed=r.seed + 100) for r in requests]
    found = probe(engine, requests, others, Sampling())
    assert sum(engine.calls) == found.draws
    assert found.repeatable is repeatable
    assert found.passed is passed
    assert found.drawn
    assert bool(found.reason) is not passed


def test_a_probe_without_draws_is_no_pass() -> None:
    requests = [Request(f"c{i}", "p", 0, 500, 11 + i, text="?") for i in range(5)]
    found = probe(Mock("down"), requests, requests, Sampling())
    assert not found.drawn
    assert not found.passed
    assert "failed" in found.reason


@pytest.mark.parametrize("size", [1, 2, 6, 500])
def test_a_probe_of_honest_seeds_passes_and_costs_little(size: int) -> None:
    found = [_probed(seed, size) for seed in range(60)]
    assert all(passed for passed, _ in found)
    spent = [draws for _, draws in found]
    if size == 1:
        assert set(spent) == {FIRST + 64}, "one answer to two questions: eight are asked, and that is all"
    else:
        assert np.mean(spent) < 45
        assert np.median(spent) == FIRST == 20


@pytest.mark.parametrize(("fault", "size"), [*itertools.product(("constant", "copies"), (6, 500))])
def test_a_probe_catches_seeds_that_are_not_honoured(fault: str, size: int) -> None:
    caught = sum(not _probed(seed, size, fault)[0] for seed in range(40))
    assert caught >= 36


def _probed(seed: int, size: int, fault: str = "") -> tuple[bool, int]:
    requests = [Request(f"c{i}", "p", 0, 500, 1000 * seed + i, text="?") for i in range(8)]
    others = [replace(r, seed=r.seed + 500) for r in requests]
    found = probe(Mock(fault, size=size), requests, others, Sampling())
    return found.passed, found.draws
