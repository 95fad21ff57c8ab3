"""W1 of ordered classes: its limits, and what comparisons need. See docs/statistics.md, "Intervals".

W1 is a sum over the cuts between neighbouring classes. How many draws lie below a cut is binomial, and the cut's part
is the TV of the two classes that it makes, so the functions of one cell are those of TV. But the cuts of a context
depend on each other: the count below a cut is that below the one before it and a binomial part of the rest, a Markov
chain. Along it the moments of a sum over cuts are computed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from harness.metrics.w1 import W1, below, cuts, w1
from harness.scoring import cells
from harness.scoring.interval import Limits, guarded_limits, limits_of_means
from harness.scoring.sides import Cumulants, Sides, cells_of, debiased_tv, functions, pairs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.metrics.base import FloatArray, IntArray
    from harness.metrics.w1 import Cuts
    from harness.scoring.sides import Shifted

_CHUNK = 500
_FAR = 1e6
"""Log-odds for each count that a step of the chain would have to go back."""
_ROUNDING = 1e-12
"""A sum of shares as near to 0 or 1 is that."""
_ANY_PAIR = np.array([[1.0, 0.5]])
"""A number of draws and a target share, where no context has a valid draw."""


class _Valid(NamedTuple):
    """The draws with a class, of the contexts that have some, and the share of those in each context."""

    counts: FloatArray
    target: FloatArray
    n: FloatArray
    there: FloatArray
    """Of all contexts, whether they are here."""
    share: FloatArray
    draws: FloatArray
    """All draws of all contexts."""


def ordered_limits(
    counts: IntArray | FloatArray, target: FloatArray, positions: FloatArray, tables: int | None = None
) -> tuple[Limits, Limits]:
    """Limits of W1 per context ``[C]``, and of the mean over contexts, or over those of each of ``tables``.

    Args:
        counts: contexts x (classes, then perhaps draws without a class); every context has draws.
        target: shares of the same columns.
        positions: of the classes, from 0 to 1.
        tables: see ``interval.limits``.
    """
    parts = ordered_sides(counts, target, positions)
    each = guarded_limits(W1, partial(w1, positions=positions), parts, counts, target)
    return each, limits_of_means(W1, parts, each, tables)


def ordered_sides(counts: IntArray | FloatArray, target: FloatArray, positions: FloatArray) -> Sides:
    """What the limits of W1 are computed from, per context."""
    valid, found = _valid(counts, target, len(positions)), cuts(positions)
    estimate, lower, uppers = _functions_of(valid, found)
    classes = len(positions)
    # As for the other metrics: little shrinkage below, where too small a variance would do harm, more above.
    under, over = (
        _likely(valid.counts, valid.target, prior) for prior in (min(classes / 2, 2.0), classes / 2)
    )
    (low,) = _cumulants(valid, found, under, [lower])
    highs = _cumulants(valid, found, over, uppers)
    nothing = np.zeros(len(counts))
    return Sides(
        _all_draws(valid, _summed(valid, found, estimate), 1.0),
        _with_invalid(valid, low),
        tuple(_with_invalid(valid, high) for high in highs),
        Cumulants(nothing, nothing, nothing, nothing),
        classes,
    )


def ordered_moments(
    counts: IntArray, target: FloatArray, likely: FloatArray, positions: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The bias-corrected W1 of each context ``[C]`` and its variance when the model has the shares ``likely``."""
    classes, found = len(positions), cuts(positions)
    valid = _valid(counts, target, classes)
    estimate, _, _ = _functions_of(valid, found, only_estimate=True)
    inside = likely[valid.there, :classes]
    (each,) = _cumulants(valid, found, inside / inside.sum(axis=1, keepdims=True), [estimate])
    full = _with_invalid(valid, each, 1 - likely[:, classes:].sum(axis=1))
    return full.value, full.variance


def _valid(counts: IntArray | FloatArray, target: FloatArray, classes: int) -> _Valid:
    inside = counts[:, :classes].astype(np.float64)
    total = inside.sum(axis=1)
    n, share = np.rint(total), total / counts.sum(axis=1)
    there = n > 0
    # Of a sampled target so many draws as are worth as much need not be whole for each class.
    whole = inside[there] * (n / np.maximum(total, 1e-300))[there, None]
    return _Valid(whole, target[there, :classes], n[there], there, share, np.rint(counts.sum(axis=1)))


def _likely(counts: FloatArray, target: FloatArray, prior: float) -> FloatArray:
    """Observed shares with ``prior`` draws added, half of them from the target and half from the uniform."""
    added = prior * (target + 1 / counts.shape[1]) / 2
    return np.asarray((counts + added) / (counts.sum(axis=1, keepdims=True) + prior))


class _Function(NamedTuple):
    """A function of the count below a cut: of the classes below, and its mirror image of those above."""

    under: Shifted
    over: Shifted
    pair: IntArray
    """``[contexts, cuts]``: which n and target share a cut has."""
    wanted: FloatArray
    """Target shares below the cuts, of the same shape."""
    n: FloatArray

    def at(self, x: FloatArray, cut: int) -> FloatArray:
        """Values at counts ``[contexts, ...]`` below a cut."""
        shape = (-1, *(1,) * (x.ndim - 1))
        n, t = (np.broadcast_to(a.reshape(shape), x.shape) for a in (self.n, self.wanted[:, cut]))
        pair = np.broadcast_to(self.pair[:, cut].reshape(shape), x.shape)
        return self.under.at(x, n, t, pair) + self.over.at(n - x, n, 1 - t, pair)


def _functions_of(
    valid: _Valid, found: Cuts, only_estimate: bool = False
) -> tuple[_Function, _Function, list[_Function]]:
    """Estimate, lower and upper functions of the cuts; of the estimate alone where only that is asked."""
    wanted = np.clip(below(valid.target, found), 0.0, 1.0)
    wanted = np.where(np.abs(wanted - np.rint(wanted)) < _ROUNDING, np.rint(wanted), wanted)
    n = np.broadcast_to(valid.n[:, None], wanted.shape)
    pairs, pair = pairs_of(n.ravel(), wanted.ravel()) if len(n) else (_ANY_PAIR, np.zeros(0, np.int64))
    pair = pair.reshape(wanted.shape)

    def made(under: Shifted, over: Shifted) -> _Function:
        return _Function(under, over, pair, wanted, valid.n)

    sides = pairs[:, 1], 1 - pairs[:, 1]
    if only_estimate:
        alone = made(*(debiased_tv(pairs[:, 0], t) for t in sides))
        return alone, alone, []
    (estimate, lower, uppers), (mirrored, mirrored_lower, mirrored_uppers) = (
        functions(cells_of(W1), pairs[:, 0], t) for t in sides
    )
    return (
        made(estimate, mirrored),
        made(lower, mirrored_lower),
        [made(*both) for both in zip(uppers, mirrored_uppers, strict=True)],
    )


def _summed(valid: _Valid, found: Cuts, function: _Function) -> FloatArray:
    """A function at the counts of each context, summed over the cuts."""
    x = below(valid.counts, found)
    each = [gap * function.at(x[:, cut], cut) for cut, gap in enumerate(found.gaps)]
    return np.sum(each, axis=0) if each else np.zeros(len(x))


def _cumulants(
    valid: _Valid, found: Cuts, likely: FloatArray, wanted: Sequence[_Function]
) -> list[Cumulants]:
    """Value, variance and third cumulant of each function's sum over cuts, with counts of the shares ``likely``."""
    moments = [
        _chain(slice(i, i + _CHUNK), valid, found, likely, wanted) for i in range(0, len(valid.n), _CHUNK)
    ]
    first, second, third = np.concatenate(moments, axis=2) if moments else np.zeros((3, len(wanted), 0))
    nothing = np.zeros(len(valid.n))
    variance = np.maximum(second - first**2, 0.0)
    skew = third - 3 * first * second + 2 * first**3
    return [Cumulants(_summed(valid, found, f), variance[i], skew[i], nothing) for i, f in enumerate(wanted)]


def _chain(
    rows: slice, valid: _Valid, found: Cuts, likely: FloatArray, wanted: Sequence[_Function]
) -> FloatArray:
    """The first three moments of each function's sum over cuts ``[3, functions, contexts]``, about a near value."""
    n, shares = valid.n[rows], likely[rows][:, found.order]
    mine = [f._replace(pair=f.pair[rows], wanted=f.wanted[rows], n=n) for f in wanted]
    under = np.clip(np.cumsum(shares, axis=1), 0.0, 1.0)
    before: tuple[FloatArray, FloatArray] | None = None
    carried = np.empty(0)
    for cut, gap in enumerate(found.gaps):
        x, weight = cells.nodes(under[:, cut], n)
        if before is None:
            carried = np.zeros((len(n), len(mine), 4, x.shape[1]))
            carried[:, :, 0] = weight[:, None]
        else:
            odds = shares[:, cut] / np.maximum(1 - under[:, cut - 1], 1e-300)
            step = _step(before[0], x, weight > 0, n, np.clip(odds, 1e-12, 1 - 1e-12))
            carried = np.matmul(carried.reshape(len(n), -1, x.shape[1]), step).reshape(carried.shape)
        w = np.stack([gap * f.at(x, cut) for f in mine], axis=1)
        w = w - (weight[:, None] * w).sum(axis=-1, keepdims=True)
        mass, one, two, three = (carried[:, :, i].copy() for i in range(4))
        carried[:, :, 1] = one + w * mass
        carried[:, :, 2] = two + 2 * w * one + w**2 * mass
        carried[:, :, 3] = three + 3 * w * two + 3 * w**2 * one + w**3 * mass
        before = x, weight
    return np.asarray(np.moveaxis(carried[:, :, 1:].sum(axis=-1), 0, 2).swapaxes(0, 1))


def _step(
    x: FloatArray, y: FloatArray, open_: NDArray[np.bool_], n: FloatArray, share: FloatArray
) -> FloatArray:
    """Chances ``[C, from, to]`` to come from counts ``x`` below one cut to counts ``y`` below the next.

    Of the draws that are left, Binomial(n - x, share) lie between the cuts. Where nodes stand for several counts, the
    chances are those of the nodes.
    """
    left, more = (n[:, None] - x)[:, :, None], y[:, None, :] - x[:, :, None]
    inside = np.clip(more, 0.0, left)
    p = share[:, None, None]
    log = gammaln(left + 1) - gammaln(inside + 1) - gammaln(left - inside + 1)
    log = log + xlogy(inside, p) + xlog1py(left - inside, -p) - _FAR * np.abs(more - inside)
    log = np.where(open_[:, None, :], log, -np.inf)
    chance = np.exp(log - log.max(axis=2, keepdims=True))
    return np.asarray(chance / chance.sum(axis=2, keepdims=True))


def _all_draws(valid: _Valid, value: FloatArray, nothing: float) -> FloatArray:
    """A value of valid draws, to which each draw without a class adds as 1 away; ``nothing`` where all are such."""
    full = np.full(len(valid.share), nothing)
    full[valid.there] = value
    return np.asarray(1 - valid.share * (1 - full))


def _with_invalid(valid: _Valid, found: Cumulants, share: FloatArray | None = None) -> Cumulants:
    """The cumulants when the number of valid draws is by chance too.

    1 - W1 of all draws is the valid share times 1 - W1 of valid draws. Given how many are valid, the second has the
    cumulants ``found``, its variance in inverse proportion to that number; the law of total cumulants adds the chance
    of the first.
    """
    if share is None and (valid.share == 1).all():
        return found
    v = share if share is not None else (valid.share * valid.draws + 0.5) / (valid.draws + 1)
    value, variance, third = (np.zeros(len(valid.share)) for _ in range(3))
    for full, part in zip((value, variance, third), found, strict=False):
        full[valid.there] = part
    closeness = 1 - np.clip(value, 0.0, 1.0)
    u = 1 - v
    of_valid = v**2 * variance
    return Cumulants(
        _all_draws(valid, found.value, 1.0),
        of_valid + closeness**2 * v * u / valid.draws,
        v**3 * third
        - 3 * closeness * of_valid * u / valid.draws
        + closeness**3 * v * u * (v - u) / valid.draws**2,
        np.zeros(len(value)),
    )
