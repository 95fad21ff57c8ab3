"""A corpus as a target of its train split and a task of its test split."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.errors import UserError
from harness.importers.corpus import Splits, read_replies
from harness.importers.reference import ReferenceOptions, import_reference
from harness.tasks.prompts import render, select
from harness.tasks.target import load_target
from harness.tasks.target_file import Provenance
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.importers.reference import Shape

PROVENANCE = Provenance(
    publisher="People", table="Replies", year=2024, license="CC0", link="https://example.org"
)
OPTIONS = ReferenceOptions("en", PROVENANCE, split="train")


def shape(texts: Sequence[str]) -> list[Shape]:
    """All are of one shape: what is tested is elsewhere."""
    return [{"length": "short", "act": "statement", "sentiment": "neutral", "list": "plain"} for _ in texts]


def corpus(path: Path, n: int = 400) -> str:
    rng = np.random.default_rng(0)
    words = ["one", "two", "three", "four", "five,", "six.", "seven", "eight", "nine", "ten"]
    records = [
        {
            "id": f"c{i}",
            "question": f"What is {{{{ {i} }}}} of 'it'?\nAnd {{% if %}}?",
            "reply": f"Number {i}: " + " ".join(rng.choice(words, int(rng.integers(3, 30)))),
        }
        for i in range(n)
    ]
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return str(path)


def test_the_task_asks_what_held_out_people_were_asked_and_hides_their_replies(tmp_path: Path) -> None:
    source = corpus(tmp_path / "c.jsonl")
    import_reference([source], tmp_path / "t/people", replace(OPTIONS, task=tmp_path / "asked"), shape)
    replies = {r.question: r for r in read_replies(source, {})}
    task = load_task(str(tmp_path / "asked/task.yaml"))
    rendered = render(task, *select(task))
    references = {p.id: p.reference for p in task.prompts}
    assert len(rendered) > 50
    for one in rendered:
        reply = replies[one.messages[-1].content]  # each prompt is itself again
        assert Splits().of(reply) == "test"
        assert references[one.prompt] == reply.text
        assert not any(reply.text in m.content for m in one.messages)
    target = load_target(str(tmp_path / "t/people"))
    held = sum(Splits().of(r) == "train" for r in replies.values())
    assert target.tables["act"].samples["single_assistant"].replies == held
    assert target.people is not None
    assert target.people.split == "train"
    assert len(target.people.contexts["single_assistant"].vectors) == held


def test_a_reference_is_in_the_tasks_hash_and_prompts_without_one_keep_theirs(tmp_path: Path) -> None:
    source = corpus(tmp_path / "c.jsonl")
    import_reference([source], tmp_path / "people", replace(OPTIONS, task=tmp_path / "asked"), shape)
    before = load_task(str(tmp_path / "asked/task.yaml")).hash
    path = tmp_path / "asked/prompts.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("Number", "No"), encoding="utf-8")
    assert load_task(str(tmp_path / "asked/task.yaml")).hash != before
    assert "reference" not in load_task("reply_shape_en").prompts[0].asked()


def test_the_features_are_in_the_targets_hash(tmp_path: Path) -> None:
    source = corpus(tmp_path / "c.jsonl")
    import_reference([source], tmp_path / "one", OPTIONS, shape)
    (tmp_path / "b").mkdir()
    records = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text().splitlines()]
    for record in records:
        record["reply"] += " really"
    (tmp_path / "b/c.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    import_reference([str(tmp_path / "b/c.jsonl")], tmp_path / "two", OPTIONS, shape)
    one, two = (load_target(str(tmp_path / name)) for name in ("one", "two"))
    assert one.tables["act"].rows == two.tables["act"].rows
    assert one.hash != two.hash


def test_a_reply_in_two_splits_counts_for_test_alone(tmp_path: Path) -> None:
    shared = [
        {"reply": f"same {n}", "question": "q", "split": s} for n in range(40) for s in ("train", "test")
    ]
    own = [{"reply": f"other {n}", "question": "q", "split": "train"} for n in range(40)]
    path = tmp_path / "c.jsonl"
    path.write_text("\n".join(map(json.dumps, shared + own)), encoding="utf-8")
    target = load_target(str(import_reference([str(path)], tmp_path / "people", OPTIONS, shape)))
    assert target.tables["act"].samples["single_assistant"].replies == 40
    assert target.provenance is not None
    assert "40 replies that also stand in a later split" in target.provenance.note


def test_a_task_of_the_people_that_the_target_is_of_is_refused(tmp_path: Path) -> None:
    source = corpus(tmp_path / "c.jsonl", 40)
    for split in ("all", "test"):
        with pytest.raises(UserError, match="other people"):
            import_reference(
                [source], tmp_path / "p", replace(OPTIONS, split=split, task=tmp_path / "asked"), shape
            )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="not written into"):
        import_reference([source], tmp_path / "p", replace(OPTIONS, task=tmp_path / "mine"), shape)


def test_a_target_of_the_people_who_are_held_out_is_refused(tmp_path: Path) -> None:
    source = corpus(tmp_path / "c.jsonl")
    import_reference([source], tmp_path / "people", replace(OPTIONS, task=tmp_path / "asked"), shape)
    task = load_task(str(tmp_path / "asked/task.yaml"))
    attribute, contexts = task.attributes["act"], [c.id for c in task.contexts]
    load_target(str(tmp_path / "people")).check(task, attribute, contexts)
    for options in (
        replace(OPTIONS, split="all"),
        replace(OPTIONS, split="test"),
        replace(OPTIONS, splits=Splits(seed=7)),
    ):
        import_reference([source], tmp_path / "other", options, shape)
        with pytest.raises(UserError, match="whose replies task 'asked' holds out") as caught:
            load_target(str(tmp_path / "other")).check(task, attribute, contexts)
        assert "--split train --seed 0" in str(caught.value)


def test_a_context_of_fewer_than_20_people_is_left_out_and_named(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    rows = [{"id": f"c{i}", "question": "Why?", "reply": f"Because {i}.", "style": "a"} for i in range(60)]
    rows += [{"id": f"d{i}", "question": "Why?", "reply": f"So {i}.", "style": "b"} for i in range(19)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    everyone = replace(OPTIONS, split="all")
    target = load_target(str(import_reference([str(path)], tmp_path / "people", everyone, shape)))
    assert target.people is not None
    assert list(target.people.contexts) == ["single_assistant_a"]
    assert target.provenance is not None
    assert "Left out with fewer than 20 replies: single_assistant_b." in target.provenance.note
    path.write_text("\n".join(map(json.dumps, rows[60:])), encoding="utf-8")
    with pytest.raises(UserError, match="no kind of exchange has 20 replies"):
        import_reference([str(path)], tmp_path / "people", everyone, shape)


def test_kinds_of_exchange_may_have_any_name(tmp_path: Path) -> None:
    file = tmp_path / "c.jsonl"
    source = corpus(file)
    for track in ("\u804a\u5929", "long " * 40):
        rows = [
            {**json.loads(line), "track": track} for line in file.read_text(encoding="utf-8").splitlines()
        ]
        file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        import_reference([source], tmp_path / "people", replace(OPTIONS, task=tmp_path / "asked"), shape)
        task = load_task(str(tmp_path / "asked/task.yaml"))
        assert all(p.id.startswith("context.1_") for p in task.prompts)
        assert render(task, *select(task))
