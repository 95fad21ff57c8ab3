"""The frontier integral of two samples of encoded texts (arXiv 2106.07898)."""

from __future__ import annotations

import numpy as np
from scipy.cluster.vq import kmeans2

from harness.metrics.base import Features, FloatArray, OfEncoded, Words


def frontier_integral(p: FloatArray, q: FloatArray) -> float:
    """Twice the mean over mixtures r = lp + (1-l)q of l KL(p|r) + (1-l) KL(q|r); 0 to 1."""
    cross = np.zeros(len(p))  # p q ln(p / q) / (p - q), whose limit is p where p = q
    both = (p > 0) & (q > 0)
    off = p[both] / q[both] - 1
    cross[both] = p[both] * np.where(off == 0, 1.0, np.log1p(off) / np.where(off == 0, 1.0, off))
    return float(((p + q) / 2 - cross).sum())


def frontier(model: Features, people: Features) -> float:
    """Of shares in clusters of both samples; each cluster counts half a text more (Krichevsky and Trofimov).

    The number of clusters is the cube root of the texts, which the paper finds to balance the two errors.
    """
    together = np.concatenate([model.values, people.values])
    count = max(2, round(len(together) ** (1 / 3)))
    _, label = kmeans2(together, count, minit="++", seed=0)
    ours, theirs = (
        np.bincount(part, minlength=count) + 0.5
        for part in (label[: len(model.values)], label[len(model.values) :])
    )
    return frontier_integral(ours / ours.sum(), theirs / theirs.sum())


FRONTIER = OfEncoded(
    key="frontier",
    title=Words("Frontier integral", "前沿积分"),
    under=Words("of meanings, by an encoder", "由编码器表示的语义"),
    about=Words(
        "How far the meanings of the replies are from those of people’s replies to other prompts of the same context, "
        "by a sentence encoder (distalign utility --encoder; arXiv 2106.07898).",
        "以句子编码器衡量，回复的语义与人类对同一情境其他提示的回复相距多远（distalign utility --encoder；arXiv 2106.07898）。",
    ),
    better="lower",
    formula="sum over clusters of (p + q) / 2 - p q / (p - q) ln(p / q)",
    values="0 to 1",
    place="offered",
    compute=frontier,
)
