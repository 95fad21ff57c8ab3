"""The list of all metrics. To add one, write a module in this folder and enter it here."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from harness.errors import UserError, nearest
from harness.metrics.base import Divergence
from harness.metrics.frontier import FRONTIER
from harness.metrics.js import JS
from harness.metrics.kl import KL_EPS, KL_HALF, KL_MODEL_TARGET, KL_TARGET_MODEL
from harness.metrics.likeness import EXACT, F1, ROUGE_L, SELF_BLEU
from harness.metrics.natural import BNG, COVERAGE, DENSITY, HCR, INSIDE, SUPPORT, W1, W1_LENGTH
from harness.metrics.retained import BITS_PER_BYTE, PERPLEXITY, REPLY_BITS
from harness.metrics.skill import SKILL
from harness.metrics.tv import MAE, TV
from harness.metrics.valid import VALID
from harness.metrics.w1 import BETWEEN_CLASSES
from harness.metrics.writing import CONSISTENT, DISTINCT_1, DISTINCT_2, STEERED

if TYPE_CHECKING:
    from harness.metrics.base import Metric

    M = TypeVar("M", bound=Metric)

METRICS: tuple[Metric, ...] = (
    *(TV, JS, KL_TARGET_MODEL, KL_MODEL_TARGET, MAE, KL_EPS, KL_HALF),
    *(BETWEEN_CLASSES, SKILL),
    *(VALID, DISTINCT_1, DISTINCT_2, STEERED, CONSISTENT),
    *(W1, W1_LENGTH, SUPPORT, INSIDE, DENSITY, COVERAGE, BNG, HCR),
    *(REPLY_BITS, FRONTIER),
    *(EXACT, F1, ROUGE_L, SELF_BLEU),
    *(PERPLEXITY, BITS_PER_BYTE),
)


def of(kind: type[M]) -> dict[str, M]:
    """The metrics of one kind, by key, in the list's order."""
    return {metric.key: metric for metric in METRICS if isinstance(metric, kind)}


def divergence(key: str) -> Divergence:
    """A divergence by its key."""
    known = of(Divergence)
    if key not in known:
        raise UserError(
            "no such divergence", found=key, expected=", ".join(known), nearest=nearest(key, known)
        )
    return known[key]
