"""Tasks: the order of classes, and further wordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.errors import UserError
from harness.tasks import prompts
from harness.tasks.task import load_task
from tests import helpers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("classes", "positions"),
    [
        ("classes: [bad, fair, good]", None),
        ("classes: [bad, fair, good]\nordered: false", None),
        ("classes: [bad, fair, good]\nordered: true", (0, 0.5, 1)),
        ("classes: [good, bad, fair]\nordered: [bad, fair, good]", (1, 0, 0.5)),
        ("classes: [1, 2, 3]", (0, 0.5, 1)),
        ("classes: [10, 0, 1]", (1, 0, 0.1)),
        ("classes: [10, 0, 1]\nordered: true", (1, 0, 0.1)),
        ("classes: [10, 0, 1]\nordered: [0, 1, 10]", (1, 0, 0.5)),
        ("classes: [-1, 0.5, +2]", (0, 0.5, 1)),
        ("classes: [1, 2, many]", None),
        ("classes: [1, '1.0', 2]", None),
        ("classes: [1, 2, 3]\nordered: false", None),
    ],
)
def test_the_order_of_classes(tmp_path: Path, classes: str, positions: tuple[float, ...] | None) -> None:
    text = (
        helpers.TASK.split("classes:")[0]
        + classes
        + "\ncontexts: [all]\nprompts: [{id: ask, text: Which one}]\n"
    )
    task = load_task(str(helpers.write_task(tmp_path, text)))
    assert task.attributes["drink"].positions == positions
    assert task.hash == load_task(str(task.source.path)).hash
    plain = load_task(str(helpers.write_task(tmp_path, text.replace("ordered", "title: x #"))))
    assert plain.hash == task.hash, "an order changes neither what is asked nor how it is read"


@pytest.mark.parametrize(
    ("ordered", "says"),
    [("[bad, good]", "every class once"), ("[bad, fair, god]", "every class once"), ("sideways", "ordered")],
)
def test_an_order_that_cannot_be(tmp_path: Path, ordered: str, says: str) -> None:
    text = helpers.TASK.split("classes:")[0] + f"classes: [bad, fair, good]\nordered: {ordered}\n"
    text += "contexts: [all]\nprompts: [{id: ask, text: Which one}]\n"
    with pytest.raises(UserError) as caught:
        load_task(str(helpers.write_task(tmp_path, text)))
    assert says in str(caught.value) + caught.value.where


def test_further_wordings_are_asked_on_request_and_leave_the_hash_as_it_is(tmp_path: Path) -> None:
    text = helpers.TASK.replace(
        "{id: again, split: train", "{id: more, split: many, text: A cup}\n  - {id: again, split: train"
    )
    task = load_task(str(helpers.write_task(tmp_path / "more", text)))
    plain = load_task(str(helpers.write_task(tmp_path / "plain")))
    assert task.hash == plain.hash
    asked = {
        wanted: [p.id for p in prompts.select(task, paraphrases=wanted)[1]]
        for wanted in ("test", "many", "all")
    }
    assert asked == {"test": ["ask"], "many": ["ask", "more"], "all": ["ask", "more", "again"]}
    with pytest.raises(UserError, match="no prompts marked 'many'"):
        prompts.select(plain, paraphrases="many")


SHORT = (
    "gender_us",
    "gender_uk",
    "gender_zh",
    "race_us",
    "sentiment_us",
    "profession_gender",
    "die",
    "coin",
    "rating_5",
)


@pytest.mark.parametrize(
    "name", [*SHORT, "story_gender_us", "story_gender_uk", "story_race_us", "story_sentiment_us"]
)
def test_shipped_tasks_have_wordings_enough_to_judge_others_by(name: str) -> None:
    task = load_task(name)
    contexts, wordings = prompts.select(task, paraphrases="many")
    assert len(wordings) >= (8 if name in SHORT else 4)
    texts = [
        r.text or r.messages[-1].content
        for r in prompts.render(task, contexts[:1], wordings, {"choice": "x"})
    ]
    assert len(set(texts)) == len(texts)
    assert len(prompts.select(task)[1]) == 2, "what is asked unless more is wanted"
