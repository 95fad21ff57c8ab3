"""Labelled texts of the tests: other ones than the tasks' examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.contract import Contract
from harness.reading import make_reader
from harness.reading.base import Answer, Reader, Reading
from harness.reading.pipeline import read_draw
from harness.tasks.task import Attribute, Task, load_task

TEXTS = Path(__file__).parent / "texts"


@dataclass(frozen=True, slots=True)
class Case:
    text: str
    label: str
    cut: bool = False


def cases(name: str) -> list[Case]:
    """``label|text`` lines; ``\\n`` is a line's end, ``\\t`` a tab, a label's ``*`` says that the cap cut the text."""
    lines = (TEXTS / f"{name}.txt").read_text(encoding="utf-8").split("\n")
    pairs = [line.partition("|") for line in lines if line]
    return [
        Case(text.replace("\\n", "\n").replace("\\t", "\t"), label.rstrip("*"), label.endswith("*"))
        for label, _, text in pairs
    ]


def attribute(task: str, name: str = "") -> tuple[Task, Attribute]:
    loaded = load_task(task)
    return loaded, loaded.attributes[name] if name else next(iter(loaded.attributes.values()))


def reader_of(task: str, name: str = "") -> Reader:
    loaded, found = attribute(task, name)
    return make_reader(found.reader, found.classes, loaded.language)


def label(reader: Reader, text: str, finish: str = "stop") -> str:
    return read_draw(text, finish, reader, Contract()).label


class Echo(Reader):
    """Reads a text as itself: shows what is left for a reader."""

    def read(self, answer: Answer) -> Reading:
        return Reading(answer.text + ("|cut" if answer.cut else ""))
