"""The verdict of a column: it says what its pairs carry and no more, in both languages, whatever models are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.scoring.compare import Distances
from reports.ranks import rank
from reports.verdict import NAMED, Nearest, names_of, sentence, verdict
from reports.words import all_words
from tests.benchmarks import verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WORDS = all_words()
CONTEXTS = 30


def said(values: Sequence[float], error: float) -> Nearest:
    """Of models whose TV is the same in every context, each with this error of the draws."""
    each = [Distances(np.full(CONTEXTS, v), np.full(CONTEXTS, CONTEXTS * error**2), None) for v in values]
    return verdict(rank([each], np.array(values)))


def told(found: Nearest, names: Sequence[str], language: str = "en") -> str:
    return sentence(found, names, "the target", WORDS[language])


def test_the_best_alone_beats_the_next_by_the_interval_of_their_difference() -> None:
    found = said([0.3, 0.1, 0.2], 0.01)
    half = 1.96 * np.hypot(0.01, 0.01)
    assert found[:4] == ((1,), True, 2, True)
    assert (found.low, found.high) == pytest.approx((0.1 - half, 0.1 + half), abs=1e-3)
    assert told(found, "ABC") == "B is nearest to the target; it beats C by a TV of 0.07 to 0.13 (95%)."


def test_two_that_cannot_be_told_apart_lead_together() -> None:
    found = said([0.1, 0.105, 0.2], 0.01)
    assert found[:4] == ((0, 1), True, 2, True)
    assert found.low < 0.095
    assert found.high > 0.1
    assert told(found, "ABC").startswith(
        "A and B are nearest to the target and cannot be told apart; both beat C by"
    )


def test_where_all_are_alike_nobody_is_called_nearest() -> None:
    found = said([0.1, 0.101, 0.102], 0.01)
    assert found.beaten is None
    assert (
        told(found, "ABC")
        == "These draws cannot tell which is nearest to the target: A, B and C cannot be told apart."
    )


def test_what_only_the_first_is_told_apart_from_is_said_of_the_first_alone() -> None:
    found = said([0.1, 0.127, 0.15], 0.01)
    assert found[:4] == ((0, 1), True, 2, False)
    assert "A and B are nearest" in told(found, "ABC")
    assert "; A beats C by" in told(found, "ABC")


def test_followers_that_differ_among_themselves_are_not_called_alike() -> None:
    """The first has a wide error, so that two that differ cannot be told apart from it."""
    each = [
        Distances(np.full(CONTEXTS, value), np.full(CONTEXTS, CONTEXTS * error**2), None)
        for value, error in ((0.1, 0.05), (0.11, 0.001), (0.13, 0.001))
    ]
    found = verdict(rank([each], np.array([0.1, 0.11, 0.13])))
    assert found[:3] == ((0, 1, 2), False, None)
    assert told(found, "ABC") == "A came nearest to the target; B and C cannot be told apart from it."


def test_one_model_is_compared_with_nobody() -> None:
    assert told(said([0.1], 0.01), ["A"]) == "Only A ran here, so there is nothing to compare it with."


def test_of_many_leaders_some_are_named_and_all_are_counted() -> None:
    names = [f"m{i}" for i in range(9)] + ["last"]
    text = told(said([0.1 + i / 1e4 for i in range(9)] + [0.4], 0.01), names)
    assert f"m0, m1 and {9 - NAMED} more are nearest" in text
    assert "all 9 beat last by" in text


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", ["{a} {0} {low}", "<script>", "%s"])
def test_names_are_put_in_as_they_are(language: str, name: str) -> None:
    for values in ([0.1], [0.1, 0.1], [0.1, 0.3], [0.1, 0.1, 0.3]):
        names = [name, *"BC"][: len(values)]
        assert name in told(said(values, 0.01), names, language)


def test_models_are_called_by_the_first_name_that_is_theirs_alone() -> None:
    assert names_of([["SFT", "a"], ["DPO", "b"]]) == ["SFT", "DPO"]
    assert names_of([["SFT", "a"], ["SFT", "b"]]) == ["a", "b"]
    assert names_of([["SFT", "a", "a (SFT)"], ["SFT", "a", "a (DPO)"], ["", "c"]]) == [
        "a (SFT)",
        "a (DPO)",
        "c",
    ]


@pytest.mark.slow
def test_verdicts_of_known_laws_are_right_or_say_that_they_cannot_tell(tmp_path: Path) -> None:
    found = [verdicts.board(seed, tmp_path / str(seed)) for seed in range(6)]
    assert sum(one["wrong"] for one in found) <= 0.05 * sum(one["pairs"] for one in found)
    assert sum(one["told"] for one in found) > 0.3 * sum(one["pairs"] for one in found)
