"""How far a model's class shares are from a target's: every measure, by name.

Each function takes ``model`` and ``target`` as arrays of shares ``[..., K]`` (broadcast against each other)
and returns an array ``[...]``. None of them normalises, smooths or drops anything: what is given is measured.
Smoothing is a step of its own (:func:`smoothed_shares`), so that a reader sees where it happens.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr, xlogy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def tv(model: FloatArray, target: FloatArray) -> FloatArray:
    """Total variation distance, half the sum of absolute differences; 0 to 1, symmetric.

    The largest difference in probability that any set of classes can show. Zero cells need no care.
    """
    return np.asarray(np.abs(model - target).sum(axis=-1) / 2)


def js(model: FloatArray, target: FloatArray) -> FloatArray:
    """Jensen-Shannon divergence in bits (base 2); 0 to 1, symmetric, finite with zero cells (Lin, 1991).

    The divergence itself, not its square root (the Jensen-Shannon distance of some libraries).
    """
    middle = (model + target) / 2
    nats = (rel_entr(model, middle) + rel_entr(target, middle)).sum(axis=-1) / 2
    return np.asarray(np.clip(nats / math.log(2), 0.0, 1.0))


def kl_target_model(model: FloatArray, target: FloatArray) -> FloatArray:
    """KL(target || model) in nats: sum of target ln(target / model). 0 to inf.

    Infinite where the model never gives a class that the target has.
    """
    return np.asarray(rel_entr(target, model).sum(axis=-1))


def kl_model_target(model: FloatArray, target: FloatArray) -> FloatArray:
    """KL(model || target) in nats: sum of model ln(model / target). 0 to inf.

    Infinite where the model gives a class that the target rules out.
    """
    return np.asarray(rel_entr(model, target).sum(axis=-1))


def mae(model: FloatArray, target: FloatArray) -> FloatArray:
    """Mean absolute error over the K classes, as in KL+KTO; it is 2/K of the total variation."""
    return np.asarray(np.abs(model - target).mean(axis=-1))


def kl_eps(model: FloatArray, target: FloatArray) -> FloatArray:
    """KL(target || model + 1e-10) in nats over the classes of the target, as in the code of KL+KTO.

    An empty cell adds about 23 times its target share; and the value may be negative, since what is compared
    does not sum to 1.
    """
    with np.errstate(divide="ignore"):
        terms = xlogy(target, target) - xlogy(target, model + 1e-10)
    return np.asarray(np.where(target > 0, terms, 0.0).sum(axis=-1))


def kl_half(model: FloatArray, target: FloatArray) -> FloatArray:
    """Half of KL(target || model) in nats with shares clipped at 1e-8, as reported by WALF.

    The published code averages the two terms of a two-class KL ("batchmean" of a vector) instead of summing.
    """
    return np.asarray(rel_entr(target, np.clip(model, 1e-8, 1.0)).sum(axis=-1) / 2)


MEASURES: Mapping[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "tv": tv,
    "js": js,
    "kl_target_model": kl_target_model,
    "kl_model_target": kl_model_target,
    "mae": mae,
    "kl_eps1e-10": kl_eps,
    "kl_half": kl_half,
}
"""Every measure by the name it has in scores.json, flags and tables; each takes (model, target)."""


def shares(counts: IntArray | FloatArray) -> FloatArray:
    """Observed shares ``[..., K]`` of counts ``[..., K]``; nan where nothing was counted."""
    total = counts.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(counts / np.where(total > 0, total, np.nan), dtype=np.float64)


def smoothed_shares(counts: IntArray | FloatArray, cells: NDArray[np.bool_] | None = None) -> FloatArray:
    """Shares after adding 1/2 to the count of each class (of each class in ``cells``, where given).

    The half count is the Jeffreys prior of a share. It keeps a KL finite when a class was not drawn in n draws,
    which is not evidence that the model never gives it. nan where nothing was counted.
    """
    added = np.full(counts.shape, 0.5) if cells is None else np.where(cells, 0.5, 0.0)
    result = shares(counts + added)
    return np.where(counts.sum(axis=-1, keepdims=True) > 0, result, np.nan)


def plugin(name: str, counts: IntArray | FloatArray, target: FloatArray) -> FloatArray:
    """The measure ``name`` read off counts ``[..., K]``, as it is reported.

    The two KLs are taken of smoothed shares. KL(model || target) smooths within the target's support only: a
    half count outside it would make every value infinite; a real count outside it does, and should.
    The papers' variants are taken of raw shares, as in the papers.
    """
    return plugins((name,), counts, target)[name]


def plugins(names: Iterable[str], counts: IntArray | FloatArray, target: FloatArray) -> dict[str, FloatArray]:
    """``plugin`` of several measures."""
    raw = shares(counts)
    found = {}
    for name in names:
        model = raw
        if name == "kl_target_model":
            model = smoothed_shares(counts)
        elif name == "kl_model_target":
            model = smoothed_shares(counts, np.broadcast_to(target > 0, counts.shape))
        found[name] = MEASURES[name](model, target)
    return found


def unsmoothed(name: str, counts: IntArray | FloatArray, target: FloatArray) -> FloatArray:
    """The measure ``name`` of raw shares; a KL of it may be infinite."""
    return MEASURES[name](shares(counts), target)


def best_and_worst_tv(
    counts: IntArray, invalid: IntArray, target: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The least and the greatest TV over all ways to hand the invalid draws to declared classes.

    Classes that the target wants more of can always absorb the invalid mass, so the least is the mass in excess
    of the target; TV is convex, so the greatest puts all of it on one class.
    """
    total = (counts.sum(axis=-1) + invalid).astype(np.float64)
    n = np.where(total > 0, total, np.nan)
    share = counts / n[..., None]
    excess = np.maximum(share - target, 0.0)
    gain = np.maximum(share + (invalid / n)[..., None] - target, 0.0) - excess
    least = excess.sum(axis=-1)
    return least, least + gain.max(axis=-1)
