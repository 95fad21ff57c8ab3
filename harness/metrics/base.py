"""What a metric is: its name, words for the page, whether lower is better, and the function that computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
CellFunction = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
"""Of counts x, draws n and target shares t of cells."""
Needs = Literal["counts", "texts", "replies", "people", "model"]


class Words(NamedTuple):
    """A text in the page's two languages."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class About:
    """What a result is of; a metric may say that it means nothing there."""

    task: str
    attribute: str
    classes: tuple[str, ...]
    """In the task's order."""
    language: str
    measure: str


def everywhere(about: About) -> bool:
    """For metrics that mean something for every task."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What every metric has."""

    key: str
    """Its name in ``scores.json``, in tables, flags and links."""
    title: Words
    under: Words
    """A line under the title: unit, or what is special."""
    about: Words
    """One or two sentences for the page's guide."""
    better: Literal["lower", "higher", "neither"]
    formula: str = ""
    """For the documentation."""
    values: str = "0 to inf"
    """The range, for the documentation."""
    place: Literal["shown", "offered", "files"] = "shown"
    """On the page: a column from the start, one that a reader can choose, or none (then it is in the files only)."""
    percent: bool = False
    """Shown as a percentage."""
    applies: Callable[[About], bool] = everywhere
    needs: Needs = "counts"


def over_classes(values: FloatArray) -> FloatArray:
    """Sums ``[...]`` of ``[..., K]``; of a few classes one after the other, as numpy adds them, but several times faster."""
    classes = values.shape[-1]
    if not 0 < classes < 8:
        return np.asarray(values.sum(axis=-1))
    total = values[..., 0].copy()
    for k in range(1, classes):
        total += values[..., k]
    return np.asarray(total)


def shares(counts: IntArray | FloatArray) -> FloatArray:
    """Observed shares ``[..., K]`` of counts ``[..., K]``; nan where nothing was counted."""
    drawn = np.asarray(counts, dtype=np.float64)
    total = over_classes(drawn)[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(drawn / np.where(total > 0, total, np.nan))


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts beside their target; leading axes are repetitions."""

    counts: FloatArray | IntArray
    """Draws of each class ``[..., contexts, K]``, or their shares where nothing was drawn."""
    invalid: FloatArray | IntArray
    """Draws without a class ``[..., contexts]``."""
    target: FloatArray
    """Shares of the classes ``[..., contexts, K]``."""

    @property
    def shares(self) -> FloatArray:
        """The model's shares of valid draws; nan where there are none."""
        return shares(self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfCounts(Metric):
    """A metric of counts, one value per context; its interval is a bootstrap's unless the score table has one."""

    compute: Callable[[Counted], FloatArray]
    """``[..., contexts]``; nan where it does not exist."""
    in_table: bool = False
    """Whether ``scoring.table`` computes it, with an interval that is no bootstrap."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Parts of a divergence that is a sum over cells, for the interval that docs/statistics.md describes."""

    truth: Callable[[FloatArray, FloatArray], FloatArray]
    """A cell's part of the divergence at model share q and target share t."""
    estimate: CellFunction
    """The same from counts, nearly unbiased; of a kinked divergence the plug-in."""
    curvature: CellFunction
    """Second derivative times the variance of a share."""
    slopes: Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
    """Derivatives by the model's share and by the target's."""
    local: float
    """Second derivative at the target, times t / 2; 0 with a kink there, where it does not exist."""
    caution: tuple[float, float]
    """What the standard errors of the lower and of the upper limit are multiplied by, found by simulation."""
    top: float = np.inf
    """The greatest value."""
    least: float = 0.0
    """Limits hold for models that give each class at least this fraction of its target share."""
    forbids: bool = False
    """Infinite where the model gives a class of target share 0."""
    above_outside: bool = False
    """At least the mass that the target rules out."""


def one(classes: int) -> float:
    """The multiple of a metric that varies no other."""
    return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OfShares(Metric):
    """A distance of the model's shares from the target's; the score table has its estimate, interval and floor."""

    cells: Cells | None = None
    """Parts that it is a sum of; for ordered classes, at each cut between two of them."""
    as_drawn: bool = False
    """The page shows the plug-in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence(OfShares):
    """A distance for which the classes have no order."""

    value: Callable[[FloatArray, FloatArray], FloatArray]
    """Of shares ``[..., K]`` of model and target, broadcast against each other; nothing is normalised or smoothed."""
    smoothing: Literal["", "classes", "support"] = ""
    """Where half a draw is added before it is read off counts: nowhere, every class, classes that the target has."""
    invalid: Literal["outside", "left out"] = "left out"
    """Whether invalid draws count as mass outside the target."""
    varies: str = ""
    """The metric whose interval it has, times ``scale(K)``."""
    scale: Callable[[int], float] = one
    bounds: Literal["own", "varied", ""] = ""
    """Whether bounds are certain where mass is undecided: its own (convex in the model's shares, a sum of terms
    that depend on an outcome through q / t), those of the metric it varies, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered(OfShares):
    """A distance for classes that have positions; ``scoring.ordered`` has its interval."""

    value: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
    """Of shares ``[..., K]`` of model and target, and the positions ``[K]`` of the classes; columns after these are
    draws without a class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfTv(Metric):
    """Another scale of the mean TV over all draws; its interval is that of the TV on this scale."""

    compute: Callable[[FloatArray, FloatArray], FloatArray]
    """Of mean TVs, and the shares ``[contexts, K]`` of the target; falls as the TV rises."""


class Said(NamedTuple):
    """One distinct output to one prompt."""

    text: str
    label: str
    """A class, or why it is none."""
    draws: int


Key = tuple[str, str]
"""Context and prompt."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What a run wrote."""

    language: str
    classes: tuple[str, ...]
    said: Mapping[Key, Sequence[Said]]
    steering: tuple[str, ...] = ()
    """Tokens that a checkpoint begins an answer with, one for each class."""
    references: Mapping[Key, Sequence[str]] = field(default_factory=dict)
    """Replies of people to the same prompts."""
    conversations: Mapping[Key, str] = field(default_factory=dict)
    """Which conversation of people a prompt is from, where that is known."""


class PerPrompt(NamedTuple):
    """A metric's value for each prompt, and how much it weighs in the mean (0: it has none)."""

    value: FloatArray
    weight: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class OfTexts(Metric):
    """A metric of the texts, and perhaps of people's replies to the same prompts; its interval is a bootstrap's."""

    compute: Callable[[Texts], PerPrompt]
    needs: Literal["texts", "replies"] = "texts"


class Features(NamedTuple):
    """Features of replies in one context, over people's spread of each."""

    values: FloatArray
    """Replies x features that vary among people."""
    lengths: IntArray
    """Length bin of each reply."""
    controlled: NDArray[np.bool_]
    """Features that do not measure length."""

    def rows(self, chosen: IntArray) -> Features:
        """Some of the replies."""
        return Features(self.values[chosen], self.lengths[chosen], self.controlled)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPeople(Metric):
    """A metric of a sample of replies against one of people's, in one context; ``scoring.people`` adds the rest."""

    compute: Callable[[Features, Features], float]
    """Of model and people; nan where it does not exist."""
    needs: Needs = "people"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfEncoded(Metric):
    """The same of texts that an encoder made vectors of; by ``distalign utility``."""

    compute: Callable[[Features, Features], float]
    """Of model and people."""
    needs: Needs = "people"


class Surprise(NamedTuple):
    """How surprised a model was by a text."""

    nats: float
    tokens: int
    size: int
    """UTF-8 bytes of the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfModel(Metric):
    """A metric of the model itself, by ``distalign utility``."""

    compute: Callable[[Surprise], float]
    needs: Needs = "model"
