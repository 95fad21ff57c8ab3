"""A context-free grammar in YAML, and texts drawn from it with stated shares."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

T = TypeVar("T")
Rules = dict[str, list[str]]
_SYMBOL = re.compile(r"\{([aA] )?(\w+)\}")
HERE = Path(__file__).parent


@cache
def lexicon(name: str) -> dict[str, object]:
    """``lexicon/NAME.yaml``."""
    found: dict[str, object] = yaml.safe_load((HERE / "lexicon" / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def rules(name: str, *sections: str) -> Rules:
    """The symbols of a lexicon: its lists, and those of the sections named."""
    whole = lexicon(name)
    found: Rules = {k: v for k, v in whole.items() if isinstance(v, list)}
    for section in sections:
        inner = whole[section]
        assert isinstance(inner, dict)  # noqa: S101  # our own file
        found.update(inner)
    return found


def expand(text: str, known: Rules, rng: np.random.Generator, given: Mapping[str, str] | None = None) -> str:
    """Replace every ``{symbol}`` by one of its alternatives, each equally likely.

    ``{Symbol}`` begins with a capital; ``{a symbol}`` and ``{A symbol}`` get the article that fits. ``given``
    fixes the text of symbols.
    """

    def fill(match: re.Match[str]) -> str:
        article, symbol = match.group(1), match.group(2)
        key = symbol if symbol in known or symbol in (given or {}) else symbol[:1].lower() + symbol[1:]
        fixed = (given or {}).get(key)
        text = expand(pick(known[key], rng), known, rng, given) if fixed is None else fixed
        if article:
            text = f"{article[0]}{'n' if text[:1].lower() in 'aeiou' else ''} {text}"
        return text if key == symbol else text[:1].upper() + text[1:]

    return _SYMBOL.sub(fill, text)


def pick(options: Sequence[T], rng: np.random.Generator) -> T:
    """One of the options, each equally likely."""
    return options[int(rng.integers(len(options)))]


def spread(shares: Mapping[str, float], n: int, rng: np.random.Generator) -> list[str]:
    """``n`` labels in the shares given: each label's number is its quota rounded up or down.

    Systematic sampling: unbiased, with far less noise than independent draws, so that a model can learn shares
    from few examples. The order is random.
    """
    points = (rng.random() + rng.permutation(n)) / n
    labels, edges, total = list(shares), [], 0.0
    for label in labels:
        total += shares[label]
        edges.append(total)
    return [
        next((k for k, e in zip(labels, edges, strict=True) if p * total < e), labels[-1]) for p in points
    ]
