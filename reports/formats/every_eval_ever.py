"""Results in the schema of Every Eval Ever, one JSON file a run, in the folders that its data store has."""

from __future__ import annotations

import json
import math
import re
import time
import uuid
from itertools import groupby
from typing import TYPE_CHECKING

from harness import __version__
from harness.files import digest, make_folder, write_atomic
from harness.metrics.base import OfShares
from harness.metrics.catalog import METRICS
from harness.plaintext import show
from harness.runs.folder import folder_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydantic import JsonValue

    from harness.metrics.base import Metric
    from reports.tables import BoardRow

SCHEMA_VERSION = "0.3.0"
BENCHMARK = "distalign"
_BOUNDS = re.compile(r"(-?[\d.]+|-inf) to (-?[\d.]+|inf)")

Json = dict[str, "JsonValue"]


def write(rows: Sequence[BoardRow], out: Path, organization: str, relationship: str) -> list[Path]:
    """Write ``data/distalign/DEVELOPER/MODEL/UUID.json`` under a folder, a file a run.

    Args:
        rows: results of any models.
        out: the folder.
        organization: who made the evaluation.
        relationship: of the organization to the model: first_party, third_party, collaborative or other.
    """
    source: Json = {
        "source_name": "distalign",
        "source_type": "evaluation_run",
        "source_organization_name": organization,
        "evaluator_relationship": relationship,
    }
    made = []
    ordered = sorted(rows, key=lambda row: (row.run, row.n))
    for (run, n), group in groupby(ordered, lambda row: (row.run, row.n)):
        results = list(group)
        developer, model = _names(results[0])
        folder = make_folder(out / "data" / BENCHMARK / folder_name(developer) / folder_name(model))
        path = folder / f"{uuid.UUID(hex=digest([run, n])[:32], version=4)}.json"
        text = json.dumps(_log(results, source), ensure_ascii=False, indent=2, allow_nan=False)
        write_atomic(path, text + "\n")
        made.append(path)
    return made


def _names(row: BoardRow) -> tuple[str, str]:
    """Developer and model: the two parts of a hub id."""
    name = show(row.model).split("; ")[0]
    developer, _, model = name.rpartition("/")
    return developer or "unknown", model


def _log(rows: Sequence[BoardRow], source: Json) -> Json:
    first = rows[0]
    developer, model = _names(first)
    details = {
        "method": show(first.method),
        "revision": show(first.revision),
        "weights_sha256": show(first.weights),
        "asked_with": show(first.model).partition("; ")[2],
        "deployment_type": "unknown" if first.engine == "server" else "self_deployed",
        "model_availability": "unknown",
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{BENCHMARK}/{developer}/{model}/{first.run}-n{first.n}",
        "retrieved_timestamp": str(int(time.time())),
        "source_metadata": source,
        "eval_library": {"name": "distalign", "version": __version__},
        "model_info": {
            "name": show(first.model),
            "id": f"{developer}/{model}",
            "developer": developer,
            "inference_engine": {"name": show(first.engine)},
            "additional_details": {key: value for key, value in details.items() if value},
        },
        "evaluation_results": [
            found for row in rows for metric in METRICS if (found := _result(row, metric)) is not None
        ],
    }


def _result(row: BoardRow, metric: Metric) -> Json | None:
    value = row.number(metric.key)
    if not math.isfinite(value) or metric.better == "neither":
        return None
    about = {
        "target": row.target,
        "contexts": f"{row.contexts} ({row.split})",
        "prompts": row.paraphrases,
        "language": row.language,
    }
    result: Json = {
        "evaluation_result_id": f"{row.run}-n{row.n}/{row.attribute}/{row.target}/{metric.key}",
        "evaluation_name": show(f"{row.task}@{row.task_version}, {row.attribute}, target {row.target}"),
        "source_data": {
            "dataset_name": show(f"{row.task}@{row.task_version}"),
            "source_type": "other",
            "additional_details": {key: show(text) for key, text in about.items()},
        },
        "metric_config": _config(metric),
        "score_details": _score(row, metric, value),
    }
    if row.measure == "draws":
        result["generation_config"] = _generation(row)
    return result


def _config(metric: Metric) -> Json:
    config: Json = {
        "evaluation_description": metric.about.en,
        "metric_id": f"{BENCHMARK}.{metric.key}",
        "metric_name": metric.title.en,
        "metric_kind": metric.key,
        "lower_is_better": metric.better == "lower",
    }
    if bounds := _BOUNDS.fullmatch(metric.values):
        low, high = (
            number if math.isfinite(number := float(text)) else f"{'-' * (number < 0)}Infinity"
            for text in bounds.groups()
        )
        config |= {"score_type": "continuous", "min_score": low, "max_score": high}
    return config


def _score(row: BoardRow, metric: Metric, value: float) -> Json:
    details: Json = {
        "ranked": "yes" if row.ranked else f"no: {show(row.apart)}",
        "ranks_not_ruled_out": f"{row.rank_low} to {row.rank_high}" if row.ranked else "",
        "draws_per_prompt": str(row.n) if row.n else "",
        "measure": row.measure,
        "recomputed_from": row.checked if row.checked != "claimed" else "",
    }
    if isinstance(metric, OfShares):
        for name in ("plugin", "floor", "floor95", "p"):
            number = row.number(f"{metric.key}_{name}")
            details[name] = "" if math.isnan(number) else str(number)
    score: Json = {"score": value, "details": {key: text for key, text in details.items() if text}}
    low, high = row.number(f"{metric.key}_low"), row.number(f"{metric.key}_high")
    if math.isfinite(low) and math.isfinite(high):
        interval: Json = {"lower": low, "upper": high, "confidence_level": 0.95}
        if how := row.text(f"{metric.key}_interval"):
            interval["method"] = how
        score["uncertainty"] = {"confidence_interval": interval, "num_samples": row.draws}
    return score


def _generation(row: BoardRow) -> Json:
    sent = json.loads(row.sampling)
    known: Json = {key: sent[key] for key in ("temperature", "top_p", "top_k", "max_tokens") if key in sent}
    details: Json = {"seed": str(row.seed), "stop": json.dumps(sent.get("stop", []), ensure_ascii=False)}
    return {"generation_args": known, "additional_details": details}
