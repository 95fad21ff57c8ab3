"""Shares corrected for a reader's mistakes."""

from __future__ import annotations

import numpy as np
import pytest

from harness.scoring.correction import corrected_shares

RATES = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.0, 0.2, 0.8]])


def test_two_classes_are_rogan_and_gladen() -> None:
    found = corrected_shares(np.array([[60, 40], [0, 0]]), np.array([[45, 5], [10, 40]]))
    assert found is not None
    assert found.estimate[0, 0] == pytest.approx((0.6 + 0.8 - 1) / (0.9 + 0.8 - 1))
    assert found.estimate[0].sum() == pytest.approx(1)
    assert np.isnan(np.stack(found)[:, 1]).all()


def test_a_confusion_that_is_known_is_undone() -> None:
    truth = np.array([0.7, 0.2, 0.1])
    found = corrected_shares((truth @ RATES * 1e6).astype(np.int64)[None], (RATES * 1e6).astype(np.int64))
    assert found is not None
    assert np.stack(found)[:, 0] == pytest.approx(np.tile(truth, (3, 1)), abs=3e-3)


def test_a_perfect_reader_changes_nothing() -> None:
    found = corrected_shares(np.array([[20, 30, 50]]), np.diag([500, 500, 500]))
    assert found is not None
    assert found.estimate[0] == pytest.approx([0.2, 0.3, 0.5])


def test_estimates_and_limits_stay_shares_where_solving_would_not() -> None:
    found = corrected_shares(np.array([[97, 3]]), np.array([[45, 5], [5, 45]]))
    assert found is not None
    assert found.estimate[0] == pytest.approx([1, 0])
    assert (found.low >= 0).all()
    assert (found.high <= 1).all()
    assert found.low[0, 0] < 0.99


def test_limits_hold_the_truth_19_times_in_20() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([[1, 1, 1], [0.9, 0.05, 0.05], [0.3, 0.7, 0.0]]) / [[3], [1], [1]]
    held = np.zeros(3)
    for _ in range(60):
        confusion = np.array([rng.multinomial(30, row) for row in RATES])
        found = corrected_shares(rng.multinomial(400, truth @ RATES), confusion)
        assert found is not None
        held += ((found.low <= truth) & (truth <= found.high)).mean(axis=1)
    assert (held / 60 > 0.9).all()


def test_few_labelled_texts_make_wide_limits() -> None:
    counts = np.array([[200, 150, 50]])
    few, many = (corrected_shares(counts, (RATES * k).astype(np.int64)) for k in (20, 2000))
    assert few is not None
    assert many is not None
    assert few.high[0, 0] - few.low[0, 0] > 1.5 * (many.high[0, 0] - many.low[0, 0])


def test_classes_that_look_the_same_or_have_no_text_are_not_corrected() -> None:
    counts = np.array([[5, 5]])
    assert corrected_shares(counts, np.array([[5, 5], [50, 50]])) is None
    assert corrected_shares(counts, np.array([[5, 5], [0, 0]])) is None
