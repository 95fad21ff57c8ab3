"""Shares corrected for a reader's mistakes."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import UserError
from harness.scoring.correction import corrected_shares

RATES = np.array([[0.85, 0.05, 0.1], [0.2, 0.75, 0.05]])


def test_two_classes_are_rogan_and_gladen() -> None:
    confusion = np.array([[45, 5], [10, 40]])
    counts = np.array([60, 40])
    found = corrected_shares(counts, confusion)
    assert found.estimate[0] == pytest.approx((0.6 + 0.8 - 1) / (0.9 + 0.8 - 1), abs=1e-4)
    assert found.estimate.sum() == pytest.approx(1)


def test_a_perfect_reader_changes_nothing() -> None:
    found = corrected_shares(np.array([20, 30, 50]), np.diag([500, 500, 500]))
    np.testing.assert_allclose(found.estimate, [0.2, 0.3, 0.5], atol=1e-6)


def test_estimates_stay_shares_where_solving_would_not() -> None:
    found = corrected_shares(np.array([97, 3]), np.array([[45, 5], [5, 45]]))
    assert found.estimate[0] == pytest.approx(1, abs=1e-3)
    assert (found.low >= 0).all()
    assert (found.high <= 1).all()


def test_limits_hold_the_truth_and_know_of_the_few_labelled_texts() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([0.65, 0.35])
    held = 0
    for _ in range(60):
        confusion = np.array([rng.multinomial(30, row) for row in RATES])
        counts = rng.multinomial(400, truth @ RATES)
        found = corrected_shares(counts, confusion)
        held += int(found.low[0] <= truth[0] <= found.high[0])
    assert held / 60 > 0.86
    few = corrected_shares(np.array([200, 150, 50]), (RATES * 20).astype(np.int64))
    many = corrected_shares(np.array([200, 150, 50]), (RATES * 2000).astype(np.int64))
    assert few.high[0] - few.low[0] > 1.5 * (many.high[0] - many.low[0])


def test_classes_that_look_the_same_are_refused() -> None:
    with pytest.raises(UserError, match="tell them apart"):
        corrected_shares(np.array([5, 5]), np.array([[5, 5], [50, 50]]))
    with pytest.raises(UserError, match="no labelled text"):
        corrected_shares(np.array([5, 5]), np.array([[5, 5], [0, 0]]))


def test_nothing_counted_is_nothing_known() -> None:
    assert np.isnan(corrected_shares(np.array([0, 0]), np.array([[5, 1], [1, 5]])).estimate).all()
