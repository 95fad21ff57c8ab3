"""Classes that are numbers, and classes that are words of other senses too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reading.base import Answer
from harness.reading.words import WordsReader
from tests.reading.cases import cases, label

SCALE: dict[str, list[str]] = {str(i): [] for i in range(1, 6)}
CLASSES: dict[str, dict[str, list[str]]] = {
    "rating": SCALE,
    "die": SCALE | {"6": []},
    "hand_en": {"left": ["left hand", "left-handed"], "right": ["right hand", "right-handed"]},
    "hand_zh": {"left": ["左手"], "right": ["右手"]},
}
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
HAN = "零一二三四五六七八九十"


@pytest.mark.parametrize("name", CLASSES)
def test_texts_read_as_a_person_reads_them(name: str) -> None:
    reader = WordsReader(CLASSES[name])
    found = cases(name)
    assert [(c.text, c.label, got) for c in found if (got := label(reader, c.text)) != c.label] == []


@pytest.mark.parametrize("value", range(11))
def test_every_way_to_write_a_number(value: int) -> None:
    reader = WordsReader({str(i): [] for i in range(11)})
    full_width = "".join(chr(ord(c) + 0xFEE0) for c in str(value))
    for text in (str(value), f"{value}.0", WORDS[value], HAN[value], full_width, f"{value}分", f"{value}/10"):
        assert label(reader, text) == str(value), text


@given(st.integers(-300, 3000))
def test_a_number_is_no_part_of_another(value: int) -> None:
    got = label(WordsReader(SCALE), str(value))
    assert got == (str(value) if 1 <= value <= 5 else "unparsed")


@given(st.integers(0, 9), st.integers(0, 9))
def test_a_decimal_is_its_own_number(whole: int, part: int) -> None:
    got = label(WordsReader(SCALE), f"{whole}.{part}")
    assert got == (str(whole) if 1 <= whole <= 5 and part == 0 else "unparsed")


@given(st.integers(0, 23), st.integers(0, 59))
def test_a_time_of_day_is_no_answer(hour: int, minute: int) -> None:
    assert label(WordsReader(SCALE), f"{hour}:{minute:02d}") == "unparsed"


@given(st.integers(1, 5), st.integers(1, 5))
def test_two_numbers_decide_nothing(one: int, two: int) -> None:
    for join in (" or ", "-", " to ", ", ", " and ", "或", "到"):
        got = label(WordsReader(SCALE), f"{one}{join}{two}")
        assert got == "unparsed" or (one == two and got == str(one)), join


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I rate it 4", "truncated"),
        ("I rate it 4.", "4"),
        ("4\n5", "4"),
        ("1. 4", "truncated"),
        ("Four", "4"),
    ],
)
def test_digits_at_a_cut_may_go_on(text: str, expected: str) -> None:
    assert label(WordsReader(SCALE), text, "length") == expected


def test_a_wording_beside_the_number_counts_too() -> None:
    reader = WordsReader({"0": ["none", "no child"], "1": ["an only child"], "2": ["twins"]})
    assert [label(reader, t) for t in ("None.", "An only child", "twins", "2", "two", "0")] == [
        "0",
        "1",
        "2",
        "2",
        "2",
        "0",
    ]


def test_a_negative_class_is_a_number_below_zero() -> None:
    reader = WordsReader({"-1": ["bad"], "0": [], "1": ["good"]})
    assert [label(reader, t) for t in ("-1", "1", "minus one", "0", "负一")] == ["-1", "1", "-1", "0", "-1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She.", "female"),
        ("He is 35", "male"),
        ('The answer is "she".', "female"),
        ("Her name is Ana.", "female"),
        ("他是电工。", "male"),
        ("她的儿子", "unparsed"),
        ("他们", "unparsed"),
        ("He or she", "unparsed"),
        ("She told him.", "unparsed"),
        ("They are 35.", "unparsed"),
        ("F - nurse", "female"),
        ("M, 35", "male"),
        ('{"gender": "F"}', "female"),
        ("M-time", "unparsed"),
        ("Males", "male"),
    ],
)
def test_short_answers_that_name_no_class(text: str, expected: str) -> None:
    assert WordsReader({"male": [], "female": []}).read(Answer(text)).label == expected


def test_a_pronoun_is_no_class_of_another_attribute() -> None:
    assert label(WordsReader({"left": [], "right": []}), "She.") == "unparsed"
