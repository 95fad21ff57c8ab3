"""The shape of replies: tokens, bins, acts, lists; and cut replies, which are right-censored."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UserError
from harness.natural.features import token_count
from harness.reading import make_reader
from harness.reading.base import Answer
from harness.reading.style import OUTCOMES, is_list, length_bin, sentence_act
from tests.reading.cases import label

SHAPES = {name: {c: (c,) for c in classes} for name, classes in OUTCOMES.items()}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("Hello", 1),
        ("don't", 1),
        ("the dogs' bowl", 4),
        ("rock 'n' roll", 5),
        ("3.14", 3),
        ("well-known", 3),
        ("A4 paper", 3),
        ("It's 5 o'clock.", 4),
        ("你好", 2),
        ("你好，世界！", 6),
        ("我有3个iPhone", 5),
        ("e.g. this", 5),
        ("  a \n\n b  ", 2),
        ("...", 3),
        ("naïve", 2),
    ],
)
def test_tokens(text: str, tokens: int) -> None:
    assert token_count(text) == tokens


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (0, "short"),
        (40, "short"),
        (41, "medium"),
        (120, "medium"),
        (121, "long"),
        (240, "long"),
        (241, "xlong"),
    ],
)
def test_bounds(tokens: int, expected: str) -> None:
    assert length_bin(tokens) == expected


def test_a_cut_reply_is_binned_only_beyond_the_last_bound() -> None:
    reader = make_reader({"name": "style", "feature": "length"}, SHAPES["length"], "en")
    for n in (1, 40, 41, 240):
        assert label(reader, "word " * n, "length") == "truncated"
    assert label(reader, "word " * 241, "length") == "xlong"


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("Are you sure?", "question"),
        ("Are you sure?”", "question"),
        ("Are you sure? 🤔🤔", "question"),
        ("Are you sure ??", "question"),
        ("Are you sure?)", "question"),
        ("Sure.", "statement"),
        ("Sure!?", "question"),
        ("Sure…", "statement"),
        ("Sure!", "exclamation"),
        ("Sure!!!1", "other"),
        ("Sure! (smiles)", "exclamation"),
        ("Sure; later", "other"),
        ("Sure. Then", "other"),
        ("《活着》好看吗？", "question"),
        ("很好看。”", "statement"),
        ("太好看了！～", "exclamation"),
        ("好看", "other"),
        ("| a | b |\n|---|---|", "other"),
        ("\n\n", "other"),
    ],
)
def test_acts(text: str, act: str) -> None:
    assert sentence_act(text) == act


@given(st.text(max_size=30), st.sampled_from(["", " ", "\n", '"', "”", ")", " 😀", "**"]))
@settings(max_examples=200, deadline=None)
def test_what_closes_a_sentence_does_not_hide_its_mark(text: str, closing: str) -> None:
    assert sentence_act(f"{text} word?{closing}") == "question"
    assert sentence_act(f"{text} 好！{closing}") == "exclamation"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n- b", True),
        ("intro\n\n1. a\n\n2. b\n\noutro", True),
        ("1. a", False),
        ("- a\n1. b", True),
        ("1、甲\n2、乙", True),
        ("㈠ 甲", False),
        ("1.甲\n2.乙", True),
        ("1.5\n2.5", False),
        ("- \n- ", False),
        ("a - b\nc - d", False),
        ("2020年\n2021年", False),
        ("10:00 a\n11:00 b", False),
    ],
)
def test_lists(text: str, expected: bool) -> None:
    assert is_list(text) is expected


PIECES = st.sampled_from(
    [
        "- a",
        "1. b",
        "\n",
        "word ",
        "```",
        "don'",
        "t",
        "。",
        "? ",
        "x" * 3,
        "字" * 90,
        "word " * 70,
        "1.",
        "5",
    ]
)


@given(
    st.sampled_from(["length", "list", "act", "sentiment"]),
    st.lists(PIECES, max_size=8),
    st.lists(PIECES, max_size=5),
)
@settings(max_examples=400, deadline=None)
def test_settled_means_that_no_continuation_matters(feature: str, start: list[str], end: list[str]) -> None:
    reader = make_reader({"name": "style", "feature": feature}, dict.fromkeys(OUTCOMES[feature], ()), "en")  # type: ignore[index]  # the four features
    text = "".join(start)
    if reader.settled(text):
        before = reader.read(Answer(text)).label
        for cut in (False, True):
            assert reader.read(Answer(text + "".join(end), cut=cut)).label == before


def test_long_and_listed_replies_settle() -> None:
    length = make_reader({"name": "style", "feature": "length"}, SHAPES["length"], "en")
    lists = make_reader({"name": "style", "feature": "list"}, SHAPES["list"], "en")
    assert length.settled("word " * 250)
    assert not length.settled("word " * 240)
    assert lists.settled("- a\n- b\n")
    assert not lists.settled("- a\n- b")


def test_a_task_must_have_the_features_classes() -> None:
    with pytest.raises(UserError):
        make_reader({"name": "style", "feature": "act"}, {"question": [], "answer": []}, "en")
    with pytest.raises(UserError):
        make_reader({"name": "style", "feature": "mood"}, {"question": [], "answer": []}, "en")
