"""Makes shares of published figures: exact decimals; a published zero gets a small share."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DIGITS = Decimal("1e-10")


def fill_zeros(values: Mapping[str, Decimal], step: Decimal, whole: Decimal) -> dict[str, Decimal]:
    """``values`` with no zero left, adding up to ``whole``.

    A figure published as zero at a precision of ``step`` stands for anything in [0, step/2). It becomes the
    middle of that range, and what it takes comes from the other cells in proportion. Figures below zero (a
    residual of rounded figures) are read as zero. Rows without such a cell are returned as they are.
    """
    zeros = [name for name, value in values.items() if value <= 0]
    if not zeros:
        return dict(values)
    middle = step / 4
    rest = sum((v for v in values.values() if v > 0), Decimal(0))
    scale = (whole - middle * len(zeros)) / rest
    return {name: middle if name in zeros else value * scale for name, value in values.items()}


def plain(value: Decimal) -> str:
    """A decimal as the shortest plain text: no exponent, no trailing zeros, at most ten digits after the point."""
    rounded = value if value == value.to_integral_value() else value.quantize(DIGITS)
    text = format(rounded, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
