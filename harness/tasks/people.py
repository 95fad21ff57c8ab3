"""Feature vectors of people's replies that stand beside a target: what a model's replies are compared with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.files import read_csv
from harness.raw import read_parquet
from harness.tasks.catalog import beside
from harness.tasks.figures import number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.files import Document
    from harness.tasks.target_file import PeopleSpec

QUANTILES = tuple(i / 20 for i in range(21))
KEYS = {"context": "a text", "length": "a text", "conversation": "a whole number"}
"""Columns beside those of the features, and what they hold."""


@dataclass(frozen=True, slots=True)
class ContextReplies:
    """Feature vectors of one context."""

    vectors: NDArray[np.float64]
    """Replies x features."""
    conversations: NDArray[np.int64]
    """Replies of one conversation share a number."""
    lengths: tuple[str, ...]
    scale: NDArray[np.float64]
    """Of each feature; nan where it does not vary."""


@dataclass(frozen=True, slots=True)
class People:
    """A sample of people's replies, as features."""

    features: tuple[str, ...]
    contexts: Mapping[str, ContextReplies]
    split: str
    """Which split of the corpus it is of."""
    seed: int
    corpus: str
    """sha256 of the records."""
    digest: str
    """sha256 of the figures."""
    shares: tuple[float, float] = (0.7, 0.1)
    """Of the conversations in train and validation, where records name no split."""
    told: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """Context -> replies, those that stand in their prompt, and those whose length it names."""


def load(spec: PeopleSpec, doc: Document) -> People:
    """Read the files that a target names."""
    import numpy as np

    quantiles, vectors = beside(doc, spec.quantiles), beside(doc, spec.vectors)
    head, found = read_csv(quantiles, required=["context", "length", "feature", "scale"])
    scales = {
        (r.cells["context"], r.cells["feature"]): number(r.cells["scale"], f"{quantiles}:{r.line}:scale")
        for r in found
        if not r.cells["length"]
    }
    table = _vectors(vectors)
    names = tuple(c for c in table.column_names if c not in KEYS)
    rows = np.array([table[name].to_numpy() for name in names], dtype=np.float64).T
    of = np.array(table["context"].to_pylist(), dtype=object)
    talks = table["conversation"].to_numpy().astype(np.int64)
    lengths = np.array(table["length"].to_pylist(), dtype=object)
    contexts = {
        str(name): ContextReplies(
            rows[of == name],
            talks[of == name],
            tuple(lengths[of == name]),
            np.array([scales.get((str(name), feature), np.nan) for feature in names]),
        )
        for name in dict.fromkeys(of)
    }
    figures = hashlib.sha256(rows.tobytes())
    figures.update(repr([head, sorted(scales.items()), list(of), list(talks), list(lengths)]).encode())
    if spec.told:
        figures.update(repr(sorted(spec.told.items())).encode())
    digest = figures.hexdigest()
    return People(names, contexts, spec.split, spec.seed, spec.corpus, digest, spec.shares, spec.told)


def _vectors(path: Path) -> pa.Table:
    """The feature vectors, if each column holds what it should."""
    from pyarrow import types

    table = read_parquet(path)
    fits = {"a text": types.is_string, "a whole number": types.is_integer, "a number": types.is_floating}
    columns = {**KEYS, **{name: "a number" for name in table.column_names if name not in KEYS}}
    for name, what in columns.items():
        once = table.column_names.count(name) == 1
        if not once or not fits[what](table.schema.field(name).type) or table[name].null_count:
            found = str(table.schema.field(name).type) if once else ", ".join(table.column_names)
            expected = f"{name}: {what}"
            raise UserError(
                "not the feature vectors of people", where=str(path), found=found, expected=expected
            )
    if len(columns) == len(KEYS):
        raise UserError("no columns of people", where=str(path), expected="features, a column each")
    return table
