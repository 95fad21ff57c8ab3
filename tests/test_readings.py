"""Whoever reads the draws of a run splits reasoning, tokens and stated labels alike."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from baselines.texts import from_run
from harness.contract import Contract
from harness.reading import Answer, DrawReader, Reader, Reading
from harness.readings import reader_of, readings
from harness.rescore import read, score
from harness.retained.utility import of_draws
from harness.runs.folder import writing
from harness.runs.identity import identity, manifest
from harness.sampling.base import ModelCard
from harness.settings import Settings
from harness.tasks import prompts
from harness.tasks.task import load_task
from harness.terms import Draw, Request
from reports.check import check
from reports.load import entries
from reports.samples import texts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.runs.folder import Run

THINKS = "<|im_start|>assistant\n<think>\n"
STEERED = Contract(strip_leading=("0", "1"), attribute="gender")
LABELS = Contract(labels=True)
REASONED = [
    Draw("a man? No.</think>Female", 6),
    Draw("A woman, or not?\n</think>Male.", 4),
    Draw("Male", 3),
    Draw("</think>female", 2, "length"),
    Draw("I think it is a man", 5, "length"),
]
BEGUN = [
    Draw("0<think>female</think>Male", 6),
    Draw("1 Male", 3),
    Draw("1 Female", 2),
    Draw("1<think>Female", 4),
]
STATED = [
    Draw("male", 6),
    Draw("female", 4),
    Draw("refused", 3),
    Draw("unparsed", 2),
    Draw("truncated", 1, "length"),
]
STATED_TWICE = [Draw('{"gender": "male"}', 6), Draw('{"gender": "refused"}', 3), Draw("", 2, "failed")]
CASES: dict[str, tuple[str, Contract, list[Draw], dict[str, int]]] = {
    "the prompt opened the reasoning": (THINKS, Contract(), REASONED, {"female": 8, "male": 4, "truncated": 8}),
    "and a token comes first": (
        THINKS, STEERED, [Draw("0so</think>Male", 4), Draw("1 Female", 2)], {"male": 4, "truncated": 2}
    ),
    "the draw opens the reasoning": ("user: ?", STEERED, BEGUN, {"male": 9, "female": 2, "truncated": 4}),
    "labels are stated": (
        "user: ?", LABELS, STATED, {"male": 6, "female": 4, "refused": 3, "unparsed": 2, "truncated": 1}
    ),
    "labels are stated by attribute": (
        "user: ?", LABELS, STATED_TWICE, {"male": 6, "refused": 3, "failed": 2}
    ),
}  # fmt: skip


def written(folder: Path, shown: str, contract: Contract, draws: Sequence[Draw]) -> Run:
    """A run whose first prompt got these draws in two chunks, and no other was asked."""
    task, settings = load_task("gender_us"), Settings(n=2 * sum(d.count for d in draws), split="test")
    rendered = prompts.render(task, *prompts.select(task, "test", "test"))[:1]
    card = ModelCard(model="m", weights="w", contract=contract, engine={"name": "hf"})
    who = identity(task, rendered, card, settings)
    record = manifest(who, card, settings, asked="m", source=task.source.path)
    half = sum(d.count for d in draws)
    with writing(folder, record.model_copy(update={"plan": (half, half), "state": "complete"})) as writer:
        shown_file = {"first_rendered": shown, "prompts": [asdict(r) for r in rendered]}
        (folder / "prompts.json").write_text(json.dumps(shown_file), encoding="utf-8")
        for chunk in (0, 1):
            writer.add(Request(rendered[0].context, rendered[0].prompt, chunk, half, chunk), list(draws))
        writer.flush()
        return writer.run


@pytest.mark.parametrize("case", CASES)
def test_all_who_read_a_run_read_alike(case: str, tmp_path: Path) -> None:
    shown, contract, draws, expected = CASES[case]
    run, task = written(tmp_path, shown, contract, draws), load_task("gender_us")
    attribute = task.attributes["gender"]
    label = {(r.draw.text, r.draw.finish): r.readings["gender"].label for r in readings(run, task)}
    by_label: dict[str, int] = {}
    for draw in draws:
        found = label[draw.text, draw.finish]
        by_label[found] = by_label.get(found, 0) + draw.count
    assert by_label == expected

    counted = {o: n for o, n in read(run, task)["gender"].counts.totals().items() if n}
    assert counted == {o: 2 * n for o, n in expected.items()}
    shown_texts = texts(run, "gender")
    assert shown_texts is not None
    assert {o: sum(n for _, n in pool) for o, pool in shown_texts.items()} == counted
    assert {reader_of(run, task).outcome(d) for d in draws} == set(expected)
    kept = from_run(run, task, attribute)
    whole = {c: sum(d.count for d in draws if d.finish == "stop" and label[d.text, d.finish] == c) for c in attribute.classes}  # fmt: skip
    assert {c: len(kept.get(("", c), ())) for c in attribute.classes} == {c: 2 * n for c, n in whole.items()}

    score(run, ["labor"])
    found_entries, _ = entries([str(tmp_path)])
    _, how, wrong = check(found_entries)
    assert set(how.values()) == {"draws"}
    assert wrong == {}


def test_consistency_reads_what_follows_the_reasoning(tmp_path: Path) -> None:
    task = load_task("gender_us")
    first, second = task.attributes["gender"].classes
    draws = [Draw(f"0 {second}?</think>{first}", 3), Draw(f"1 {second}", 1), Draw(f"</think>{first}", 4)]
    found = of_draws(written(tmp_path, THINKS, STEERED, draws), task)
    assert found["steered"] == 4 / 8
    assert found["consistent"] == 3 / 4


class Counting(Reader):
    """Remembers what it was asked to read."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def read(self, answer: Answer) -> Reading:
        """The text is the label."""
        self.seen.append(answer.text)
        return Reading(answer.text, "as it stands")


def test_a_distinct_draw_is_read_once() -> None:
    counting = Counting()
    reader = DrawReader({"a": counting, "b": Counting()}, Contract(), thinks=False)
    found = reader.read([("x", "stop"), ("y", "stop"), ("x", "stop"), ("x", "length")])
    assert [r["a"].label for r in found] == ["x", "y", "x", "x"]
    assert found[0]["a"].reason == "as it stands"
    assert reader.outcome(Draw("y")) == "y\x1fy"
    assert counting.seen == ["x", "y", "x"]
    assert not reader.settled("x")


@pytest.mark.filterwarnings("error")
def test_a_contract_is_written_without_a_warning() -> None:
    assert STEERED.model_dump() == {"strip_leading": ["0", "1"], "attribute": "gender"}
