"""On a CUDA device: the law of the CPU, the same draws again, and memory that runs out without a lost draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.sampling.hf.collapsed import CollapsedEngine
from tests.sampling.laws import ASK, asked, counted, homogeneity

if TYPE_CHECKING:
    from pathlib import Path

    from harness.terms import Draw

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def engines(tiny_model: Path) -> tuple[CollapsedEngine, CollapsedEngine]:
    """On the GPU, and on the CPU, both in float32."""
    path = str(tiny_model)
    return CollapsedEngine(path, device="cuda", dtype="float32"), CollapsedEngine(path, device="cpu")


def test_draws_have_the_law_of_the_cpu(engines: tuple[CollapsedEngine, CollapsedEngine]) -> None:
    gpu, cpu = engines
    assert homogeneity(counted(gpu, asked(4000, 1)), counted(cpu, asked(4000, 2))) > 0.001


def test_a_seed_gives_the_same_draws_again(engines: tuple[CollapsedEngine, CollapsedEngine]) -> None:
    gpu, _ = engines
    assert counted(gpu, asked(500, 3)) == counted(gpu, asked(500, 3))


def test_exact_bounds_agree(engines: tuple[CollapsedEngine, CollapsedEngine]) -> None:
    def outcome(draw: Draw) -> str:
        return draw.text[:4]

    by = [dict(engine.exact(asked(1), ASK, outcome, None, 1e-3)) for engine in engines]
    for request, shares in by[0].items():
        theirs = by[1][request]
        for name in {*shares.lower, *theirs.lower}:
            # Each is a lower bound within its undecided mass; float32 adds a few parts in 1e5.
            gap = abs(shares.lower.get(name, 0.0) - theirs.lower.get(name, 0.0))
            assert gap <= max(shares.undecided, theirs.undecided) + 1e-4


def test_half_precision_is_the_default_and_draws_all(tiny_model: Path) -> None:
    engine = CollapsedEngine(str(tiny_model))
    assert engine.checkpoint.device.type == "cuda"
    for counts in counted(engine, asked(1000, 4)).values():
        assert counts.total() == 1000
