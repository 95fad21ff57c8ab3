"""JSON Schemas of the files that distalign writes: ``python -m tests.schemas docs/schemas``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.contract import CheckpointRecord
from harness.labels import Labels
from harness.retained.record import Utility
from harness.runs.manifest import Manifest, Prompts
from harness.scores import Scores
from reports.tables import Leaderboard

if TYPE_CHECKING:
    from harness.records import Record

FILES: dict[str, type[Record]] = {
    "manifest": Manifest,
    "prompts": Prompts,
    "scores": Scores,
    "labels": Labels,
    "utility": Utility,
    "distalign": CheckpointRecord,
    "leaderboard": Leaderboard,
}
FORM = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, str]:
    """File name -> its schema as text."""
    made = {name: {"$schema": FORM, **model.model_json_schema()} for name, model in FILES.items()}
    return {
        f"{name}.json": json.dumps(tree, indent=1, ensure_ascii=False) + "\n" for name, tree in made.items()
    }


if __name__ == "__main__":
    for name, text in schemas().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
