"""The long tables of counts and of certain shares: written, read back, and refused where they are not whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.errors import UserError
from harness.scoring.outcomes import Certain, Counts, read_certain, read_counts, tally, to_csv

if TYPE_CHECKING:
    from pathlib import Path

KEYS = [("nurse", "p1"), ("nurse", "p2"), ("welder", "p1")]
COUNTED = tally(
    "hand",
    ["left", "right"],
    KEYS,
    [
        (KEYS[0], "left", 3),
        (KEYS[1], "right", 4),
        (KEYS[1], "refused", 1),
        (KEYS[2], "left", 2),
        (KEYS[0], "left", 1),
    ],
)
BOUNDED = Certain(
    "hand",
    ("left", "right"),
    {key: (0.1 + 0.2, 0.25, 0.0, i / 7, 0.0, 0.0, 1 / 9) for i, key in enumerate(KEYS)},
)


def test_what_is_written_is_read_back_to_the_last_digit(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    other = Counts("foot", ("one",), {key: (1, 2, 3, 4, i) for i, key in enumerate(KEYS)})
    file.write_text(to_csv([COUNTED, other]), encoding="utf-8")
    assert read_counts(file) == [COUNTED, other]
    file.write_text(to_csv([BOUNDED]), encoding="utf-8")
    assert read_certain(file) == [BOUNDED]


def test_prompts_of_a_context_are_summed_as_draws_and_averaged_as_shares() -> None:
    assert COUNTED.contexts == ["nurse", "welder"]
    assert COUNTED.folded().tolist() == [[4, 4, 1], [2, 0, 0]]
    assert COUNTED.totals() == {
        "left": 6, "right": 4, "unparsed": 0, "refused": 1, "truncated": 0, "failed": 0
    }  # fmt: skip
    expected = [[0.3, 0.25, 0.5 / 7], [0.3, 0.25, 2 / 7]]
    np.testing.assert_allclose(BOUNDED.folded(), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("nurse,p1,left,4", "nurse,p1,left,4.0"), "not a count"),
        (("nurse,p1,left,4\n", "nurse,p1,left,4\nhand,nurse,p1,left,4\n"), "stands twice"),
        (("hand,welder,p1,right,0\n", ""), "differ from the first row's"),
    ],
)
def test_a_table_of_counts_that_is_not_whole_is_refused(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    text = to_csv([COUNTED])
    assert change[0] in text
    (tmp_path / "counts.csv").write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(UserError, match=problem):
        read_counts(tmp_path / "counts.csv")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("nurse,p1,right,0.25", "nurse,p1,right,1.25"), "not a probability"),
        (("nurse,p1,right,0.25", "nurse,p1,right,much"), "not a probability"),
        (("hand,nurse,p1,right,", "hand,nurse,p1,left,"), "stands twice"),
    ],
)
def test_a_table_of_shares_that_is_not_whole_is_refused(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    text = to_csv([BOUNDED])
    assert change[0] in text
    (tmp_path / "shares.csv").write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(UserError, match=problem):
        read_certain(tmp_path / "shares.csv")
