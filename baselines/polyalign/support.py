"""How far a reply lies outside what people do: PolyAlign's support distance D, from the features beside a target.

D of a text is the mean over features of its distance from the middle four fifths of people who replied in the same
kind of exchange and at the same length, in units of their spread. It is a function of the text alone: no feature
is of the prompt, of a model, or the same for all people. A distance counts at most ``CAP``, so that no single
feature decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, get_args

import numpy as np

from harness.errors import UserError
from harness.natural.features import Language, features, names, token_count
from harness.natural.scaled import Floats, scale
from harness.progress import Progress
from harness.reading.style import length_bin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.tasks.people import People
    from harness.tasks.target import Target

CAP = 5.0
"""In spreads."""
LEAST = 20
"""Fewer people of a length are no band: then people of all lengths in the context are."""
_BAND = (0.1, 0.9)
_CHUNK = 200


class Placed(NamedTuple):
    """A text, and the people that it is compared with."""

    text: str
    language: str
    context: str
    length: str = ""
    """The length of those people's replies; '' is the text's own."""


class Band(NamedTuple):
    """Where people's features lie; a value per feature."""

    low: Floats
    high: Floats
    scale: Floats
    """The unit of distances; nan for a feature that is the same for all people of the context, which is left out."""


def by_language(targets: Sequence[Target]) -> dict[str, People]:
    """The people beside each target, by the language whose features they have."""
    found: dict[str, People] = {}
    for target in targets:
        if target.people is None:
            raise UserError(
                f"target {target.name!r} has no features of people",
                where=target.source,
                expected="people: beside its tables",
                hint="distalign target import reference, which computes them",
            )
        known = [k for k in get_args(Language) if names(k) == target.people.features]
        if not known or known[0] in found:
            raise UserError(
                f"the features of target {target.name!r} are of no language"
                if not known
                else f"two targets of one language: {known[0]}",
                where=target.source,
                expected="one target of each language, with the features of this version",
                hint="distalign target import reference, which computes them",
            )
        found[known[0]] = target.people
    return found


def band_of(people: People, context: str, length: str) -> Band:
    """What people do in a context at a length; all people where the target has none of that context."""
    if context in people.contexts:
        beside = people.contexts[context]
        rows, unit = beside.vectors, beside.scale
        of_length = rows[np.array(beside.lengths) == length]
        rows = of_length if len(of_length) >= LEAST else rows
    else:
        rows = np.concatenate([beside.vectors for beside in people.contexts.values()])
        unit = scale(rows)
    low, high = np.quantile(rows, _BAND, axis=0)
    spread = scale(rows)
    # a feature that only people of this length have in common is measured by the context's spread
    return Band(low, high, np.where(np.isfinite(spread), np.fmax(high - low, spread), unit))


def outside(values: Floats, band: Band) -> Floats:
    """D of each row of features; 0 to ``CAP``."""
    known = np.isfinite(band.scale)
    if not known.any():
        return np.zeros(len(values))
    inside = values[:, known]
    away = np.maximum(band.low[known] - inside, 0) + np.maximum(inside - band.high[known], 0)
    return np.asarray(np.minimum(away / band.scale[known], CAP).mean(axis=1))


def distances(texts: Sequence[Placed], people: Mapping[str, People]) -> Floats:
    """D of each text.

    Args:
        texts: what was said, and where.
        people: by language.
    """
    found = np.zeros(len(texts))
    progress = Progress("support distances", len(texts), "texts")
    for language in dict.fromkeys(t.language for t in texts):
        rows = [i for i, t in enumerate(texts) if t.language == language]
        parts = []
        for begin in range(0, len(rows), _CHUNK):
            chunk = rows[begin : begin + _CHUNK]
            parts.append(features([texts[i].text for i in chunk], language))
            progress.advance(len(chunk))
        values = np.concatenate(parts)
        places: dict[tuple[str, str], list[int]] = {}
        for at, i in enumerate(rows):
            length = texts[i].length or length_bin(token_count(texts[i].text))
            places.setdefault((texts[i].context, length), []).append(at)
        for (context, length), ats in places.items():
            band = band_of(people[language], context, length)
            found[[rows[at] for at in ats]] = outside(values[ats], band)
    progress.close()
    return found
