"""Skill: the share of the way from a model that knows nothing to a perfect one, by TV."""

from __future__ import annotations

import numpy as np

from harness.metrics.base import FloatArray, OfTv, Words
from harness.metrics.tv import tv

EVEN = 0.05
"""A target of which "always even" is so near on average counts as even."""


def nothing_known(target: FloatArray) -> float:
    """The mean TV of "always even"; of "always the commonest class" where the target itself is even.

    Against an even target "always even" is perfect, and leaves no way to go.
    """
    even = float(tv(np.full_like(target, 1 / target.shape[1]), target).mean())
    return even if even >= EVEN else float((1 - target.max(axis=1)).mean())


def skill(mean_tv: FloatArray, target: FloatArray) -> FloatArray:
    """1 - TV / TV of a model that knows nothing; 1 is perfect, 0 no better than that model, below 0 worse."""
    return np.asarray(1 - mean_tv / nothing_known(target))


SKILL = OfTv(
    key="skill",
    title=Words("Skill", "技能分"),
    under=Words("0% always even, 100% perfect", "0% 为均匀作答，100% 为完美"),
    about=Words(
        "The share of the way from a model that gives every class equally often (0%) to a perfect one (100%), "
        "measured by TV. Below 0% it is farther from the target than that. Tasks with different classes share "
        "this scale. Where the target itself is even, 0% is a model that always gives one class. The range is "
        "that of the TV, on this scale.",
        "以总变差衡量，从均匀作答的模型（0%）到完美模型（100%）走了多少。低于 0% 表示离目标更远。类别不同的任务共用这一尺度。"
        "若目标本身是均匀的，则 0% 为总是给出同一类别的模型。范围即总变差的范围换算到此尺度。",
    ),
    better="higher",
    formula="1 - TV / TV of always even",
    values="-inf to 1",
    percent=True,
    compute=skill,
)
