"""Lists of words and patterns: each group does what its example says, and shortcuts miss nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import harness.reading
from harness.reading import lists, refusal
from harness.reading.text import LETTER, clean

DATA = Path(harness.reading.__file__).parent / "data"
FILES = sorted(str(p.relative_to(DATA).with_suffix("")) for p in DATA.rglob("*.yaml"))


@pytest.mark.parametrize("name", FILES)
def test_each_group_holds_its_example(name: str) -> None:
    for group, found in lists.load(name).groups.items():
        assert found.says.endswith("."), group
        assert bool(found.words) != bool(found.any), group
        if found.words:
            words = lists.load(name).wordings(group) | lists.load(name).words(group)
            assert set(found.example.split(", ")) <= words, group
        else:
            pattern = lists.load(name).pattern(group, flags=re.I | re.M, letter=LETTER)
            assert pattern.search(found.example), group


def test_no_word_stands_twice_in_a_group() -> None:
    for name in FILES:
        for group, found in lists.load(name).groups.items():
            assert len(found.words.split()) == len(lists.load(name).words(group)), (name, group)


def test_an_indented_line_goes_on_with_the_one_before() -> None:
    group = lists.WordGroup(says="Pets.", example="cat", any="ca(?:t\n  |ts)\ndog", frame="^{any}$")
    found = lists.Lists(
        {"pets": group, "two": lists.WordGroup(says="Two.", example="cat", any="{pets} {pets}")}
    )
    assert found.source("pets") == "^ca(?:t|ts)|dog$"
    assert found.source("two").count("dog") == 2


@given(st.from_regex(refusal._ENGLISH))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_quick_look_for_a_refusal_misses_none(text: str) -> None:
    assert refusal.spans(text) == [
        m.span() for p in (refusal._ENGLISH, refusal._CHINESE) for m in p.finditer(text)
    ]
    assert any(hint in text.lower() for hint in refusal._HINTS)


NEEDY = [(name, group) for name in FILES for group, found in lists.load(name).groups.items() if found.needs]


@pytest.mark.parametrize(("name", "group"), NEEDY)
@given(data=st.data())
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_a_pattern_finds_holds_what_it_needs(name: str, group: str, data: st.DataObject) -> None:
    pattern = lists.load(name).pattern(group, flags=re.I, letter=LETTER)
    text = clean(data.draw(st.from_regex(pattern)))
    if found := pattern.search(text):
        assert any(word in found.group().lower() for word in lists.load(name).needs(group))
