"""The Jensen-Shannon divergence, in bits."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import rel_entr

from harness.metrics.base import Cells, Divergence, FloatArray, Words, over_classes


def js(model: FloatArray, target: FloatArray) -> FloatArray:
    """Jensen-Shannon divergence in bits (base 2); 0 to 1, symmetric, finite with zero cells (Lin, 1991).

    The divergence itself, not its square root (the Jensen-Shannon distance of some libraries).
    """
    middle = (model + target) / 2
    nats = over_classes(rel_entr(model, middle) + rel_entr(target, middle)) / 2
    return np.asarray(np.clip(nats / math.log(2), 0.0, 1.0))


def js_truth(q: FloatArray, t: FloatArray) -> FloatArray:
    """The cell's part of the Jensen-Shannon divergence in bits."""
    middle = (q + t) / 2
    return np.asarray((rel_entr(q, middle) + rel_entr(t, middle)) / (2 * math.log(2)))


def js_estimate(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """The plug-in less its second-order bias f''(q) q (1 - q) / 2n."""
    p = x / n
    with np.errstate(invalid="ignore", divide="ignore"):
        bias = np.where(t > 0, t * (1 - p) / (4 * n * math.log(2) * (p + t)), 0.0)
    seen = x / (x + 0.25)
    return np.asarray(js_truth(p, t) - bias * seen)


def js_curvature(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """f''(q) times the variance of a share: twice the second-order bias."""
    p = x / n
    with np.errstate(invalid="ignore", divide="ignore"):
        value = t * (1 - p) / (2 * n * math.log(2) * (p + t))
    return np.asarray(np.where(t > 0, value, 0.0) * x / (x + 0.25))


def slopes(model: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Half the logarithm of each one's share over their middle."""
    with np.errstate(divide="ignore", invalid="ignore"):
        by_model, by_target = (np.log2(2 * a / (model + target)) / 2 for a in (model, target))
    return by_model, by_target


JS = Divergence(
    key="js",
    title=Words("JS", "JS"),
    under=Words("bits", "比特"),
    about=Words(
        "Jensen–Shannon divergence in bits: symmetric, between 0 and 1.",
        "Jensen–Shannon 散度，单位比特：对称，介于 0 和 1。",
    ),
    better="lower",
    formula="Jensen-Shannon divergence, base 2 (not its square root)",
    values="0 to 1",
    value=js,
    invalid="outside",
    bounds="own",
    cells=Cells(
        truth=js_truth,
        estimate=js_estimate,
        curvature=js_curvature,
        slopes=slopes,
        local=1 / (8 * np.log(2)),
        caution=(1.0, 1.05),
        top=1.0,
    ),
)
