"""The frontier of the exact measure: the heaviest leaves come first, and memory has a bound."""

from __future__ import annotations

import numpy as np
import pytest

from harness.sampling.hf.tree import ROOM, Leaves


def test_the_heaviest_come_first_whatever_the_order_they_came_in() -> None:
    rng = np.random.default_rng(0)
    leaves = Leaves(10_000)
    every: dict[tuple[int, ...], float] = {}
    for parent in rng.permutation(50):
        tokens, mass = np.arange(20), rng.random(20)
        leaves.add(np.array([parent, 7]), tokens, mass)
        every |= {(int(parent), 7, t): m for t, m in zip(tokens.tolist(), mass.tolist(), strict=True)}
    expected = sorted(every.items(), key=lambda item: -item[1])
    need = sum(m for _, m in expected[:100])
    taken, lightest = leaves.take(need - 1e-9, 1, 1000)
    assert taken == expected[:100]
    assert lightest == expected[99][1]
    assert leaves.mass == pytest.approx(sum(m for _, m in expected[100:]))
    again, _ = leaves.take(1.0, 30, 30)
    assert again == expected[100:130]


def test_only_the_heaviest_are_kept_and_what_is_dropped_still_counts_as_undecided() -> None:
    rng = np.random.default_rng(1)
    leaves, most = Leaves(100), 0
    masses = rng.dirichlet(np.ones(5000)) * 0.8
    for parent, mass in enumerate(masses.reshape(100, 50)):
        leaves.add(np.array([parent]), np.arange(50), mass)
        most = max(most, len(leaves))
    assert most <= ROOM * 100
    assert leaves.mass == pytest.approx(0.8)
    taken, _ = leaves.take(0.8, 1, 100)
    assert [m for _, m in taken] == sorted(masses, reverse=True)[:100]
    assert len(leaves) <= 100
