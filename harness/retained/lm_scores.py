"""Scores of a loaded model on the tasks of lm-evaluation-harness."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.errors import UserError, missing_package, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.sampling.hf.checkpoint import Checkpoint


def lm_eval_scores(
    checkpoint: Checkpoint, tasks: Sequence[str], limit: int | None = None, include: Path | None = None
) -> dict[str, dict[str, float]]:
    """Task -> metric -> value, by lm-evaluation-harness on the loaded model.

    Args:
        checkpoint: a loaded causal model.
        tasks: lm-eval task or group names.
        limit: documents per task; None is all.
        include: a folder with tasks of your own, in lm-eval's YAML.
    """
    try:
        from lm_eval import simple_evaluate
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise missing_package("--lm-eval", error.name or "lm_eval", "lm-eval") from error
    manager = TaskManager(include_path=str(include) if include else None)
    unknown = [t for t in tasks if t not in manager.all_tasks]
    if unknown:
        raise UserError(
            "lm-eval has no such task",
            found=unknown[0],
            expected="a name that 'lm-eval ls tasks' shows",
            nearest=nearest(unknown[0], manager.all_tasks),
        )
    lm = HFLM(pretrained=checkpoint.model, tokenizer=checkpoint.tokenizer, device=str(checkpoint.device))
    found = simple_evaluate(
        model=lm,
        tasks=list(tasks),
        limit=limit,
        task_manager=manager,
        log_samples=False,
        bootstrap_iters=1000,
    )
    return {task: _numbers(metrics) for task, metrics in found["results"].items()}


def _numbers(metrics: Mapping[str, object]) -> dict[str, float]:
    return {
        k: float(v)
        for k, v in metrics.items()
        if isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v)
    }
