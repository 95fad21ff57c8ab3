"""Replies against what people said to the same prompts."""

from __future__ import annotations

import pytest

from harness.metrics.base import Said, Texts
from harness.metrics.likeness import EXACT, F1, ROUGE_L, SELF_BLEU, rouge_l, units


def texts(language: str, said: dict[str, str], references: dict[str, str]) -> Texts:
    return Texts(
        language,
        ("a",),
        {("c", p): [Said(t, "a", 2)] for p, t in said.items()},
        (),
        {("c", p): (t,) for p, t in references.items()},
    )


def test_words_in_english_characters_in_chinese() -> None:
    assert units("The cat's, a mat.", "en") == ["cat's", "mat"]
    assert units("我喜欢iPhone 15。", "zh") == ["我", "喜", "欢", "iphone", "15"]


def test_values_by_hand() -> None:
    given = texts("en", {"1": "A cat sat here.", "2": "no"}, {"1": "cat sat there", "2": "yes"})
    assert list(F1.compute(given).value) == pytest.approx([2 / 3, 0])
    assert list(ROUGE_L.compute(given).value) == pytest.approx([2 / 3, 0])
    assert list(EXACT.compute(texts("en", {"1": "The Cat!"}, {"1": "a cat"})).value) == [1]
    assert rouge_l("abcd", "acbd") == pytest.approx(3 / 4)
    chinese = texts("zh", {"1": "我们去北京"}, {"1": "我去北京"})
    assert list(F1.compute(chinese).value) == pytest.approx([8 / 9])


def test_a_prompt_without_a_person_has_no_weight() -> None:
    given = texts("en", {"1": "x", "2": "x"}, {"1": "x"})
    assert list(F1.compute(given).weight) == [1, 0]


def test_self_bleu_is_1_for_one_reply_repeated_and_0_for_replies_that_share_no_word() -> None:
    same = texts("en", {str(i): "we are open from nine to five" for i in range(5)}, {})
    assert SELF_BLEU.compute(same).value == pytest.approx([1] * 5)
    apart = texts("en", {"1": "red green blue pink", "2": "one two three four"}, {})
    assert list(SELF_BLEU.compute(apart).value) == [0, 0]
