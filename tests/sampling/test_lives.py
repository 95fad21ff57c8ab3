"""What is still to come of draws, from those before them: against a law whose ends and costs are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.sampling.hf.lives import FADE, STEPS, Lives

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 60


def followed(draws: int, ends: float, cost: Callable[[int, int], float], until: int, lives: Lives) -> int:
    """A batch of draws of which each ends at any token with one probability; those alive after ``until`` tokens."""
    rng = np.random.default_rng(5)
    lives.fade()
    for at in range(until):
        ended = draws if at == MOST - 1 else int(rng.binomial(draws, ends))
        lives.step(at, draws, ended, cost(at, draws))
        draws -= ended
    return draws


def expected(draws: int, ends: float, at: int) -> float:
    """Tokens still told by so many draws that have ``at`` of at most ``MOST``: a geometric law that is cut."""
    left = MOST - at
    return draws * (1 - (1 - ends) ** left) / ends


@pytest.mark.parametrize("until", [10, 30, MOST])
@pytest.mark.parametrize("ends", [0.02, 0.1])
def test_the_rest_is_told_from_a_part(until: int, ends: float) -> None:
    lives = Lives(MOST)
    alive = followed(20_000, ends, lambda _, draws: 1e-3 * draws, until, lives)
    ahead = lives.ahead({0: 7_000, until: alive} if until < MOST else {0: 7_000})
    tokens = expected(7_000, ends, 0) + (expected(alive, ends, until) if until < MOST else 0)
    assert ahead.tokens == pytest.approx(tokens, rel=0.05)
    assert ahead.seconds == pytest.approx(1e-3 * tokens, rel=0.05)


def test_draws_set_aside_count_from_where_they_are() -> None:
    lives = Lives(MOST)
    followed(20_000, 0.05, lambda _, draws: 1e-3 * draws, MOST, lives)
    for at in (0, 17, MOST - 1):
        assert lives.ahead({at: 1000}).tokens == pytest.approx(expected(1000, 0.05, at), rel=0.05)
    assert lives.ahead({}) == (0, 0)


def test_a_machine_that_gets_slower_is_followed() -> None:
    lives = Lives(MOST)
    for cost in (1e-3, 1e-3, *([3e-3] * 5)):
        followed(1000, 0.05, lambda _, draws, cost=cost: cost * draws, MOST, lives)  # type: ignore[misc]  # bound now
    assert lives.ahead({0: 1000}).seconds == pytest.approx(3e-3 * expected(1000, 0.05, 0), rel=FADE**4)


def test_the_first_step_tells_nothing_of_the_others() -> None:
    """It reads the prompts."""
    lives, known = Lives(MOST), []
    for at in range(STEPS + 1):
        known.append(lives.known)
        lives.step(at, 100, 0, 0.1 if at else 9.0)
    assert not any(known)
    assert lives.known
    assert lives.ahead({0: 100}).seconds == pytest.approx(9 + 0.1 * (MOST - 1))


def test_outputs_of_one_token_are_known_after_one_step() -> None:
    lives = Lives(1)
    lives.step(0, 100, 100, 2.0)
    assert lives.known
    ahead = lives.ahead({0: 50})
    assert (ahead.seconds, ahead.tokens) == pytest.approx((1.0, 50.0))
