"""Three tiny models, to try all of distalign on any machine. They are no evidence about real models."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def causal_path() -> Path:
    """Folder of the tiny chat model."""
    return _HERE / "causal"


def masked_path() -> Path:
    """Folder of the tiny masked language model."""
    return _HERE / "masked"


def text_path() -> Path:
    """Folder of the tiny model of plain text."""
    return _HERE / "text"


def held_out_path(language: str = "en") -> Path:
    """Plain text that no model was trained on, one paragraph a line."""
    return _HERE / ("heldout.txt" if language == "en" else f"heldout_{language}.txt")
