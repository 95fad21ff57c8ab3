"""Features of replies."""

from __future__ import annotations

import random

import numpy as np
import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from harness.errors import UserError
from harness.natural.features import controlled, features, names
from harness.natural.vader import Vader


def of(text: str, language: str) -> dict[str, float]:
    return dict(zip(names(language), features([text], language)[0].tolist(), strict=True))


def test_english_by_hand() -> None:
    found = of("I can't go. Why?\n- one\n- two!", "en")
    assert found["sentence_count"] == 4
    assert found["word_token_count"] == 6
    assert found["bullet_line_count"] == 2
    assert found["contraction_count"] == 1
    assert found["question_sentence_ratio"] == 0.25
    assert found["exclam_sentence_ratio"] == 0.25
    assert found["avg_word_length"] == pytest.approx((1 + 5 + 2 + 3 + 3 + 3) / 6)
    assert found["wh_word_count"] == 1


def test_readability_is_the_published_formula() -> None:
    found = of("The cat sat on the mat.", "en")
    assert found["flesch_reading_ease"] == pytest.approx(206.835 - 1.015 * 6 - 84.6)
    assert found["automated_readability_index"] == pytest.approx(4.71 * 17 / 6 + 0.5 * 6 - 21.43)
    assert of("!", "en")["flesch_reading_ease"] == 0


def test_chinese_by_character_without_english_features() -> None:
    found = of("我不喜欢，你呢？他去了北京。", "zh")
    assert found["han_char_count"] == 11
    assert found["sentence_count"] == 2
    assert found["question_sentence_ratio"] == 0.5
    assert found["negation_count"] == 1
    assert found["clause_count"] == 3
    assert not {"vader_compound", "flesch_reading_ease"} & set(names("zh"))


@pytest.mark.parametrize(("language", "text"), [("en", "We like it, and you? "), ("zh", "我们喜欢，你呢？")])
def test_features_that_do_not_measure_length_stay_when_a_text_is_said_twice(language: str, text: str) -> None:
    once, twice = features([text, text * 2], language)
    known = controlled(language)
    same = np.isclose(once, twice, atol=0.12, rtol=0.12)
    # VADER and SMOG grow with the number of words by their formulas
    grows = [n for n, ok, is_known in zip(names(language), same, known, strict=True) if is_known and not ok]
    assert set(grows) <= {"vader_compound", "smog_index"}
    assert not same[names(language).index("token_count")]


def test_every_feature_is_finite_for_any_text() -> None:
    for language in ("en", "zh"):
        assert np.isfinite(features(["", "…", "\n\n", "a", "我", "```x```"], language)).all()


def test_a_language_without_features() -> None:
    with pytest.raises(UserError, match="no features of this language"):
        features(["Hallo."], "de")


def test_vader_s_scores_are_the_package_s() -> None:
    """Over random texts of its words, of what turns them, of emphasis and of pictures."""
    package, ours, rng = SentimentIntensityAnalyzer(), Vader(), random.Random(0)
    turns = (
        "but kind of not never so this without doubt no or nor least at very the shit bomb yeah right isn't"
    )
    words = [*rng.sample(list(package.lexicon), 300), *turns.split() * 15]
    for _ in range(1500):
        said = [rng.choice(words) for _ in range(rng.randint(0, 20))]
        text = " ".join(w.upper() if rng.random() < 0.1 else w for w in said)
        text += rng.choice(["", "!", "?!!", "??", " \U0001f600", " caf\u00e9"])
        assert ours.scores(text) == package.polarity_scores(text)
