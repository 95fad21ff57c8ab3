"""The difference of two models on the same contexts: paired, with both kinds of chance in its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from harness.scoring.divergence import plugin, shares
from harness.scoring.reference import tv_shift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.scoring.divergence import FloatArray, IntArray

REPETITIONS = 4000


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean TV of A minus mean TV of B over the contexts that both have draws in; negative = A is closer."""

    estimate: float
    low: float
    high: float
    p: float
    contexts: int
    by_context: tuple[tuple[float, float, float], ...]
    """Per context: bias-corrected difference with its own 95% interval; nan where a model has no draw."""


def difference(
    a: IntArray, b: IntArray, target: FloatArray, *, sizes: FloatArray | None = None, seed: int = 0
) -> Difference:
    """Paired difference of the mean TV.

    Two levels are resampled: contexts jointly for both models, and the draws within each. A context's difference
    varies by both, so what the draws explain is first taken out of the spread between contexts; otherwise it would
    count twice.

    Args:
        a: counts of model A, contexts x cells (invalid mass as a last cell).
        b: counts of model B, in the same contexts and cells.
        target: shares of the cells.
        sizes: as how many independent replies each target counts, see ``table.score``.
        seed: of the resampling.
    """
    used = (a.sum(axis=1) > 0) & (b.sum(axis=1) > 0)
    count = int(used.sum())
    nan = float("nan")
    if not count:
        return Difference(nan, nan, nan, nan, 0, ((nan, nan, nan),) * len(a))
    noise_a, noise_b = np.random.SeedSequence(seed).spawn(2)
    corrected_a, error_a = _resampled(a[used], target[used], noise_a)
    corrected_b, error_b = _resampled(b[used], target[used], noise_b)
    if sizes is not None:
        error_a = error_a + _asked(a[used], b[used], target[used], sizes[used], seed)
    each = corrected_a - corrected_b
    error = error_a - error_b
    value = float(each.mean())
    centred = each - value
    within = float(error.var(axis=0).mean())
    spread = float((centred**2).sum() / max(count - 1, 1))
    between = max(spread - within, 0.0)
    residual = (
        centred * np.sqrt(between / spread * count / (count - 1)) if between and count > 1 else centred * 0
    )
    rng = np.random.default_rng([seed, 3])
    chosen = rng.integers(count, size=(len(error), count))
    moved = residual[chosen].mean(axis=1) + np.take_along_axis(error, chosen, axis=1).mean(axis=1)
    low, high = value - np.quantile(moved, [0.975, 0.025])
    p = min(1.0, 2 * (min((moved >= abs(value)).sum(), (moved <= -abs(value)).sum()) + 1) / (len(moved) + 1))
    # The tail of a few thousand repetitions ends where a normal one goes on.
    z = abs(value) / moved.std() if moved.std() > 0 else np.inf * abs(value) if value else 0.0
    p = min(p, 1.0) if p > 10 / len(moved) else float(min(p, 2 * stats.norm.sf(z)))
    rows = np.full((len(a), 3), nan)
    rows[used, 0] = each
    rows[used, 1] = each - np.quantile(error, 0.975, axis=0)
    rows[used, 2] = each - np.quantile(error, 0.025, axis=0)
    return Difference(value, float(low), float(high), float(p), count, tuple(map(tuple, rows.tolist())))


def _asked(
    a: IntArray,
    b: IntArray,
    target: FloatArray,
    sizes: FloatArray,
    seed: int,
) -> FloatArray | float:
    """What the chance of a sampled target adds to the errors: the part that it does not move for both alike."""
    shifts = [tv_shift(shares(counts) - target, target, sizes) for counts in (a, b)]
    if shifts[0] is None or shifts[1] is None:
        return 0.0
    spread = np.sqrt(((shifts[0] - shifts[1]) ** 2).sum(axis=-1))
    return np.asarray(np.random.default_rng([seed, 7]).normal(0.0, 1.0, (REPETITIONS, len(a))) * spread)


def _resampled(
    counts: IntArray, target: FloatArray, noise: np.random.SeedSequence
) -> tuple[FloatArray, FloatArray]:
    """Bias-corrected TV per context, and its resampled errors [repetitions, contexts], centred at 0."""
    n = counts.sum(axis=1)
    observed = plugin("tv", counts, target)
    # Half a draw in every cell: an outcome not seen in n draws may still have a share.
    cells = np.where((counts > 0) | (target > 0), counts + 0.5, 0.0)
    shares = cells / cells.sum(axis=1, keepdims=True)
    drawn = np.random.default_rng(noise).multinomial(np.broadcast_to(n, (REPETITIONS, len(n))), shares)
    again = plugin("tv", drawn, target)
    centre = again.mean(axis=0)
    bias = centre - plugin("tv", cells, target)
    return observed - bias, again - centre


def adjusted(p: Sequence[float]) -> list[float]:
    """Benjamini-Hochberg: p-values such that calling those below q different is wrong in a share q of the calls."""
    return [float(v) for v in stats.false_discovery_control(p)] if len(p) else []
