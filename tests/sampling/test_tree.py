"""The frontier of the exact measure: the heaviest leaves come first, memory has a bound, and how many are needed is told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.sampling.hf.tree import ROOM, Leaves, Tree


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


def grown(power: float, *expanded: int) -> Tree:
    """A tree whose undecided mass is a power of the prefixes expanded, seen at each mark."""
    tree = Tree(10, Leaves(10))
    for count in expanded:
        tree.expanded, tree.decided["x"] = count, 1 - count**-power
        tree.mark()
    return tree


@pytest.mark.parametrize("power", [0.3, 1.0, 1.7])
def test_the_power_is_followed(power: float) -> None:
    assert grown(power, 10, 20, 50, 130).needed(1e-4) == pytest.approx(1e-4 ** (-1 / power), rel=1e-6)


def test_only_the_recent_power_counts() -> None:
    """The first prefixes decide much, the later ones ever less."""
    tree = grown(2.0, 5, 10, 20)
    tree.expanded, tree.decided["x"] = 40, 1 - 20**-2.0 * 0.5
    assert tree.needed(20**-2.0 / 16) == pytest.approx(320)


def test_nothing_is_told_before_it_can_be() -> None:
    assert Tree(10, Leaves(10)).needed(0.1) is None
    assert grown(1.0, 100, 101, 102).needed(1e-3) is None
    assert grown(0.0, 10, 20).needed(1e-3) == math.inf


def test_what_is_done_needs_no_more() -> None:
    tree = grown(1.0, 10, 20)
    assert tree.needed(0.2) == 20
    tree.result(ended=False)
    assert tree.needed(1e-3) == pytest.approx(1000)
    tree.result(ended=True)
    assert tree.needed(1e-3) == 20
