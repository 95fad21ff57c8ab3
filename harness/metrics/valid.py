"""The valid share: the share of draws that have a class."""

from __future__ import annotations

import numpy as np

from harness.metrics.base import Counted, FloatArray, OfCounts, Words

LEAST_VALID = 0.5
"""A run of which fewer draws than this name a class is shown and not ranked: its TV says how often it answers."""


def valid(table: Counted) -> FloatArray:
    """Draws with a class over all draws; 0 to 1, nan where nothing was drawn."""
    inside = table.counts.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(inside / (inside + table.invalid), dtype=np.float64)


VALID = OfCounts(
    key="valid",
    title=Words("Valid", "有效"),
    under=Words("share with a class", "归入某类的比例"),
    about=Words(
        "Share of draws that name a class; the rest are unparsed, refused, truncated or failed.",
        "归入某类的抽样比例；其余是无法解析、拒答、被截断或失败。",
    ),
    better="higher",
    formula="draws with a class over all draws",
    values="0 to 1",
    percent=True,
    compute=valid,
    in_table=True,
)
