"""Makes the contexts of the wide tasks: every occupation of a target, with phrases for prompts and a split.

python -m harness.importers.occupations targets/labor_us_2025 detailed tasks/gender_us_wide/contexts.csv
python -m harness.importers.occupations targets/labor_uk_2024 unit tasks/gender_uk_wide/contexts.csv
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import sys
from pathlib import Path

from harness.files import read_csv, write_atomic

COLUMNS = ("id", "split", "occupation", "workers", "title")


def split(context: str) -> str:
    """train (60 %), validation (15 %) or test (25 %), from the id alone: the same in every year's table."""
    place = int(hashlib.sha256(context.encode()).hexdigest()[:8], 16) / 0x100000000
    return "train" if place < 0.6 else "validation" if place < 0.75 else "test"


def workers(title: str) -> str:
    """An official title as the people who are meant: "Managers, all other" -> "other managers"."""
    words = [word if re.search("[A-Z].*[A-Z]", word) else word.lower() for word in title.split()]
    text = " ".join(words)
    plain = re.sub(r"(, all other| n\.e\.c\.?)$", "", text)
    people = plain if plain == text or plain.startswith("other ") else f"other {plain}"
    return re.sub(" occupations$", " workers", people)


def write_contexts(target: Path, level: str, out: Path) -> None:
    """Writes ``contexts.csv`` with the rows of a target's gender table whose level is ``level``."""
    _, rows = read_csv(target / "gender.csv", required=["context", "title", "level"])
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for cells in (row.cells for row in rows if row.cells["level"] == level):
        people = workers(cells["title"])
        writer.writerow(
            (
                cells["context"],
                split(cells["context"]),
                f"the occupation group of {people}",
                people,
                cells["title"],
            )
        )
    write_atomic(out, buffer.getvalue())


if __name__ == "__main__":
    write_contexts(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
