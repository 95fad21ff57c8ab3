"""Total variation (TV), and the mean absolute error, which is 2 TV / K for K classes."""

from __future__ import annotations

import numpy as np

from harness.metrics.base import Cells, Divergence, FloatArray, Words, over_classes


def tv(model: FloatArray, target: FloatArray) -> FloatArray:
    """Total variation distance, half the sum of absolute differences; 0 to 1, symmetric.

    The largest difference in probability that any set of classes can show. Zero cells need no care.
    """
    return np.asarray(over_classes(np.abs(model - target)) / 2)


def mae(model: FloatArray, target: FloatArray) -> FloatArray:
    """Mean absolute error over the K classes, as in KL+KTO; it is 2/K of the total variation."""
    return np.asarray(np.abs(model - target).mean(axis=-1))


def tv_truth(q: FloatArray, t: FloatArray) -> FloatArray:
    """Half of |q - t|."""
    return np.asarray(np.abs(q - t) / 2)


def tv_estimate(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """The plug-in, which overstates."""
    return tv_truth(x / n, t)


def no_curvature(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """TV is piecewise straight."""
    return np.zeros(np.broadcast_shapes(x.shape, n.shape, t.shape))


def slopes(model: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Half the side of the target that the model is on, and its opposite."""
    side = np.sign(model - target) / 2
    return side, -side


def two_over(classes: int) -> float:
    """MAE over TV."""
    return 2 / classes


TV = Divergence(
    key="tv",
    title=Words("TV", "TV"),
    under=Words("bias-corrected; lower is better", "已校正偏差；越低越好"),
    about=Words(
        "Total variation: half the sum, over classes, of the differences between the model’s share and the "
        "target’s, averaged over contexts. 0 is on target. Draws that name no class count as mass outside "
        "the target. The value is corrected for the bias that a finite number of draws brings; the range "
        "beside it holds the truth in 95 of 100 measurements.",
        "总变差：各类别中模型比例与目标比例之差的绝对值之和的一半，再对语境取平均。0 为正好。没有归入任何类别的抽样算作目标之外的质量。数值已校正有限抽样带来的偏差；旁边的范围在 100 次测量中有 95 次包含真值。",
    ),
    better="lower",
    formula="half the sum of abs(q - t)",
    values="0 to 1",
    value=tv,
    invalid="outside",
    bounds="own",
    cells=Cells(
        truth=tv_truth,
        estimate=tv_estimate,
        curvature=no_curvature,
        slopes=slopes,
        local=0.0,
        caution=(1.1, 1.1),
        top=1.0,
        above_outside=True,
    ),
)
MAE = Divergence(
    key="mae",
    title=Words("MAE", "MAE"),
    under=Words("per class, as drawn", "每类平均，未校正"),
    about=Words(
        "Mean over classes of the absolute difference, as drawn: the KL+KTO paper’s metric.",
        "各类绝对差的平均，未校正：KL+KTO 论文的指标。",
    ),
    better="lower",
    formula="mean of abs(q - t) over the K classes = 2 TV / K",
    values="0 to 1",
    place="offered",
    value=mae,
    varies="tv",
    scale=two_over,
    bounds="own",
    as_drawn=True,
)
