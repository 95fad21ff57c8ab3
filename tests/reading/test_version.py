"""What the readers make of all labelled texts is held to their version."""

from __future__ import annotations

import hashlib
import json

from harness.contract import Contract
from harness.reading import make_reader
from harness.reading.pipeline import read_draws
from harness.tasks.catalog import shipped
from harness.tasks.task import load_task
from harness.terms import READERS
from tests.reading.cases import TEXTS, cases

OWN = ("words", "story_gender", "story_race", "sentiment", "style")
"""Readers that need no model."""
READ = "006eda706e1c8ceb"
"""Digest of all readings of version READERS."""


def readings() -> str:
    """Every shipped reader over every third labelled text of the tests, as one digest."""
    files = sorted(str(p.relative_to(TEXTS).with_suffix("")) for p in TEXTS.rglob("*.txt"))
    texts = sorted(dict.fromkeys((c.text, "length" if c.cut else "stop") for f in files for c in cases(f)))
    texts = texts[::3]
    found: dict[str, list[str]] = {}
    for folder in sorted(p for p in shipped("tasks").iterdir() if (p / "task.yaml").is_file()):
        task = load_task(folder.name)
        for attribute in task.attributes.values():
            kind = json.dumps([task.language, attribute.reader, attribute.classes], default=list)
            if attribute.reader["name"] in OWN and kind not in found:
                reader = make_reader(attribute.reader, attribute.classes, task.language)
                found[kind] = [r.label for r in read_draws(texts, reader, Contract())]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]


def test_readings_are_those_of_the_stated_version() -> None:
    assert readings() == READ, (
        "a text is read otherwise, or texts or tasks were added: where an old text is read otherwise, raise READERS in "
        f"harness/terms.py (now {READERS}); then write the new digest here"
    )
