"""A small task in a folder, to be spoiled in one place at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TASK = """\
name: tea
version: 1
attribute: drink
classes:
  tea: [a cup of tea]
  coffee: [espresso]
contexts: contexts.csv
prompts:
  - {id: ask, text: "What do people in {{ context.place }} drink?"}
  - {id: again, split: train, text: "A drink of {{ context.place }}, please."}
targets: {survey: ./survey, even: uniform}
examples:
  - {text: "Tea.", label: tea}
  - {text: "Coffee!", label: coffee}
"""
CONTEXTS = "id,place,split\nleeds,Leeds,train\noporto,Porto,test\n"
TARGET = """\
name: survey
kind: table
attributes: {drink: {file: table.csv}}
provenance: {publisher: Board, table: Drinks, year: 2020, license: CC0-1.0, link: "https://example.org/drinks"}
"""
TABLE = "context,tea,coffee\nleeds,0.8,0.2\noporto,0.1,0.9\n"


def write_task(
    folder: Path, task: str = TASK, contexts: str = CONTEXTS, target: str = TARGET, table: str = TABLE
) -> Path:
    """The task above, with any of its files replaced; returns task.yaml."""
    (folder / "survey").mkdir(parents=True, exist_ok=True)
    (folder / "task.yaml").write_text(task, encoding="utf-8")
    (folder / "contexts.csv").write_text(contexts, encoding="utf-8")
    (folder / "survey" / "target.yaml").write_text(target, encoding="utf-8")
    (folder / "survey" / "table.csv").write_text(table, encoding="utf-8")
    return folder / "task.yaml"
