"""The reader of short answers: many ways to decide, to refuse, and to say nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UserError
from harness.reading import make_reader
from harness.reading.base import Answer
from harness.reading.words import WordsReader
from tests.reading.cases import Case, cases, label, reader_of

GENDER = {"male": ["man", "men"], "female": ["woman", "women"]}
CITY = {"york": [], "new york": ["big apple"], "paris": ["city of light"]}


@pytest.mark.parametrize("task", ["gender_us", "race_us", "sentiment_us", "gender_zh"])
def test_texts_that_no_example_holds(task: str) -> None:
    reader = reader_of(task)
    wrong = [(c.text, c.label, got) for c in cases(task) if (got := label(reader, c.text)) != c.label]
    assert wrong == []


@pytest.mark.parametrize("language", ["us", "zh"])
def test_the_class_that_is_set_against_the_other(language: str) -> None:
    """*It is a male, not a female*, and its relatives."""
    reader, found = reader_of(f"gender_{language}"), cases(f"contrast_{language}")
    assert [(c.text, c.label, got) for c in found if (got := label(reader, c.text)) != c.label] == []
    assert len(found) >= 20


@pytest.mark.parametrize("case", cases("gender_us")[:40], ids=lambda c: c.text[:30])
def test_reading_ignores_markup_case_and_space(case: Case) -> None:
    reader = reader_of("gender_us")
    for changed in (
        f"  {case.text}\n\n",
        case.text.upper(),
        f"**{case.text}**" if "*" not in case.text else case.text,
    ):
        assert label(reader, changed) == case.label


def test_longest_wording_wins() -> None:
    reader = WordsReader(CITY)
    assert label(reader, "New York") == "new york"
    assert label(reader, "York") == "york"
    assert label(reader, "the Big Apple") == "new york"
    assert label(reader, "Newyork") == "unparsed"


def test_swapping_the_classes_swaps_the_label() -> None:
    reader = reader_of("gender_us")
    swap = {"male": "female", "female": "male"}
    for text in (
        "I'd go with male",
        "Male or female? Male.",
        "Not male but female",
        "Female. Actually, male.",
        "male, not female",
    ):
        swapped = " ".join(_swapped(w) for w in text.split(" "))
        assert label(reader, swapped) == swap[label(reader, text)]


def _swapped(word: str) -> str:
    lower = word.lower()
    return lower.replace("female", "male") if "female" in lower else lower.replace("male", "female")


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_has_an_outcome(text: str) -> None:
    for rule in ("decision", "first", "last", "only"):
        got = make_reader({"name": "words", "rule": rule}, GENDER, "en").read(Answer(text)).label
        assert got in ("male", "female", "unparsed", "refused")


PIECES = st.sampled_from(
    ["male", "female", "Male.", "woman", "men", " ", ", ", ". ", "\n", "not ", "no, ", "or ", "and ", "but ", "actually ",
     "I can't say", "-", "'", "s", "?", "! ", "<think>", "~~", "**", "fe", "white-", "x", "neither ", "nor ", "than ", "3.5", "。", "男", "_"]
)  # fmt: skip


@given(
    st.lists(PIECES, max_size=8),
    st.lists(PIECES, max_size=6),
    st.sampled_from(["first", "last", "only", "decision"]),
)
@settings(max_examples=500, deadline=None)
def test_settled_means_that_no_continuation_matters(start: list[str], end: list[str], rule: str) -> None:
    reader = make_reader({"name": "words", "rule": rule}, {**GENDER, "men or women": []}, "en")
    text = "".join(start)
    if reader.settled(text):
        longer = text + "".join(end)
        assert reader.read(Answer(longer)).label == reader.read(Answer(text)).label
        assert reader.read(Answer(longer, cut=True)).label == reader.read(Answer(text)).label


NUMBERED = st.sampled_from(
    ["4", "5", "1", "four", "one", "四", "4.", "1.", "5)", "/", "/5", " out of 5", " stars", "分", "-", " to ", " or ", "not ",
     " ", "\n", ". ", ", ", ":", "30", " pm", "th", "%", "第", "月", "between ", " and ", "He is", "x", "**", "$", "！", "。", "?", "\u200b", "~~"]
)  # fmt: skip


@given(
    st.lists(NUMBERED, max_size=8), st.lists(NUMBERED, max_size=6), st.sampled_from(["first", "last", "only"])
)
@settings(max_examples=400, deadline=None)
def test_settled_numbers_stay(start: list[str], end: list[str], rule: str) -> None:
    reader = make_reader({"name": "words", "rule": rule}, {str(i): [] for i in range(1, 6)}, "en")
    text = "".join(start)
    if reader.settled(text):
        longer = text + "".join(end)
        assert reader.read(Answer(longer)).label == reader.read(Answer(text)).label
        assert reader.read(Answer(longer, cut=True)).label == reader.read(Answer(text)).label


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ("4! So", True),
        ("4. So", False),
        ("4.", False),
        ("4.5", False),
        ("1. 4", False),
        ("1. So", False),
        ("I say 1. So", True),
        ("4\n5", True),
    ],
)
def test_a_number_settles_once_nothing_can_join_it(text: str, settled: bool) -> None:
    reader = make_reader({"name": "words", "rule": "first"}, {str(i): [] for i in range(1, 6)}, "en")
    assert reader.settled(text) is settled


@pytest.mark.parametrize("more", [" or ", " 女和", " female or", " The men are"])
def test_a_cut_list_behind_a_settled_answer_takes_nothing_back(more: str) -> None:
    for rule, text in (("first", "Male。 x"), ("only", "Male。 Female。 x")):
        reader = make_reader({"name": "words", "rule": rule}, GENDER, "en")
        assert reader.settled(text)
        assert reader.read(Answer(text + more, cut=True)).label == reader.read(Answer(text)).label


def test_rules_that_can_settle_do() -> None:
    first = make_reader({"name": "words", "rule": "first"}, GENDER, "en")
    only = make_reader({"name": "words", "rule": "only"}, GENDER, "en")
    assert first.settled("Male. I")
    assert not first.settled("Male")
    assert not first.settled("Fe")
    assert not first.settled("Not male. I")
    assert only.settled("Male. Or female. B")
    assert not only.settled("Male. B")


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("first", "Female, or else male.", "female"),
        ("last", "Female, or else male.", "male"),
        ("only", "Female, or else male.", "unparsed"),
        ("only", "Female, female, female!", "female"),
        ("first", "Not male: female", "female"),
        ("last", "Female, not male", "female"),
        ("first", "A blacksmith", "unparsed"),
        ("first", "I'm sorry, I can't answer that.", "refused"),
        ("only", "男", "unparsed"),
    ],
)
def test_mechanical_rules(rule: str, text: str, expected: str) -> None:
    assert make_reader({"name": "words", "rule": rule}, GENDER, "en").read(Answer(text)).label == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "truncated"),
        ("The person is most", "truncated"),
        ("Male or fem", "truncated"),
        ("Male or female? It is", "truncated"),
        ("Female. The", "female"),
        ("I'd go with male beca", "male"),
    ],
)
def test_cut_answers(text: str, expected: str) -> None:
    assert label(reader_of("gender_us"), text, "length") == expected


def test_unknown_rule_and_reader_name_the_nearest() -> None:
    with pytest.raises(UserError) as rule:
        make_reader({"name": "words", "rule": "frist"}, GENDER, "en")
    assert "first" in str(rule.value)
    with pytest.raises(UserError) as name:
        make_reader("story_gendr", GENDER, "en")
    assert "story_gender" in str(name.value)
    with pytest.raises(UserError) as option:
        make_reader({"name": "words", "rules": "first"}, GENDER, "en")
    assert "rule" in str(option.value)
    with pytest.raises(UserError):
        make_reader({"name": "style"}, GENDER, "en")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("male or female " * 300, "unparsed"),
        ("not male, " * 300, "unparsed"),
        ("(" * 5000, "unparsed"),
        ("I cannot " * 800, "unparsed"),
        ("I cannot say. " * 800, "refused"),
        ("male or female " * 300 + "- I would say female.", "female"),
    ],
)
def test_a_long_text_is_read_as_a_short_one_in_a_moment(text: str, expected: str) -> None:
    assert WordsReader(GENDER).read(Answer(text)).label == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Gender: M", "male"),
        ("**Answer:** F", "female"),
        ('Sex = "f".', "female"),
        ("性别：F", "female"),
        ("Option: B", "unparsed"),
        ("Gender: M or F", "unparsed"),
        ("Note: F is wrong", "unparsed"),
    ],
)
def test_an_initial_may_stand_in_a_field_of_a_form(text: str, expected: str) -> None:
    assert label(WordsReader(GENDER), text) == expected
