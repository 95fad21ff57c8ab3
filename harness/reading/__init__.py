"""Readers: they give the text of a draw a class. Also what is removed from a draw before."""

from harness.reading.base import Answer, Reader, Reading
from harness.reading.draws import DrawReader
from harness.reading.pipeline import make_reader, read_draw, read_draws, settled_draw
from harness.terms import INVALID

__all__ = [
    "INVALID",
    "Answer",
    "DrawReader",
    "Reader",
    "Reading",
    "make_reader",
    "read_draw",
    "read_draws",
    "settled_draw",
]
