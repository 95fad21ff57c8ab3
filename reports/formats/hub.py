"""Results of one model for the Hugging Face Hub: ``model-index`` of a model card, and ``.eval_results/*.yaml``."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import yaml

from harness.errors import UserError
from harness.metrics.catalog import METRICS
from harness.plaintext import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

    from harness.metrics.base import Metric
    from reports.tables import BoardRow

_DATASET = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)


def model_card(rows: Sequence[BoardRow]) -> str:
    """Metadata for a model card: every metric that has a number, with its interval."""
    name = _one_model(rows)
    results: list[JsonValue] = []
    for row in rows:
        metrics = [found for metric in METRICS if metric.place != "files" and (found := _metric(row, metric))]
        about = f"{row.task}@{row.task_version}, {row.attribute}, target {row.target}"
        data: dict[str, JsonValue] = {
            "type": "distalign",
            "name": show(about if row.ranked else f"{about} (not ranked: {row.apart})"),
            "config": row.task,
            "split": row.split,
            "args": {"n": row.n, "measure": row.measure, "ranked": row.ranked},
        }
        results.append({"task": {"type": "text-generation"}, "dataset": data, "metrics": [*metrics]})
    return f"---\n{_yaml({'model-index': [{'name': name, 'results': results}]})}---\n"


def _metric(row: BoardRow, metric: Metric) -> dict[str, JsonValue] | None:
    value = row.number(metric.key)
    if not math.isfinite(value):
        return None
    limits = {side: row.number(f"{metric.key}_{side}") for side in ("low", "high", "floor")}
    told: dict[str, JsonValue] = {side: limit for side, limit in limits.items() if math.isfinite(limit)}
    return {
        "type": metric.key,
        "name": metric.title.en,
        "value": value,
        "args": told | {"better": metric.better},
    }


def eval_results(rows: Sequence[BoardRow], dataset: str) -> str:
    """Entries of ``.eval_results/*.yaml``: the corrected TV of each task, attribute and target.

    Args:
        rows: results of one model.
        dataset: the data set on the Hub whose benchmark they are of.
    """
    _one_model(rows)
    if not _DATASET.fullmatch(dataset):
        raise UserError("not a data set on the Hub", where="--dataset", found=dataset, expected="OWNER/NAME")
    found: list[JsonValue] = []
    for row in rows:
        notes = (
            f"Total variation from the target, bias-corrected; lower is better. 95% interval "
            f"{row.number('tv_low'):.4f} to {row.number('tv_high'):.4f}. "
            f"{f'n = {row.n} draws per prompt' if row.n else row.measure}; {100 * row.number('valid'):.1f}% of draws name a class."
        )
        if not row.ranked:
            notes += f" Not ranked: {show(row.apart)}."
        task = row.task if row.attribute == row.task else f"{row.task}_{row.attribute}"
        found.append(
            {
                "dataset": {"id": dataset, "task_id": f"{task}_{row.target}"},
                "value": row.number("tv"),
                "notes": notes,
            }
        )
    return _yaml(found)


def _one_model(rows: Sequence[BoardRow]) -> str:
    models = sorted({row.model for row in rows})
    if len(models) > 1:
        raise UserError(
            "these are results of one model", found=", ".join(models[:5]), expected="the runs of one model"
        )
    return show(models[0])


def _yaml(data: JsonValue) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
