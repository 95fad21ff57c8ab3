"""Counts and shares read back from CSV: what is no whole table is refused with one message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.errors import UserError
from harness.scoring.outcomes import Certain, Counts, read_certain, read_counts, to_csv

if TYPE_CHECKING:
    from pathlib import Path

COUNTS = [
    Counts(
        "drink", ("tea", "咖啡"), {("leeds", "ask"): (3, 2, 0, 0, 0, 0), ("porto", "ask"): (1, 1, 1, 1, 1, 0)}
    ),
    Counts(
        "mood", ("up", "down"), {("leeds", "ask"): (5, 0, 0, 0, 0, 0), ("porto", "ask"): (0, 5, 0, 0, 0, 0)}
    ),
]
SHARES = [
    Certain(
        "drink",
        ("tea", "咖啡"),
        {
            ("leeds", "ask"): (0.5, 0.25, 0.0, 0.125, 0.0, 0.0, 0.125),
            ("porto", "ask"): (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        },
    )
]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(to_csv(COUNTS), encoding="utf-8")
    assert read_counts(path) == COUNTS
    path.write_text(to_csv(SHARES), encoding="utf-8")
    assert read_certain(path) == SHARES


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("drink,leeds,ask,tea,3\n", "", "differ from the first row"),
        ("drink,leeds,ask,tea,3\n", "drink,leeds,ask,tea,3\ndrink,leeds,ask,tea,3\n", "stands twice"),
        ("ask,tea,3", "ask,tea,-3", "not a count"),
        ("ask,tea,3", "ask,tea,3.0", "not a count"),
        ("ask,tea,3", "ask,tea,", "not a count"),
        ("ask,tea,3", "ask,tea,٣", "not a count"),
        ("ask,tea,3", "ask,tea," + "9" * 5000, "not a count"),
        ("drink,leeds,ask,tea,3", "drink,leeds,ask,water,3", "differ from the first row"),
        ("drink,leeds,ask,tea,3", "drink,,ask,tea,3", "without context"),
        ("mood,porto", "mood,oporto", "lacks rows"),
    ],
)
def test_counts_that_are_no_whole_table_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "counts.csv"
    written = to_csv(COUNTS)
    assert old in written
    path.write_text(written.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_counts(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tea,0.5,", "tea,nan,", "not a probability"),
        ("tea,0.5,", "tea,-0.1,", "not a probability"),
        ("tea,0.5,", "tea,half,", "not a probability"),
        ("tea,0.5,", "tea,0.9,", "no one distribution"),
        ("tea,0.5,0.125", "tea,0.5,0.1", "no one distribution"),
        ("drink,leeds,ask,tea,0.5,0.125\n", "", "differ"),
        ("drink,leeds,ask,tea", "drink,leeds,ask,failed", "stands twice"),
    ],
)
def test_shares_that_are_no_whole_table_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "shares.csv"
    written = to_csv(SHARES)
    assert old in written
    path.write_text(written.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_certain(path)


def test_a_table_of_a_header_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text("attribute,context,prompt,outcome,count\n")
    with pytest.raises(UserError, match="without rows"):
        read_counts(tmp_path / "counts.csv")
