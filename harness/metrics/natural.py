"""How near a model's replies are to people's, by features of their texts, in one context.

Every function takes two samples with features scaled by people's spread. None of them is 0, or 1, for people
themselves: the value of another sample of people stands beside each as its floor.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import betabinom

from harness.metrics.base import Features, FloatArray, OfPeople, Words
from harness.natural.scaled import wasserstein

_NEIGHBOURS = 5
_LEAST = 20
_CLIP = 5.0
_BAND = (0.1, 0.9)


def median_w1(model: Features, people: Features) -> float:
    """Median over features of W1 in units of people's spread; 0 to inf."""
    return float(np.median(wasserstein(model.values, people.values)))


def within_length_w1(model: Features, people: Features) -> float:
    """The same over ratios and means, between replies of one length, weighted by people's shares of the lengths.

    A length is the reply's own, not the gold reply's: scoring within that conditions on the outcome, and a perfect
    model fails. nan where no length has 20 replies of both.
    """
    total = weight = 0.0
    for length in np.unique(people.lengths):
        ours, theirs = model.lengths == length, people.lengths == length
        if min(ours.sum(), theirs.sum()) >= _LEAST:
            gaps = wasserstein(
                model.values[np.ix_(ours, model.controlled)], people.values[theirs][:, people.controlled]
            )
            total += float(np.median(gaps)) * theirs.sum()
            weight += theirs.sum()
    return float(total / weight) if weight else float("nan")


def support_gap(model: Features, people: Features) -> float:
    """|D_model - D_people|, D being the mean distance from people's q10-q90 band over features; 0 to inf.

    D alone is one-sided: a central reply repeated forever has D = 0, while a fifth of people lie outside.
    """
    low, high = _band(people)

    def distance(values: FloatArray) -> float:
        outside = np.maximum(low - values, 0) + np.maximum(values - high, 0)
        return float(np.minimum(outside, _CLIP).mean())

    return abs(distance(model.values) - distance(people.values))


def inside_gap(model: Features, people: Features) -> float:
    """How far the mean share of features inside people's q10-q90 band is from people's own; 0 to 1."""
    band = _band(people)
    return float(abs(_inside(model, band).mean() - _inside(people, band).mean()))


def _band(people: Features) -> FloatArray:
    """Of each feature, the two ends of people's band."""
    return np.asarray(np.quantile(people.values, _BAND, axis=0))


def _inside(replies: Features, band: FloatArray) -> FloatArray:
    """Per reply, the share of features inside people's band."""
    low, high = band
    return np.asarray(((replies.values >= low) & (replies.values <= high)).mean(axis=1))


def clipped_density(model: Features, people: Features) -> float:
    """Clipped density (arXiv 2507.01761): how much of the model's replies lies where people's are; 0 to 1.

    Each reply counts the balls around people's replies that it falls into, over k and at most 1; a ball reaches to
    the k-th neighbour, at most the median of these radii. The mean is divided by what people score among
    themselves.
    """
    own, across = _distances(model, people)
    radii = _radii(own)
    radii = np.minimum(radii, np.median(radii))
    inside = (across <= radii[:, None]).sum(axis=0) / _NEIGHBOURS
    among = (own <= radii[:, None]).sum(axis=0) / _NEIGHBOURS
    people_score = np.minimum(among, 1).mean()
    return float(min(np.minimum(inside, 1).mean() / people_score, 1.0)) if people_score else float("nan")


def clipped_coverage(model: Features, people: Features) -> float:
    """Clipped coverage (arXiv 2507.01761): how much of what people reply the model replies too; 0 to 1.

    Each of people's replies counts the model's in its ball, over k and at most 1. The mean is turned into the share
    of good replies that would give it: of m good among M, a ball holds a beta-binomial number.
    """
    own, across = _distances(model, people)
    inside = (across <= _radii(own)[:, None]).sum(axis=1) / _NEIGHBOURS
    curve = _expected(len(model.values), len(people.values))
    good = np.interp(np.minimum(inside, 1).mean(), curve, np.linspace(0, 1, len(curve)))
    return float(good)


@lru_cache(maxsize=64)
def _expected(model: int, people: int) -> FloatArray:
    """Mean clipped coverage where m of the model's replies are people's, for m in 21 steps from 0 to all."""
    k = min(_NEIGHBOURS, people - 1)
    steps = np.rint(np.linspace(0, model, 21)).astype(int)
    counts = np.arange(k)
    missing = [((k - counts) / k * betabinom.pmf(counts, m, k, people - k)).sum() for m in steps]
    return np.maximum.accumulate(1 - np.asarray(missing))


def _distances(model: Features, people: Features) -> tuple[FloatArray, FloatArray]:
    """Between people and themselves (inf to oneself), and between people (rows) and the model."""
    ours, theirs = (np.clip(s.values, -_CLIP, _CLIP) for s in (model, people))
    own = np.asarray(cdist(theirs, theirs))
    np.fill_diagonal(own, np.inf)
    return own, np.asarray(cdist(theirs, ours))


def _radii(own: FloatArray) -> FloatArray:
    k = min(_NEIGHBOURS, len(own) - 1)
    return np.asarray(np.partition(own, k - 1, axis=1)[:, k - 1])


def bng(model: Features, people: Features) -> float:
    """PolyAlign's bucket naturalness gap as published: the unweighted mean over features of W1 over people's standard deviation."""
    spread = people.values.std(axis=0)
    return float((wasserstein(model.values, people.values) / np.where(spread > 1e-12, spread, 1.0)).mean())


def hcr(model: Features, people: Features) -> float:
    """PolyAlign's human coverage rate as published: replies with every feature inside q10-q90; near 0 for people too."""
    return float((_inside(model, _band(people)) >= 1).mean())


W1 = OfPeople(
    key="natural_w1",
    title=Words("Naturalness gap", "自然度差距"),
    under=Words("median W1 of features", "特征 W1 的中位数"),
    about=Words(
        "How far the features of the replies are from those of people’s, in people’s spreads: the median over features. "
        "People against people are not at 0: see the floor.",
        "回复的特征与人类回复特征的距离，以人类的离散程度为单位，取各特征的中位数。人与人之间也不为 0：见下限。",
    ),
    better="lower",
    formula="median over features of W1(model, people) / spread of people",
    compute=median_w1,
)
W1_LENGTH = OfPeople(
    key="natural_w1_length",
    title=Words("Gap within length", "同长度差距"),
    under=Words("median W1, equal lengths", "相同长度的 W1 中位数"),
    about=Words(
        "The same between replies of the same length, over features that do not measure length.",
        "在相同长度的回复之间计算，只用不反映长度的特征。",
    ),
    better="lower",
    formula="the same between replies of one length, mean over lengths",
    place="offered",
    compute=within_length_w1,
)
SUPPORT = OfPeople(
    key="support_gap",
    title=Words("Support gap", "支撑差距"),
    under=Words("|D of model − D of people|", "|模型 D − 人类 D|"),
    about=Words(
        "D is how far replies lie outside the middle four fifths of people. Less than people’s own D is as wrong as more.",
        "D 表示回复超出人类中间五分之四范围的距离。小于人类自身的 D 与大于它同样有误。",
    ),
    better="lower",
    formula="abs(D of the model - D of people)",
    place="offered",
    compute=support_gap,
)
INSIDE = OfPeople(
    key="inside_gap",
    title=Words("Inside gap", "范围内差距"),
    under=Words("share of features inside q10–q90", "特征落在 q10–q90 的比例"),
    about=Words(
        "How far the mean share of features inside people’s band is from people’s own, which is about four fifths.",
        "特征落在人类范围内的平均比例与人类自身（约五分之四）的差距。",
    ),
    better="lower",
    formula="abs(inside share of the model - that of people)",
    values="0 to 1",
    place="files",
    compute=inside_gap,
)
DENSITY = OfPeople(
    key="clipped_density",
    title=Words("Clipped density", "截断密度"),
    under=Words("replies where people’s are", "处于人类回复之处的回复"),
    about=Words(
        "How much of the replies lies where people’s replies are (arXiv 2507.01761).",
        "有多少回复处于人类回复所在之处（arXiv 2507.01761）。",
    ),
    better="higher",
    formula="mean of min(people near the reply / k, 1), over people's own",
    values="0 to 1",
    place="offered",
    compute=clipped_density,
)
COVERAGE = OfPeople(
    key="clipped_coverage",
    title=Words("Clipped coverage", "截断覆盖率"),
    under=Words("of people’s replies", "占人类回复"),
    about=Words(
        "How much of what people reply the model replies too (arXiv 2507.01761).",
        "人类的回复有多少也会由模型给出（arXiv 2507.01761）。",
    ),
    better="higher",
    formula="mean of min(replies near a person's / k, 1), as a share of replies",
    values="0 to 1",
    place="offered",
    compute=clipped_coverage,
)
BNG = OfPeople(
    key="bng_as_published",
    title=Words("BNG as published", "BNG（原文）"),
    under=Words("mean W1 over features", "特征 W1 的均值"),
    about=Words(
        "PolyAlign’s formula: the mean over features, each by people’s standard deviation. Few features can decide it.",
        "PolyAlign 的公式：各特征以人类标准差为单位取均值。少数特征即可左右结果。",
    ),
    better="lower",
    formula="mean over features of W1(model, people) / deviation of people",
    place="files",
    compute=bng,
)
HCR = OfPeople(
    key="hcr_as_published",
    title=Words("HCR as published", "HCR（原文）"),
    under=Words("all features inside q10–q90", "全部特征在 q10–q90 内"),
    about=Words(
        "PolyAlign’s formula: replies with every feature inside people’s band. It is near 0 for people too.",
        "PolyAlign 的公式：每个特征都在人类范围内的回复所占比例。人类自身也接近 0。",
    ),
    better="higher",
    formula="share of replies with every feature inside q10-q90 of people",
    values="0 to 1",
    place="files",
    compute=hcr,
)
