"""Zeros that stay possible, and decimals as text."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.importers.shares import fill_zeros, plain

tenths = st.integers(0, 1000).map(lambda n: Decimal(n) / 10)


@given(st.lists(tenths, min_size=2, max_size=5).filter(any))
def test_filled_rows_add_up_and_keep_their_ratios(figures: list[Decimal]) -> None:
    values = {str(n): value for n, value in enumerate(figures)}
    whole = sum(figures, Decimal(0))
    filled = fill_zeros(values, Decimal("0.01"), whole)
    assert sum(filled.values()) == pytest.approx(whole)
    assert all(v > 0 for v in filled.values())
    seen = [k for k, v in values.items() if v > 0]
    for key in seen:
        assert filled[key] / filled[seen[0]] == pytest.approx(values[key] / values[seen[0]])
    if all(figures):
        assert filled == values


def test_a_residual_below_zero_is_read_as_zero() -> None:
    filled = fill_zeros({"a": Decimal("100.1"), "b": Decimal("-0.1")}, Decimal("0.1"), Decimal(100))
    assert filled == {"a": Decimal("99.975"), "b": Decimal("0.025")}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.471", "0.471"),
        ("0.4710", "0.471"),
        ("6277", "6277"),
        ("1E+3", "1000"),
        ("0.1234567890123", "0.123456789"),
    ],
)
def test_plain(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text
