"""Texts that were written before the reader had been tried on anything like them.

Each set was read once before any reader was changed for it; what it showed was then mended in general, never for one
text. So the floors are what the readers hold now; texts as new as these were fare a few points worse.
"""

from __future__ import annotations

import pytest

from harness.reading.words import WordsReader
from tests.reading.cases import cases, label, reader_of
from tests.reading.test_numbers import CLASSES

FLOORS = {
    "gender_us": 0.98,
    "gender_zh": 0.98,
    "race_us": 0.98,
    "sentiment_us": 0.98,
    "story_gender_us": 0.93,
    "story_race_us": 0.97,
    "story_sentiment_us": 0.78,
    "reply_shape_en.sentiment": 0.97,
    "reply_shape_zh.sentiment": 0.95,
    "reply_shape_en.act": 0.99,
    "reply_shape_zh.act": 0.99,
    "reply_shape_en.list": 0.99,
    "reply_shape_zh.list": 0.99,
}
MOST_WRONG = 0.05
"""Share of texts that may get a wrong class, rather than none."""


@pytest.mark.parametrize("name", FLOORS)
def test_texts_written_blind(name: str) -> None:
    task, _, attribute = name.partition(".")
    reader = reader_of(task, attribute)
    found = cases(f"blind/{name}")
    read = [(c, label(reader, c.text, "length" if c.cut else "stop")) for c in found]
    wrong = [(c.label, got, c.text) for c, got in read if got != c.label]
    assert len(found) >= 40
    assert 1 - len(wrong) / len(found) >= FLOORS[name], wrong
    outcomes = {"unparsed", "refused", "truncated"}
    misclassed = [w for w in wrong if w[1] not in outcomes]
    assert len(misclassed) / len(found) <= MOST_WRONG, misclassed


FROM_MODELS = {
    "rating": 0.87,
    "rating_zh": 0.9,
    "die": 0.9,
    "hand_en": 0.95,
    "hand_zh": 0.95,
    "gender_us": 0.95,
    "gender_zh": 0.9,
}


@pytest.mark.parametrize("name", FROM_MODELS)
def test_outputs_of_small_models(name: str) -> None:
    """Drawn from SmolLM2-135M-Instruct and Gemma 3 270M, labelled by eye before the reader was tried on them.

    The reader of version 2 misread 49 of the 358; that of version 3, before it was mended on them, 32; after that, 19.
    So they are blind no longer; and of the outputs on gender 64 had been seen before version 3 was written.
    """
    known = CLASSES | {"rating_zh": CLASSES["rating"]}
    reader = WordsReader(known[name]) if name in known else reader_of(name)
    found = cases(f"models/{name}")
    wrong = [
        (c.label, got, c.text)
        for c in found
        if (got := label(reader, c.text, "length" if c.cut else "stop")) != c.label
    ]
    assert 1 - len(wrong) / len(found) >= FROM_MODELS[name], wrong
