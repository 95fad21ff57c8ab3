"""The support distance: 0 inside people's band, 1 one spread outside, bounded where people are all alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from baselines.polyalign.support import CAP, Placed, band_of, by_language, distances, outside
from harness.errors import UserError
from harness.natural.features import features
from harness.tasks.people import People
from harness.tasks.target import load_target
from tests.baselines.polyalign_parts import people, replies, said

if TYPE_CHECKING:
    from numpy.typing import NDArray


def three(rows: int = 100) -> NDArray[np.float64]:
    """Columns: 0 to 99, a constant, and one that is 0 but for some outliers."""
    rare = np.where(np.arange(rows) % 25 == 0, 10.0, 0.0)
    return np.stack([np.arange(float(rows)), np.full(rows, 3.0), rare], axis=1)


def alone(vectors: NDArray[np.float64], lengths: tuple[str, ...]) -> People:
    return People(("a", "b", "c"), {"chat": replies(vectors, lengths)}, "train", 0, "", "")


def test_inside_is_0_and_one_spread_above_or_below_is_1() -> None:
    band = band_of(alone(three()[:, :1], ("short",) * 100), "chat", "short")
    low, high, unit = (float(v[0]) for v in band)
    assert (low, high) == pytest.approx((9.9, 89.1))
    assert unit == pytest.approx(high - low)
    asked = np.array([[low], [50], [high], [high + unit], [low - unit], [high + unit / 2]])
    assert outside(asked, band) == pytest.approx([0, 0, 0, 1, 1, 0.5])


def test_no_value_explodes_where_people_are_alike() -> None:
    """A feature that is the same for all is left out; one that hardly varies counts at most the cap."""
    band = band_of(alone(three(), ("short",) * 100), "chat", "short")
    assert np.isnan(band.scale[1])
    assert band.low[2] == band.high[2] == 0
    assert outside(np.array([[50.0, 1e9, 0.0]]), band) == [0]
    assert outside(np.array([[50.0, 3.0, 1e9]]), band) == [CAP / 2]
    assert outside(np.array([[-1e9, 3.0, 1e9]]), band) == [CAP]
    same = alone(np.full((30, 1), 3.0), ("short",) * 30)
    assert outside(np.array([[7.0]]), band_of(same, "chat", "short")) == [0]


def test_people_of_the_same_length_where_there_are_enough() -> None:
    vectors = np.concatenate([three(30), three(30) + 1000, three(19) + 5000])
    found = alone(vectors, ("short",) * 30 + ("long",) * 30 + ("xlong",) * 19)
    assert band_of(found, "chat", "short").high[0] < 100
    assert band_of(found, "chat", "long").low[0] > 1000
    every = band_of(found, "chat", "medium")
    np.testing.assert_equal(band_of(found, "chat", "xlong"), every)
    assert every.low[0] < 100
    assert every.high[0] > 5000
    # within a length the second column is constant, and the spread of all lengths is its unit
    assert band_of(found, "chat", "short").scale[1] > 100


def test_a_batch_is_each_text_alone_and_people_are_nearer_than_noise() -> None:
    beside = {"en": people()}
    texts = [*said(0, 5, 9), "z z z z z!!!! ((((" * 9]
    placed = [Placed(text, "en", context) for context in ("chat", "help", "unheard") for text in texts]
    batch = distances(placed, beside)
    assert batch == pytest.approx([distances([one], beside)[0] for one in placed])
    assert max(batch[:5]) < batch[5] <= CAP
    assert all(np.isfinite(batch))
    long = distances([Placed(texts[0], "en", "chat", "long")], beside)
    values = features(texts[:1], "en")
    assert long == pytest.approx(outside(values, band_of(beside["en"], "chat", "long")))


def test_a_target_without_features_is_refused() -> None:
    with pytest.raises(UserError, match="no features of people"):
        by_language([load_target("human_en")])
