"""How many prefixes an enumeration still needs, told from how what is undecided fell."""

from __future__ import annotations

import math

import pytest

from harness.sampling.hf.tree import Leaves, Tree


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
