"""The published figures of PolyAlign say what they were measured with."""

from __future__ import annotations

import csv
from pathlib import Path

import reports

FILE = Path(reports.__file__).parent / "published" / "polyalign.csv"


def test_every_hdpo_row_was_told_the_gold_length_and_no_row_is_of_our_prompts() -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    told = {row["method"] for row in rows if "gold_length" in row["flags"].split(";")}
    assert all(
        "gold_length" in row["flags"].split(";") for row in rows if row["method"] in ("HDPO", "Bucket-SFT")
    )
    assert told == {"HDPO", "Bucket-SFT"}
    assert all("other_prompts" in row["flags"].split(";") for row in rows)
