"""Readers are measured: accuracy on every task's examples, and confusion."""

from __future__ import annotations

import pytest

from harness.reading import make_reader
from harness.reading.quality import measure
from harness.tasks import catalog
from harness.tasks.task import load_task
from tests.reading.cases import Case

LEAST = {"story_race_us": 0.9}


def names() -> list[str]:
    return [n for n in catalog.names("tasks") if load_task(n).measure == "draws"]


@pytest.mark.parametrize("name", names())
def test_every_reader_reads_its_examples(name: str) -> None:
    task = load_task(name)
    for attribute in task.attributes.values():
        if not attribute.examples:
            continue
        assert len(attribute.examples) >= 50
        assert {e.label for e in attribute.examples} >= set(attribute.classes)
        reader = make_reader(attribute.reader, attribute.classes, task.language)
        quality = measure(reader, attribute.examples, list(attribute.classes))
        assert quality.accuracy >= LEAST.get(name, 0.95), quality.lines(attribute.name)


def test_confusion_and_its_figures() -> None:
    reader = make_reader("words", {"a1": [], "b2": []}, "en")
    examples = [
        Case("a1", "a1"),
        Case("a1", "b2"),
        Case("b2", "b2"),
        Case("zzz", "unparsed"),
        Case("the", "truncated", cut=True),
    ]
    quality = measure(reader, examples, ["a1", "b2"])
    assert quality.n == 5
    assert quality.accuracy == pytest.approx(0.8)
    assert quality.precision("a1") == pytest.approx(0.5)
    assert quality.recall("a1") == 1.0
    assert quality.recall("b2") == pytest.approx(0.5)
    assert quality.confusion(["b2", "a1"]) == [[1, 1], [0, 1]]
    assert quality.precision("failed") is None
    assert [m.text for m in quality.mistakes] == ["a1"]
    assert any("80.0%" in line for line in quality.lines("x"))
