"""Figures that papers published, with their source and why they cannot be compared with ours."""

from __future__ import annotations

from pathlib import Path

from harness.files import read_csv
from harness.plaintext import show
from reports.text import link

FOLDER = Path(__file__).parent / "published"
COLUMNS = (
    "paper",
    "arxiv",
    "task",
    "language",
    "attribute",
    "target",
    "model",
    "method",
    "metric",
    "value",
    "value_high",
    "better",
    "n",
    "rows",
    "flags",
    "source",
    "link",
    "note",
)


def published(folder: Path = FOLDER) -> list[dict[str, object]]:
    """Every figure of the CSV files, in the files' order."""
    found: list[dict[str, object]] = []
    for path in sorted(folder.glob("*.csv")):
        _, rows = read_csv(path, required=COLUMNS)
        for row in rows:
            cells = row.cells
            found.append(
                {
                    **{
                        k: show(cells[k])
                        for k in ("paper", "task", "target", "model", "method", "metric", "note")
                    },
                    "value": float(cells["value"]) if cells["value"] else None,
                    "high": float(cells["value_high"]) if cells["value_high"] else None,
                    "better": cells["better"],
                    "flags": [f for f in cells["flags"].split(";") if f],
                    "source": show(cells["source"]),
                    "link": link(cells["link"]),
                }
            )
    return found
