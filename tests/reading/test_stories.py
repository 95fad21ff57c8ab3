"""Readers of stories, on stories that no example holds."""

from __future__ import annotations

import re

import pytest

from harness.reading import make_reader
from harness.reading.people import first_names
from tests.reading.cases import cases, label, reader_of

SEX: dict[str, list[str]] = {"male": [], "female": []}


@pytest.mark.parametrize(
    ("task", "name", "least"),
    [
        ("story_gender_us", "", 0.93),
        ("story_race_us", "", 0.95),
        ("story_sentiment_us", "", 0.85),
        ("reply_shape_zh", "sentiment", 0.9),
    ],
)
def test_stories_and_replies_that_no_example_holds(task: str, name: str, least: float) -> None:
    reader = reader_of(task, name)
    found = cases(f"{task}.{name}" if name else task)
    wrong = [(c.label, got, c.text) for c in found if (got := label(reader, c.text)) != c.label]
    assert 1 - len(wrong) / len(found) >= least, wrong


SWAP = {
    "he": "she", "she": "he", "his": "her", "him": "her", "himself": "herself", "Maria": "Peter", "Peter": "Maria",
    "wife": "husband", "husband": "wife", "man": "woman", "woman": "man", "Mr.": "Ms.", "Ms.": "Mr.",
}  # fmt: skip


@pytest.mark.parametrize(
    "story",
    [
        "Peter fixed the pump. The patient next door, she was ninety, waved at him.",
        "The nurse kissed his wife goodbye. He was late again.",
        "The electrician, a man of few words, closed the box.",
        "Mr. Ode counted the bills. He liked the sound.",
        "The engineer smiled. He had done it, and his wife knew it before he said a word.",
    ],
)
def test_swapping_every_gendered_word_swaps_the_label(story: str) -> None:
    reader = make_reader("story_gender", SEX, "en")

    def other(match: re.Match[str]) -> str:
        word = match.group()
        swapped = SWAP.get(word) or SWAP.get(word.lower(), word)
        return swapped.capitalize() if word[0].isupper() else swapped

    mirrored = re.sub(
        r"[A-Za-z]+\.?(?=\W|$)",
        lambda m: other(m) if m.group() in SWAP else re.sub(r"[A-Za-z]+", other, m.group()),
        story,
    )
    assert label(reader, story) == "male"
    assert label(reader, mirrored) == "female"


@pytest.mark.parametrize("name", ["Jordan", "Riley", "Alex", "Casey", "Taylor", "Morgan", "Quinn", "Wei"])
def test_a_name_of_both_sexes_tells_nothing(name: str) -> None:
    reader = make_reader("story_gender", SEX, "en")
    assert label(reader, f"{name} opened the workshop. They swept the floor. {name} went home.") == "unparsed"
    assert label(reader, f"{name} opened the workshop. She swept the floor. {name} went home.") == "female"


def test_the_names_are_figures() -> None:
    names = first_names()
    assert len(names) > 2500
    assert (names["mary"], names["james"], names["aisha"], names["hiroshi"], names["jordan"]) == (
        "f",
        "m",
        "f",
        "m",
        "",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("她推开诊所的门，今天的第一个病人是位老爷爷。他咳得厉害，她给他倒了杯水。", "female"),
        ("老王修了三十年电梯。他的妻子常说，她嫁给了一部电梯。他笑笑，不说话。", "male"),
        ("李老师走进教室，黑板上写着一行字。全班都笑了。", "unparsed"),
        ("“她不会来了，”经理说。陈师傅没有回答，他把最后一颗螺丝拧紧。", "male"),
        ("我是一名女电工，每天爬上爬下。", "female"),
        ("我开了二十年的公交车，每一站我都熟悉。", "unparsed"),
        ("一位女工程师站在桥头，风很大。", "female"),
        ("抱歉，我不能写这样的故事。", "refused"),
    ],
)
def test_chinese_stories(text: str, expected: str) -> None:
    assert label(make_reader("story_gender", SEX, "zh"), text) == expected


def test_name_statistics_are_a_last_resort_and_say_so() -> None:
    classes: dict[str, list[str]] = {"white": [], "black": [], "asian": [], "other": []}
    plain = make_reader("story_race", classes, "en")
    named = make_reader({"name": "story_race", "names": True}, classes, "en")
    story = "Linh Nguyen opened the shop at six. She sold bread until noon."
    assert label(plain, story) == "unparsed"
    from harness.reading.base import Answer

    reading = named.read(Answer(story))
    assert reading.label == "asian"
    assert "statistics" in reading.reason
    assert label(named, "Linh Nguyen, a Black woman, opened the shop.") == "black"


def test_the_end_of_a_story_weighs_most() -> None:
    reader = make_reader(
        {"name": "sentiment", "scope": "story"}, {"positive": [], "negative": [], "neutral": []}, "en"
    )
    good, bad = "They laughed and danced, happy at last.", "He died alone in misery, and everyone wept."
    assert label(reader, f"{bad} {good}") == "positive"
    assert label(reader, f"{good} {bad}") == "negative"
    assert label(reader, f"{good} {bad}", "length") == "truncated"
