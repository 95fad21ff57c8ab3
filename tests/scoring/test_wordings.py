"""Wordings as some of many: the interval, the parts of the variance, and comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from harness import compare, evaluate
from harness.cli.main import run as command
from harness.scores import scores_of
from harness.scoring.wordings import Crossed, crossed, difference_over_wordings, over_wordings
from harness.settings import Settings
from harness.tasks.task import load_task
from tests.benchmarks.wordings import Case
from tests.benchmarks.wordings import run as simulated

if TYPE_CHECKING:
    from pathlib import Path


def table(male: list[list[int]], n: int) -> Crossed:
    """Counts of two classes (and of none), contexts x wordings."""
    first = np.array(male)
    counts = np.stack([first, n - first, np.zeros_like(first)], axis=-1)
    return Crossed(tuple(f"w{i}" for i in range(first.shape[1])), counts)


TARGET = np.array([[0.2, 0.8, 0.0], [0.3, 0.7, 0.0]])
EXACT = np.full(2, np.inf)


def test_far_from_the_target_it_is_the_t_interval_of_the_wordings() -> None:
    n = 100_000
    shares = np.array([[0.6, 0.7, 0.65, 0.5], [0.7, 0.9, 0.75, 0.65]])
    found = over_wordings(table((n * shares).astype(int).tolist(), n), TARGET, EXACT, (0.5, 0.5))
    each = (shares - TARGET[:, :1]).mean(axis=0)
    half = stats.t.ppf(0.975, 3) * each.std(ddof=1) / 2
    assert list(found.each.values()) == pytest.approx(each, abs=1e-3)
    assert (found.low, found.high) == pytest.approx((each.mean() - half, each.mean() + half), abs=1e-3)


def test_wordings_that_err_to_both_sides_may_cancel() -> None:
    n = 100_000
    shares = np.array([[0.1, 0.3, 0.15, 0.25], [0.2, 0.4, 0.25, 0.35]])
    found = over_wordings(table((n * shares).astype(int).tolist(), n), TARGET, EXACT, (0.0, 0.001))
    assert found.low == 0
    assert found.high > 0.07


def test_the_interval_of_these_wordings_lies_within() -> None:
    alike = table([[50, 50, 50], [50, 50, 50]], 100)
    found = over_wordings(alike, TARGET, EXACT, (0.1, 0.4))
    assert found.low <= 0.1
    assert found.high >= 0.4


def test_the_parts_of_the_variance_are_those_that_were_put_in() -> None:
    rng = np.random.default_rng(2)
    contexts, count, n = 200, 60, 400
    off = 0.4 + rng.normal(0, 0.04, (contexts, 1)) + rng.normal(0, 0.03, (1, count))
    off = off + rng.normal(0, 0.02, (contexts, count))
    target = np.tile([[0.2, 0.8, 0.0]], (contexts, 1))
    cells = table(rng.binomial(n, 0.2 + off).tolist(), n)
    found = over_wordings(cells, target, np.full(contexts, np.inf), (0.4, 0.4)).sources
    assert found.contexts * contexts == pytest.approx(0.04**2, rel=0.25)
    assert found.wordings * count == pytest.approx(0.03**2, rel=0.5)
    assert found.both * contexts * count == pytest.approx(0.02**2, rel=0.2)
    assert found.draws * contexts * count == pytest.approx(0.24 / n, rel=0.1)
    assert "by wordings" in found.told()


def test_only_wordings_that_all_contexts_have_are_compared() -> None:
    row = np.array([3, 4, 0])
    cells = {(c, w): row for c in "ab" for w in "pqrs"}
    found = crossed(cells)
    assert found is not None
    assert found.counts.shape == (2, 4, 3)
    del cells["b", "p"]
    cells["a", "q"] = np.zeros(3, dtype=int)
    assert crossed(cells) is None, "two are left"


def test_more_wordings_settle_what_differs_by_wordings_only() -> None:
    rng = np.random.default_rng(3)
    n, effects = 10_000, rng.normal(0, 0.05, (1, 6))
    near = table(rng.binomial(n, np.clip(0.4 + effects, 0, 1) * np.ones((2, 1))).tolist(), n)
    far = table(rng.binomial(n, 0.42 * np.ones((2, 6))).tolist(), n)
    found = difference_over_wordings(near, far, TARGET)
    assert found.low < 0 < found.high
    assert found.needed is not None
    assert found.needed > 6
    same = difference_over_wordings(near, near, TARGET)
    assert (same.estimate, same.needed) == (0, None)


@pytest.mark.parametrize("case", [Case(4, 2, 3, 50, 0.2, 0.5, 0.2, 60), Case(1, 4, 8, 50, 0.0, 0.5, 0.0, 60)])
def test_intervals_hold_the_truth(case: Case) -> None:
    row = simulated(case)
    assert row.coverage >= 0.88, row  # of 60 at 95%: fewer happen once in a hundred times
    assert row.difference >= 0.88, row


def test_a_run_of_many_wordings_says_how_much_they_matter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [
        evaluate(
            f"known:target,shift={s}",
            "coin",
            "stated",
            Settings(n=60, out=tmp_path / str(s), paraphrases="many"),
        )
        for s in (0.05, 0.1)
    ]
    for run, shift in zip(runs, (0.05, 0.1), strict=True):
        (result,) = scores_of(run).results
        found = result.wordings
        assert found is not None
        tv = result.table.aggregate.scores["tv"]
        assert found.low <= tv.low <= tv.high <= found.high
        assert found.low <= shift <= found.high
        assert len(found.each) == len([p for p in load_task("coin").prompts if p.split in ("test", "many")])
    one, two = runs
    (compared,) = compare(one, two).results
    assert compared.wordings is not None
    assert compared.wordings.low <= -0.05 <= compared.wordings.high
    assert command(["score", str(runs[0].folder)]) == 0
    assert "for wordings like these: TV [" in capsys.readouterr().out
    few = evaluate("known:target", "coin", "stated", Settings(n=20, out=tmp_path / "few"))
    assert scores_of(few).results[0].wordings is None
