"""Comparison of two runs: what may be compared, and that its interval and p-value keep their promises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats

from harness import compare, evaluate
from harness.cli.main import run as command
from harness.errors import IncompleteError, UserError
from harness.planning import Settings
from harness.scoring.compare import adjusted, difference

if TYPE_CHECKING:
    from pathlib import Path

    from harness.runs import Run


def known(out: Path, shift: float, seed: int = 0, options: dict[str, Any] | None = None) -> Run:
    settings = Settings(n=200, seed=seed, out=out, **(options or {}))
    return evaluate(f"known:target,shift={shift}", "gender_us", "labor", settings)


def test_a_known_difference_is_found_and_none_where_there_is_none(tmp_path: Path) -> None:
    near, far = known(tmp_path / "near", 0.05), known(tmp_path / "far", 0.2)
    (result,) = compare(near, far).results
    assert result.difference.low <= -0.15 <= result.difference.high < 0
    assert "is closer to the target" in result.verdict()
    (same,) = compare(near, known(tmp_path / "again", 0.05, seed=9)).results
    assert same.difference.low <= 0 <= same.difference.high
    assert "cannot be told apart" in same.verdict()


def test_swapping_the_runs_turns_the_sign(tmp_path: Path) -> None:
    one, two = known(tmp_path / "a", 0.0), known(tmp_path / "b", 0.1)
    (there,), (back,) = compare(one, two).results, compare(two, one).results
    assert there.difference.estimate == pytest.approx(-back.difference.estimate, abs=0.01)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"sampling": {"top_p": 0.9}}, "sampling.top_p"),
        ({"split": "test"}, "prompts_hash"),
        ({"measure": "exact"}, "measure"),
    ],
)
def test_runs_that_ask_different_things_are_not_compared(
    tmp_path: Path, options: dict[str, Any], name: str
) -> None:
    one, two = known(tmp_path / "a", 0.0), known(tmp_path / "b", 0.1, options=options)
    with pytest.raises(IncompleteError, match=f"differ in {name}"):
        compare(one, two)
    assert command(["compare", str(one.folder), str(two.folder)]) == 3


def test_folders_are_compared_task_by_task_with_adjusted_p(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, shift in (("a", 0.0), ("b", 0.1)):
        for task in ("gender_us", "race_us"):
            evaluate(f"known:target,shift={shift}", task, "labor", Settings(out=tmp_path / name))
    capsys.readouterr()
    assert command(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [r["task"] for r in results] == ["gender_us", "race_us"]
    raw = [r["difference"]["p"] for r in results]
    assert [r["adjusted_p"] for r in results] == pytest.approx(list(stats.false_discovery_control(raw)))


def test_nothing_in_common_is_said(tmp_path: Path) -> None:
    one = evaluate("known:uniform", "gender_us", "labor", Settings(n=5, out=tmp_path / "a"))
    two = evaluate("known:uniform", "gender_us", "uniform", Settings(n=5, out=tmp_path / "b"))
    with pytest.raises(UserError, match="no target in common"):
        compare(one, two)


def test_adjusted_p_are_benjamini_hochberg() -> None:
    assert adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert adjusted([]) == []


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_equal_models_are_called_different_no_more_often_than_promised(spread: float) -> None:
    """80 pairs of equal models: at exactly 5% more than 9 false calls happen once in a hundred times."""
    rng = np.random.default_rng(4)
    target = rng.dirichlet(np.full(3, 2.0), size=14)
    calls = covered = 0
    for seed in range(80):
        shares = [rng.dirichlet(np.full(3, 2.0), size=14) * spread + target * (1 - spread) for _ in range(2)]
        counts = [rng.multinomial(50, s) for s in shares]
        found = difference(counts[0], counts[1], target, seed=seed)
        truth = float(
            (np.abs(shares[0] - target).sum(axis=1) - np.abs(shares[1] - target).sum(axis=1)).mean() / 2
        )
        calls += found.p < 0.05
        covered += found.low <= truth <= found.high
    assert calls <= 9
    assert covered >= 71


def test_models_on_two_sides_of_people_are_not_called_different_by_who_was_asked() -> None:
    """100 pairs: at exactly 5% more than 11 false calls happen less than once in a hundred times."""
    rng = np.random.default_rng(15)
    people, move = np.array([[0.5, 0.3, 0.2]]), np.array([0.2, -0.1, -0.1])
    called = np.zeros(2)
    for _ in range(100):
        asked = rng.multinomial(300, people) / 300
        a, b = (rng.multinomial(1000, people + side * move) for side in (1, -1))
        called += [difference(a, b, asked, sizes=s).p < 0.05 for s in (np.array([300.0]), None)]
    assert called[0] <= 11
    assert called[1] > 30


def test_contexts_without_draws_are_left_out() -> None:
    target = np.full((3, 2), 0.5)
    a = np.array([[5, 5], [0, 0], [9, 1]])
    found = difference(a, a[:, ::-1], target)
    assert found.contexts == 2
    assert np.isnan(found.by_context[1][0])
    assert difference(a * 0, a, target).contexts == 0
