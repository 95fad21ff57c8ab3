"""How a run may ask otherwise than its task: system message, prompts, contexts, an answer's beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness import compare, evaluate
from harness.contract import Contract
from harness.errors import IncompleteError, UserError
from harness.evaluation import asked
from harness.reading import DrawReader, make_reader
from harness.reading.pipeline import read_draws, settled_draw
from harness.rescore import score
from harness.scoring.outcomes import read_counts
from harness.settings import Settings
from harness.tasks.prompts import Rendered, framed
from harness.tasks.task import load_prompts, load_task
from harness.terms import Message
from reports.board import build
from reports.load import entries

if TYPE_CHECKING:
    from pathlib import Path

    from harness.runs.folder import Run

GENDER = {"male": ("man", "men"), "female": ("woman", "women")}
CHINESE = {"male": ("男",), "female": ("女",)}
QUESTION = Message("user", "Who?")
PROMPTS = """\
- {id: short, text: "One word, man or woman: who is one of the {{ context.workers }}?"}
- {id: other, split: train, text: "A worker: {{ context.workers }}"}
"""


@pytest.mark.parametrize(
    ("given", "roles", "texts"),
    [
        ((QUESTION,), ["system", "user", "assistant"], ["Be brief.", "Who?", "It is a"]),
        (
            (Message("system", "You are a clerk."), QUESTION, Message("assistant", "Well,")),
            ["system", "user", "assistant"],
            ["Be brief.\n\nYou are a clerk.", "Who?", "Well, It is a"],
        ),
    ],
)
def test_a_chat_gets_one_system_turn_and_one_beginning(
    given: tuple[Message, ...], roles: list[str], texts: list[str]
) -> None:
    (made,) = framed([Rendered("c", "p", messages=given)], "Be brief.", "It is a")
    assert [m.role for m in made.messages] == roles
    assert [m.content for m in made.messages] == texts
    assert framed([Rendered("c", "p", messages=given)]) == [Rendered("c", "p", messages=given)]


@pytest.mark.parametrize(
    ("text", "begun", "made"),
    [
        ("The nurse said that", "she", "Be brief.\n\nThe nurse said that she"),
        ("Answer:\n", "A", "Be brief.\n\nAnswer:\nA"),
        ("护士说", "她", "Be brief.\n\n护士说她"),
    ],
)
def test_plain_text_is_one_text(text: str, begun: str, made: str) -> None:
    assert framed([Rendered("c", "p", text=text)], "Be brief.", begun)[0].text == made


@pytest.mark.parametrize(
    ("begun", "drawn", "label"),
    [
        ("The person is a", "woman", "female"),  # the tokenizer lost the blank
        ("The person is a", " woman.", "female"),
        ("The person is not a", " woman", "unparsed"),  # what the beginning says counts
        ("It is either a man or a", " woman", "unparsed"),
        ("The person is a", "", "unparsed"),
        ("The person is a", " teacher", "unparsed"),
        ("The person is a", "<think>man?</think> woman", "female"),
        ("I would say:", "Man", "male"),
    ],
)
def test_readers_see_an_answer_with_its_beginning(begun: str, drawn: str, label: str) -> None:
    (reading,) = read_draws([(drawn, "stop")], make_reader("words", GENDER, "en"), Contract(), begun=begun)
    assert reading.label == label


def test_chinese_has_no_blank_between() -> None:
    reader = make_reader("words", CHINESE, "zh")
    (reading,) = read_draws([("女", "stop")], reader, Contract(), begun="这个人是")
    assert reading.label == "female"


def test_a_cut_before_the_first_word_is_a_cut_with_a_beginning_too() -> None:
    reader = make_reader("story_gender", GENDER, "en")
    labels = {
        r.label
        for begun in ("", "Well")
        for r in read_draws([("", "length")], reader, Contract(), begun=begun)
    }
    assert labels == {"truncated"}


def test_a_beginning_takes_part_in_settling() -> None:
    first = make_reader({"name": "words", "rule": "first"}, GENDER, "en")
    assert settled_draw(". And", [first], Contract(), begun="A man")
    assert not settled_draw(". And", [first], Contract())
    assert not settled_draw(" man", [first], Contract(), begun="A")


def test_a_beginning_that_decides_by_itself_is_told() -> None:
    task = load_task("gender_us")
    assert DrawReader.of(task, Contract(), "?", begun="She is a woman.").decided() == {"gender": "female"}
    assert DrawReader.of(task, Contract(), "?", begun="The person is a").decided() == {}
    assert DrawReader.of(task, Contract(labels=True), "?", begun="She is a woman.").decided() == {}


def known(out: Path, **options: Any) -> Run:
    return evaluate("known:target", "gender_us", "labor", Settings(n=3, out=out, **options))


def test_what_is_asked_otherwise_is_another_run_and_says_so(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(PROMPTS, encoding="utf-8")
    ids = [c.id for c in load_task("gender_us").contexts][:2]
    plain = known(tmp_path)
    others = {
        "system “Be brief.”": known(tmp_path, system="Be brief."),
        "begun “It is a”": known(tmp_path, continue_from="It is a"),
        "prompts mine.yaml": known(tmp_path, prompts=mine),
        f"contexts {ids[0]}, {ids[1]}": known(tmp_path, contexts=[",".join(ids)]),
    }
    assert len({run.folder for run in [plain, *others.values()]}) == 5
    for told, run in others.items():
        assert run.manifest.asked_with() == told
        with pytest.raises(
            IncompleteError, match=r"differ in (--system|--continue-from|--contexts|the prompts as sent.*)\n"
        ):
            compare(plain, run)
        assert known(tmp_path, **options_of(run)).folder == run.folder, "and the same again is the same run"
    board = build(entries([str(tmp_path)])[0])
    labels = {row.model for row in board.rows}
    assert {label.partition("; ")[2] for label in labels} == {"", *others}
    apart = {board.rows[cell.row].model: cell.apart for cell in board.cells if cell.apart}
    assert {label.partition("; ")[2] for label in apart} == set(others)


def options_of(run: Run) -> dict[str, Any]:
    who = run.identity
    given = {"system": who.system, "continue_from": who.continue_from, "contexts": who.contexts}
    return {**given, "prompts": run.manifest.prompts_file or None}


def test_prompts_of_a_file_are_asked_in_the_task_s_contexts_and_scored(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(PROMPTS, encoding="utf-8")
    run = known(tmp_path / "runs", prompts=mine)
    task = load_task("gender_us")
    sent = run.prompts().prompts
    assert {p.prompt for p in sent} == {"short"}, "the prompts' own split counts"
    assert [p.context for p in sent] == [c.id for c in task.contexts]
    assert all("man or woman" in p.messages[0].content for p in sent)
    score(run)
    (counts,) = read_counts(run.folder / "counts.csv")
    assert set(counts.held().values()) == {3}
    assert len(counts.cells) == len(sent)


def test_prompts_may_be_json_lines(tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text('{"id": "a", "text": "Man or woman?"}\n{"id": "b", "text": "Which?"}\n', encoding="utf-8")
    assert [p.id for p in load_prompts(mine, load_task("gender_us"))] == ["a", "b"]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("- {id: a, text: x}\n- {id: a, text: y}\n", "stands twice"),
        ("- {id: a, text: x, contexts: [nowhere]}\n", "unknown context"),
        ("- {id: a, text: x, contexts: [sales_and_related_occupations]}\n", "no prompt asks about"),
        ("a: b\n", "not a list"),
        ("[]\n", "no prompt"),
    ],
)
def test_a_file_of_prompts_is_checked_as_a_task_s_own(tmp_path: Path, written: str, found: str) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(written, encoding="utf-8")
    with pytest.raises(UserError, match=found) as told:
        asked(load_task("gender_us"), Settings(prompts=mine))
    assert str(mine) in told.value.where


def test_contexts_are_taken_by_id_within_the_split() -> None:
    task = load_task("gender_us")
    inside = [c.id for c in task.contexts if c.split == "test"]
    contexts, rendered = asked(task, Settings(split="test", contexts=[inside[1], inside[0]]))
    assert [c.id for c in contexts] == inside[:2]
    assert {r.context for r in rendered} == set(inside[:2])
    outside = next(c.id for c in task.contexts if c.split == "train")
    with pytest.raises(UserError, match="no such context"):
        asked(task, Settings(split="test", contexts=[outside]))
    with pytest.raises(UserError, match="no such context") as told:
        asked(task, Settings(contexts=[inside[0][:-1]]))
    assert inside[0] in told.value.nearest


def test_a_place_for_the_choice_and_a_beginning_do_not_go_together() -> None:
    with pytest.raises(UserError, match="place for the choice"):
        asked(load_task("profession_gender"), Settings(continue_from="It is"))
    asked(load_task("profession_gender"), Settings(system="Be brief."))
