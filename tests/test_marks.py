"""Runs that were told what people replied, or trained on them, are marked and not ranked; others are not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.evaluation import evaluate
from harness.importers.corpus import Splits, read_replies
from harness.importers.reference import import_reference
from harness.importers.seen import hashes_of, write_seen
from harness.natural.features import token_count
from harness.reading.style import length_bin
from harness.reading.told import LEVEL, ToldCount, excess, holds, names_length
from harness.scores import scores_of
from harness.tasks.task import load_task
from reports.board import build
from reports.leaderboard import leaderboard
from reports.load import entries
from reports.page_runs import short
from reports.payload import payload
from reports.words import all_words, reason
from tests.baselines.tiny import write_tiny
from tests.importers.test_held_out import OPTIONS, corpus, shape
from tests.reports.runs import Made, make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from harness.importers.corpus import Reply
    from harness.runs.folder import Run


WORDS = {ui: words["likeness"] for ui, words in all_words().items()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marks")
    source = corpus(folder / "c.jsonl")
    import_reference([source], folder / "people", replace(OPTIONS, task=folder / "clean"), shape)
    write_tiny(folder / "model", max_position_embeddings=512)
    return folder


def asked(place: Path, task: str, model: str = "model") -> Run:
    return evaluate(
        place / model,
        place / task / "task.yaml",
        "people",
        n=1,
        sampling={"max_tokens": 1},
        out=place / "runs" / task,
    )


def plant(place: Path, name: str, change: Callable[[dict[str, str], str], dict[str, str]]) -> Path:
    """The clean task with the last turn of every prompt changed."""
    lines = (place / "clean/prompts.jsonl").read_text(encoding="utf-8").splitlines()
    prompts = [json.loads(line) for line in lines]
    for prompt in prompts:
        prompt["messages"][-1] = change(prompt["messages"][-1], prompt["reference"])
    (place / name).mkdir(exist_ok=True)
    text = "\n".join(json.dumps(p) for p in prompts)
    (place / name / "prompts.jsonl").write_text(text, encoding="utf-8")
    task = (place / "clean/task.yaml").read_text(encoding="utf-8")
    (place / name / "task.yaml").write_text(task, encoding="utf-8")
    return place / name / "task.yaml"


def planted(place: Path, name: str, change: Callable[[dict[str, str], str], dict[str, str]]) -> Run:
    """A run on such a task."""
    plant(place, name, change)
    return asked(place, name)


def answer(turn: dict[str, str], gold: str) -> dict[str, str]:
    """As PolyAlign's published runs were asked."""
    return turn | {"content": f"{turn['content']}\nReference answer:\n{gold}"}


def marks(run: Run) -> list[tuple[str, str, str]]:
    """Each mark of the board with what the page says in English and in Chinese."""
    found, _ = entries([str(run.folder)])
    words = all_words()
    cells = build(found).cells
    assert len(cells) == 4
    told = {tuple((r.kind, reason(r, words["en"]), reason(r, words["zh"])) for r in c.apart) for c in cells}
    kinds = ("answer", "gold_length", "seen_people")
    return [mark for mark in next(iter(told)) if mark[0] in kinds]


def test_a_run_as_the_corpus_asks_is_not_marked(place: Path) -> None:
    run = asked(place, "clean")
    assert marks(run) == []
    told = {t.kind: t for t in scores_of(run).told}
    assert told["answer"].told == 0
    assert told["answer"].prompts == len(load_task(str(place / "clean/task.yaml")).prompts)
    assert run.manifest.seen_people is None


def test_the_reply_in_the_prompt_is_marked(place: Path) -> None:
    run = planted(place, "leak", answer)
    (mark,) = marks(run)
    assert mark[0] == "answer"
    assert "hold the person" in mark[1]
    assert "含有人的回复" in mark[2]
    n = len(load_task(str(place / "clean/task.yaml")).prompts)
    assert f"{n} / {n}" in mark[1]


def test_the_reply_s_length_in_the_prompt_is_marked(place: Path) -> None:
    def profile(turn: dict[str, str], gold: str) -> dict[str, str]:
        length = length_bin(token_count(gold))
        return turn | {"content": f"Follow the profile. family=qa; length={length}.\n{turn['content']}"}

    (mark,) = marks(planted(place, "profile", profile))
    assert mark[0] == "gold_length"
    assert "回复的长度" in mark[2]


def test_one_length_for_all_prompts_is_marked_only_where_it_is_right_too_often(place: Path) -> None:
    """A request for long replies tells nothing of short ones."""
    run = planted(place, "long", lambda turn, _: turn | {"content": f"Give a long reply. {turn['content']}"})
    assert marks(run) == []


def _hashes(replies: Iterable[Reply]) -> list[int]:
    return [x for reply in replies for x in hashes_of(reply)]


def test_a_checkpoint_that_was_trained_on_the_people_asked_about_is_marked(place: Path) -> None:
    replies = list(read_replies(str(place / "c.jsonl"), {}))
    for name, split in (("honest", "train"), ("cheat", "test")):
        write_tiny(place / name, max_position_embeddings=512)
        write_seen(place / name, _hashes(r for r in replies if Splits().of(r) == split))
    assert marks(asked(place, "clean", "honest")) == []
    assert asked(place, "clean", "honest").manifest.seen_people == 0
    (mark,) = marks(asked(place, "clean", "cheat"))
    assert mark[0] == "seen_people"
    assert str(len(load_task(str(place / "clean/task.yaml")).prompts)) in mark[1]
    # by the text alone too, where a corpus has other names; and through a training of the checkpoint
    write_tiny(place / "again", max_position_embeddings=512)
    write_seen(
        place / "again",
        _hashes(replace(r, source="renamed", conversation="") for r in replies[:3]),
        place / "cheat",
    )
    assert [m[0] for m in marks(asked(place, "clean", "again"))] == ["seen_people"]
    write_seen(
        place / "again", _hashes(replace(r, source="renamed") for r in replies if Splits().of(r) == "test")
    )
    assert [m[0] for m in marks(asked(place, "clean", "again"))] == ["seen_people"]


def test_what_a_prompt_tells() -> None:
    assert holds("Is it tea  or\nCoffee?", "coffee")
    assert not holds("I teach.", "tea")
    assert holds("他说：“北京很大。”对吗", "北京很大")
    assert names_length("length=short; style=chat", "Fine.")
    assert not names_length("short, medium or long?", "Fine.")
    assert not names_length("A long story, please.", "Fine.")
    assert names_length("Use 12 tokens", "one two three four five six seven eight nine ten eleven twelve")


def test_what_the_corpus_does_itself_is_no_mark() -> None:
    corpus_ = {"a": ToldCount(1000, 500, 0), "b": ToldCount(1000, 0, 0)}
    assert excess({"a": ToldCount(100, 55, 0)}, corpus_, "answer") > LEVEL
    assert excess({"a": ToldCount(100, 90, 0)}, corpus_, "answer") < LEVEL
    assert excess({"a": ToldCount(100, 50, 0), "b": ToldCount(100, 20, 0)}, corpus_, "answer") < LEVEL
    assert excess({"c": ToldCount(100, 100, 0)}, corpus_, "answer") == 1


def test_the_page_has_what_other_people_score(place: Path) -> None:
    found, _ = entries([str(asked(place, "clean").folder)])
    board = build(found)
    data = payload(board, {})
    metric = found[0].metrics["natural_w1"]
    assert 0 < metric.people < metric.floor < metric.value
    for column in board.columns:
        assert column.people["natural_w1"] == metric.people
        assert "tv" not in column.people
    keys, cells = data["cellKeys"], data["cells"]
    assert isinstance(keys, list)
    assert isinstance(cells, list)
    beside = dict(zip(keys, cells[0], strict=True))["beside"]
    assert beside["natural_w1"] == [short(metric.people), short(metric.floor)]
    assert "reply_bits" not in beside


@pytest.mark.browser
def test_the_page_shows_marks_and_people_in_both_languages(place: Path, tmp_path: Path) -> None:
    from tests.reports.browser import chromium

    said = ("Number 9: one two three.", "Number 8: six. ten nine", "Well, number 7: four")
    law = Made("m/plain", str(place / "clean/task.yaml"), "people", n=3, texts={"short": said})
    make(tmp_path / "runs", law)
    make(tmp_path / "runs", replace(law, model="m/cheat", changes={"seen_people": 41}))
    make(tmp_path / "runs", replace(law, model="m/leak", task=str(plant(place, "leak", answer))))
    leaderboard([str(tmp_path / "runs")], tmp_path / "site")
    with chromium() as browser:
        page = browser.new_page(locale="en-US")
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto((tmp_path / "site/index.html").as_uri() + "#col=clean/length/people")
        page.wait_for_selector("html[data-ready]")
        for ui, marks_, people in (
            (
                "en",
                ("hold the person’s reply", "trained on people whom it is asked about: 41"),
                "Other people",
            ),
            ("zh", ("含有人的回复", "曾以所问之人的对话训练：41"), "其他人"),
        ):
            page.evaluate("(ui) => { location.hash = '#col=clean/length/people&ui=' + ui; }", ui)
            page.wait_for_function("(ui) => document.getElementById('language').value === ui", arg=ui)
            shown = page.locator(".apart").inner_text()
            assert all(mark in shown for mark in marks_)
            row = page.locator(".reference tr", has_text=people)
            assert any(cell.strip() for cell in row.locator("td").all_inner_texts())
            page.locator("#rows .name", has_text="m/plain").click()
            beside = page.locator("section", has=page.get_by_role("heading", name=WORDS[ui]))
            beside.wait_for()
            assert beside.locator("tbody tr").count() >= 4
        assert wrong == []
