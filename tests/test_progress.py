"""The remaining time follows the recent rate, however unevenly draws come."""

from __future__ import annotations

import pytest

from harness.progress import Outlook


class Clock:
    """A clock that is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("harness.progress.time.monotonic", lambda: self.now)


@pytest.mark.parametrize("every", [0.2, 1.0, 7.0, 300.0])
def test_bursts_do_not_mislead(monkeypatch: pytest.MonkeyPatch, every: float) -> None:
    clock, bursts, size = Clock(monkeypatch), 40, 50
    start, outlook, told = clock.now, Outlook(), []
    for burst in range(1, bursts + 1):
        clock.now = start + burst * every
        for one in range(1, size + 1):
            outlook.reach((burst - 1) * size + one)
            left = outlook.left(bursts * size)
            told += [] if left is None else [(left, start + bursts * every - clock.now)]
    assert len(told) >= (bursts - 11) * size
    assert all(left == pytest.approx(true, abs=1.5 * min(every, 2) + 1e-6) for left, true in told)


def test_it_follows_a_rate_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, outlook = Clock(monkeypatch), Outlook()
    for second in range(1, 501):
        clock.now += 1
        outlook.reach(second)
    for second in range(1, 201):
        clock.now += 1
        outlook.reach(500 + 10 * second)
    assert outlook.left(5000) == pytest.approx(250, rel=0.05)


def test_nothing_is_told_before_anything_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, outlook = Clock(monkeypatch), Outlook()
    assert outlook.left(10) is None
    clock.now += 50
    outlook.reach(1)
    assert outlook.left(10) is None
