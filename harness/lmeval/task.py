"""The Python code of an exported lm-eval task: its documents, and its divergences over all draws of a context.

``distalign export lm-eval`` copies this file beside the task's YAML as ``utils.py``. Where ``lm_eval`` runs,
distalign must be installed: the readers are its own.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from datasets import Dataset

from harness.contract import Contract
from harness.reading import make_reader, read_draws
from harness.scoring.divergence import plugin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.reading import Reader

Item = tuple[str, str, list[int], int, list[float]]
"""Measure, context, counts of the classes, invalid draws, target shares."""
_HERE = Path(__file__).parent
_OVER_ALL = ("tv", "js")
"""Measures that take invalid draws as mass outside the target; the others are of valid draws."""


def dataset(**_: object) -> dict[str, Dataset]:
    """The prompts, one document each."""
    lines = (_HERE / "docs.jsonl").read_text(encoding="utf-8").splitlines()
    return {"test": Dataset.from_list([json.loads(line) for line in lines])}


def process_results(doc: dict[str, str], results: Sequence[Sequence[str]]) -> dict[str, Item]:
    """Read all draws of one prompt; the same counts serve every metric."""
    (draws,) = results
    found: dict[str, Item] = {}
    for attribute, (reader, classes) in _readers().items():
        labels = [r.label for r in read_draws([(text, "stop") for text in draws], reader, Contract())]
        counts = [labels.count(c) for c in classes]
        target = json.loads(doc["targets"])[attribute]
        for metric, measure in _spec()["metrics"][attribute].items():
            found[metric] = (measure, doc["context"], counts, len(labels) - sum(counts), target)
    return found


def mean_over_contexts(items: Sequence[Item]) -> float:
    """One metric: the prompts of a context are pooled, then its divergences are averaged over contexts."""
    pooled: dict[str, tuple[list[int], int, list[float]]] = {}
    for _, context, counts, invalid, target in items:
        before, lost, _ = pooled.get(context, ([0] * len(counts), 0, target))
        pooled[context] = ([a + b for a, b in zip(before, counts, strict=True)], lost + invalid, target)
    measure = items[0][0]
    counts_, targets_ = (np.array([v[i] for v in pooled.values()]) for i in (0, 2))
    if measure in _OVER_ALL:
        lost_ = np.array([[v[1]] for v in pooled.values()])
        counts_ = np.concatenate([counts_, lost_], axis=1)
        targets_ = np.concatenate([targets_, np.zeros_like(lost_)], axis=1)
    values = plugin(measure, counts_, targets_)
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


@lru_cache(1)
def _spec() -> dict[str, dict[str, dict[str, str]]]:
    spec: dict[str, dict[str, dict[str, str]]] = json.loads((_HERE / "spec.json").read_text(encoding="utf-8"))
    return spec


@lru_cache(1)
def _readers() -> dict[str, tuple[Reader, list[str]]]:
    spec = json.loads((_HERE / "spec.json").read_text(encoding="utf-8"))
    return {
        name: (make_reader(a["reader"], a["classes"], spec["language"]), list(a["classes"]))
        for name, a in spec["attributes"].items()
    }
