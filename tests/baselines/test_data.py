from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.dpo.pairs import pairs
from baselines.klkto.loss import mismatched
from baselines.klkto.verdicts import verdicts
from baselines.rows import TrainingSet, apportion, training_set
from baselines.texts import Answers, texts_of
from harness.errors import UserError
from harness.tasks.target import resolve
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from pathlib import Path

ANSWERS: Answers = {("", "tea"): ("Tea",), ("", "coffee"): ("Coffee", "Espresso")}


def made(tea: Path, rows: int = 100, seed: int = 0) -> TrainingSet:
    task = load_task(str(tea))
    attribute = task.attributes["drink"]
    return training_set(task, attribute, resolve(task, attribute, "survey"), ANSWERS, rows, seed)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=9).filter(any), st.integers(1, 500))
def test_apportionment_is_exact_and_within_one_of_every_quota(counts: list[int], n: int) -> None:
    parts = apportion(counts, n)
    assert sum(parts) == n
    for part, count in zip(parts, counts, strict=True):
        assert abs(part - n * count / sum(counts)) < 1
        assert part >= 0
        assert count > 0 or part == 0
    for i, a in enumerate(counts):
        for j, b in enumerate(counts):
            if a > b:
                assert parts[i] >= parts[j]


def test_apportionment_of_published_shares() -> None:
    assert apportion([6277, 240], 100) == [96, 4]
    assert apportion([1 / 3] * 3, 90) == [30, 30, 30]
    assert apportion([0.5, 0.5], 1) == [1, 0]


def test_rows_have_the_target_frequencies_in_each_context_and_prompt(tea: Path) -> None:
    data = made(tea)
    assert Counter((r.context, r.label) for r in data.rows) == {
        ("leeds", "tea"): 80,
        ("leeds", "coffee"): 20,
        ("bath", "tea"): 35,
        ("bath", "coffee"): 65,
    }
    by_prompt = Counter((r.context, r.prompt, r.label) for r in data.rows)
    assert {by_prompt["leeds", p, "tea"] for p in ("again", "cup")} == {40}
    assert {by_prompt["bath", p, "tea"] for p in ("again", "cup")} <= {17, 18}


def test_nothing_of_validation_or_test_reaches_the_rows(tea: Path) -> None:
    data = made(tea)
    assert {r.context for r in data.rows} == {"leeds", "bath"}
    assert {r.prompt for r in data.rows} == {"again", "cup"}
    assert set(data.shares) == {"leeds", "bath"}
    said = " ".join(c for r in data.rows for _, c in r.messages)
    assert "Porto" not in said
    assert "What do people" not in said
    assert "tell me a drink" not in said


@pytest.mark.parametrize("name", ["gender_us", "race_us", "sentiment_us", "story_gender_us"])
def test_shipped_tasks_keep_their_splits_apart(name: str) -> None:
    task = load_task(name)
    attribute = next(iter(task.attributes.values()))
    answers: Answers = {("", label): (label,) for label in attribute.classes}
    data = training_set(task, attribute, resolve(task, attribute, "uniform"), answers, 60, 0)
    splits = {c.id: c.split for c in task.contexts}
    assert {splits[r.context] for r in data.rows} == {"train"}
    assert {p.split for p in task.prompts if p.id in {r.prompt for r in data.rows}} == {"train"}
    for count in Counter((r.context, r.label) for r in data.rows).values():
        assert count == 60 // len(attribute.classes)


def test_the_same_seed_gives_the_same_rows_and_another_seed_another_order(tea: Path) -> None:
    assert made(tea).hash == made(tea).hash
    assert made(tea).hash != made(tea, seed=1).hash


def test_pairs_prefer_one_class_to_another_as_the_target_says(tea: Path) -> None:
    found = pairs(made(tea), 0)
    assert all(p.rejected_label != p.row.label for p in found)
    assert all(p.rejected in ANSWERS["", p.rejected_label] for p in found)
    wins = Counter((p.row.context, p.row.label, p.rejected_label) for p in found)
    assert wins["leeds", "tea", "coffee"] / wins["leeds", "coffee", "tea"] == 80 / 20


def test_rejected_classes_go_evenly_round() -> None:
    task = load_task("race_us")
    attribute = task.attributes["race"]
    answers: Answers = {("", label): (label,) for label in attribute.classes}
    data = training_set(task, attribute, resolve(task, attribute, "uniform"), answers, 120, 0)
    wins = Counter((p.row.context, p.row.label, p.rejected_label) for p in pairs(data, 0))
    assert set(wins.values()) == {10}


@pytest.mark.parametrize("rule", ["same_digit_other_word", "other_digit_same_word"])
def test_verdicts_spoil_each_row_once_by_the_rule(tea: Path, rule: str) -> None:
    data = made(tea)
    found = verdicts(data, rule, 0)  # type: ignore[arg-type]  # a literal by parametrisation
    assert Counter(v.desirable for v in found) == {True: 200, False: 200}
    for verdict in found:
        own = data.classes.index(verdict.row.label)
        spoken = next(label for (_, label), texts in ANSWERS.items() if verdict.answer in texts)
        if verdict.desirable:
            assert (verdict.digit, spoken) == (own, verdict.row.label)
        elif rule == "same_digit_other_word":
            assert verdict.digit == own
            assert spoken != verdict.row.label
        else:
            assert verdict.digit != own
            assert spoken == verdict.row.label


def test_a_third_word_for_another_digit_needs_three_classes(tea: Path) -> None:
    with pytest.raises(UserError, match="two classes"):
        verdicts(made(tea), "other_digit_other_word", 0)
    task = load_task("race_us")
    attribute = task.attributes["race"]
    answers: Answers = {("", label): (label,) for label in attribute.classes}
    data = training_set(task, attribute, resolve(task, attribute, "uniform"), answers, 40, 0)
    for verdict in verdicts(data, "other_digit_other_word", 0):
        if not verdict.desirable:
            spoken = data.classes.index(verdict.answer)
            assert len({verdict.digit, spoken, data.classes.index(verdict.row.label)}) == 3


def test_a_class_without_a_text_is_named() -> None:
    with pytest.raises(UserError, match="no text that answers") as caught:
        texts_of({("", "tea"): ("Tea",)}, "leeds", "coffee")
    assert "coffee" in str(caught.value)


def test_texts_of_a_context_go_before_common_ones() -> None:
    answers: Answers = {("", "tea"): ("Tea",), ("leeds", "tea"): ("A brew",)}
    assert texts_of(answers, "leeds", "tea") == ("A brew",)
    assert texts_of(answers, "bath", "tea") == ("Tea",)


def test_baseline_completions_come_from_other_prompts_of_the_batch() -> None:
    prompts = [[1], [1], [2], [2], [3], [3], [3], [1]]
    completions = [[10 + i] for i in range(8)]
    found = mismatched(prompts, completions, 4)
    for i, other in enumerate(found):
        j = other[0] - 10
        assert prompts[j] != prompts[i]
        assert j // 4 == i // 4
    alone = mismatched([[1], [1], [2], [2]], completions[:4], 2)
    assert [other[0] - 10 for other in alone] == [3, 3, 1, 1] or all(
        prompts[other[0] - 10] != prompts[i] for i, other in enumerate(alone)
    )
    with pytest.raises(UserError, match="one training prompt"):
        mismatched([[1], [1]], completions[:2], 2)
