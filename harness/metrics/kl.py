"""The Kullback-Leibler divergence in both directions, and the variants that two papers reported."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import digamma, rel_entr, xlogy

from harness.metrics.base import Cells, Divergence, FloatArray, Words, over_classes

LEAST_SHARE = 1 / 4
"""KL(target || model) is unbounded when the model's share of a class goes to 0 unseen; limits hold for models
that give each class at least this fraction of its target share."""


def kl_target_model(model: FloatArray, target: FloatArray) -> FloatArray:
    """KL(target || model) in nats: sum of target ln(target / model). 0 to inf.

    Infinite where the model never gives a class that the target has.
    """
    return np.asarray(over_classes(rel_entr(target, model)))


def kl_model_target(model: FloatArray, target: FloatArray) -> FloatArray:
    """KL(model || target) in nats: sum of model ln(model / target). 0 to inf.

    Infinite where the model gives a class that the target rules out.
    """
    return np.asarray(over_classes(rel_entr(model, target)))


def kl_eps(model: FloatArray, target: FloatArray) -> FloatArray:
    """KL(target || model + 1e-10) in nats over the classes of the target, as in the code of KL+KTO.

    An empty cell adds about 23 times its target share; and the value may be negative, since what is compared
    does not sum to 1.
    """
    with np.errstate(divide="ignore"):
        terms = xlogy(target, target) - xlogy(target, model + 1e-10)
    return np.asarray(over_classes(np.where(target > 0, terms, 0.0)))


def kl_half(model: FloatArray, target: FloatArray) -> FloatArray:
    """Half of KL(target || model) in nats with shares clipped at 1e-8, as reported by WALF.

    The published code averages the two terms of a two-class KL ("batchmean" of a vector) instead of summing.
    """
    return np.asarray(over_classes(rel_entr(target, np.clip(model, 1e-8, 1.0))) / 2)


def kl_target_model_truth(q: FloatArray, t: FloatArray) -> FloatArray:
    """t ln(t / q)."""
    return np.asarray(rel_entr(t, q))


def kl_model_target_truth(q: FloatArray, t: FloatArray) -> FloatArray:
    """q ln(q / t); cells outside the target's support are the caller's business."""
    return np.asarray(np.where(t > 0, rel_entr(q, np.where(t > 0, t, 1.0)), 0.0))


def kl_target_model_estimate(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """t ln(t n / (x + 1/2)): the half makes the logarithm of a Poisson count unbiased to second order.

    A binomial count varies less, for which t / 2n makes up.
    """
    return np.asarray(rel_entr(t, (x + 0.5) / n) + t / (2 * n))


def kl_model_target_estimate(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """x/n (G(x) - ln n t) with Grassberger's G, whose mean is q ln(q/t) but for very small nq.

    G is made for Poisson counts; a binomial one varies less, for which x / 2n^2 makes up. Between whole counts it
    is a straight line.
    """
    whole = np.floor(x)
    g = digamma(np.floor(whole / 2) + 0.5) + math.log(2)
    if (whole != x).any():
        g = g + (x - whole) * (digamma(np.floor((whole + 1) / 2) + 0.5) + math.log(2) - g)
    value = x / n * (g - np.log(n * np.where(t > 0, t, 1.0)) + 1 / (2 * n))
    return np.asarray(np.where(t > 0, value, 0.0))


def kl_target_model_curvature(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """f''(q) times the variance of a share."""
    return np.asarray(t * (1 - x / n) / (x + 0.5))


def kl_model_target_curvature(x: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """f''(q) times the variance of a share."""
    return np.asarray(np.where(t > 0, (1 - x / n) / n, 0.0) * x / (x + 0.25))


def kl_target_model_slopes(model: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """-t/q, and -ln(q/t) up to a constant."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = model / target
        return -1 / ratio, -np.log(ratio)


def kl_model_target_slopes(model: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """ln(q/t) up to a constant, and -q/t."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = model / target
        return np.log(ratio), -ratio


def half(classes: int) -> float:
    """The halved KL over the whole one."""
    return 0.5


KL_TARGET_MODEL = Divergence(
    key="kl_target_model",
    title=Words("KL(target‖model)", "KL(目标‖模型)"),
    under=Words("nats, of valid draws, corrected", "奈特，只计有效抽样，已校正"),
    about=Words(
        "Kullback–Leibler divergence of the model from the target in nats, with one half added to every count. "
        "It punishes a class that the model leaves out. Draws that name no class are left out: with them it "
        "would be the valid draws’ KL less ln of their share.",
        "模型相对目标的 Kullback–Leibler 散度，单位奈特，每个计数加二分之一。它惩罚模型漏掉的类别。没有归入任何类别的抽样不计入：若计入，等于有效抽样的 KL 减去其比例的对数。",
    ),
    better="lower",
    formula="sum of t ln(t / q), nats",
    value=kl_target_model,
    smoothing="classes",
    bounds="own",
    cells=Cells(
        truth=kl_target_model_truth,
        estimate=kl_target_model_estimate,
        curvature=kl_target_model_curvature,
        slopes=kl_target_model_slopes,
        local=0.5,
        caution=(1.1, 1.0),
        least=LEAST_SHARE,
    ),
)
KL_MODEL_TARGET = Divergence(
    key="kl_model_target",
    title=Words("KL(model‖target)", "KL(模型‖目标)"),
    under=Words("nats, of valid draws, corrected", "奈特，只计有效抽样，已校正"),
    about=Words(
        "The other direction: it punishes a class that the target leaves out. Draws that name no class are left out: with any of them it would be infinite.",
        "另一个方向：惩罚目标中没有的类别。没有归入任何类别的抽样不计入：只要有一个，它就是无穷大。",
    ),
    better="lower",
    formula="sum of q ln(q / t), nats",
    value=kl_model_target,
    smoothing="support",
    bounds="own",
    cells=Cells(
        truth=kl_model_target_truth,
        estimate=kl_model_target_estimate,
        curvature=kl_model_target_curvature,
        slopes=kl_model_target_slopes,
        local=0.5,
        caution=(1.0, 1.05),
        forbids=True,
    ),
)
KL_EPS = Divergence(
    key="kl_eps1e-10",
    better="lower",
    title=Words("KL, ε = 1e-10", "KL，ε = 1e-10"),
    under=Words("nats, as in KL+KTO", "奈特，同 KL+KTO"),
    about=Words(
        "KL(target‖model) with 1e-10 added to every share, as in the code of KL+KTO.",
        "每个比例加 1e-10 的 KL(目标‖模型)，与 KL+KTO 的代码相同。",
    ),
    formula="sum of t ln(t / (q + 1e-10)), nats",
    values="about 0 to 23",
    value=kl_eps,
    place="files",
    varies="kl_target_model",
)
KL_HALF = Divergence(
    key="kl_half",
    better="lower",
    title=Words("Half KL", "KL 之半"),
    under=Words("nats, as in WALF", "奈特，同 WALF"),
    about=Words(
        "Half of KL(target‖model) with shares clipped at 1e-8, as WALF reports it.",
        "比例以 1e-8 为下限的 KL(目标‖模型) 之半，与 WALF 的报告相同。",
    ),
    formula="half the sum of t ln(t / max(q, 1e-8)), nats",
    values="0 to 9.2",
    value=kl_half,
    place="files",
    varies="kl_target_model",
    scale=half,
    bounds="varied",
)
