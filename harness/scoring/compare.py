"""The difference of two models on the same contexts: paired, with both kinds of chance in its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from harness.metrics.base import shares
from harness.scoring.floor import fit_statistic
from harness.scoring.reference import tv_shift
from harness.scoring.sides import Table, tv_estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.metrics.base import FloatArray, IntArray

REPETITIONS = 4000
_AT_ONCE = 4_000_000


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
    count twice. What is left is estimated from few contexts, and as uncertain as a t distribution has it.

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
    within = float(error.var(axis=0).mean()) / count
    degrees = max(count - 1, 1)
    spread = float(((each - value) ** 2).sum() / degrees) / count
    between = max(spread - within, 0.0)
    rng = np.random.default_rng([seed, 3])
    moved = error.mean(axis=1)
    if between:
        chosen = rng.integers(count, size=(len(error), count))
        residual = (each - value) * np.sqrt(between / spread * count / degrees)
        moved += residual[chosen].mean(axis=1) * np.sqrt(degrees / rng.chisquare(degrees, len(moved)))
    low, high = value - np.quantile(moved, [0.975, 0.025])
    reached = min((moved >= abs(value)).sum(), (moved <= -abs(value)).sum())
    p = min(1.0, 2 * (reached + 1) / (len(moved) + 1))
    if reached < 10 and between + within > 0:
        # The tail of a few thousand repetitions ends where a t distribution goes on (Welch and Satterthwaite).
        freedom = degrees * ((between + within) / between) ** 2 if between else np.inf
        p = min(p, 2 * stats.t.sf(abs(value) / np.sqrt(between + within), freedom))
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
    """Bias-corrected TV per context as it is reported, and its resampled errors [repetitions, contexts]."""
    n = counts.sum(axis=1)
    estimate = tv_estimate(Table(counts, target))
    # Half a draw in every cell: an outcome not seen in n draws may still have a share. Observed shares lie farther
    # from the target than the model's, by what the fit would be of a perfect model (James and Stein).
    cells = np.where((counts > 0) | (target > 0), counts + 0.5, 0.0)
    degrees = (cells > 0).sum(axis=1) - 1
    pull = np.minimum(1.0, degrees / np.maximum(fit_statistic(counts, target), 1e-9))[:, None]
    likely = pull * target + (1 - pull) * cells / cells.sum(axis=1, keepdims=True)
    rng = np.random.default_rng(noise)
    rows = max(1, _AT_ONCE // counts.size)
    again = np.concatenate(
        [
            estimate(rng.multinomial(np.broadcast_to(n, (min(rows, REPETITIONS - done), len(n))), likely))
            for done in range(0, REPETITIONS, rows)
        ]
    )
    return estimate(counts), again - again.mean(axis=0)


def adjusted(p: Sequence[float]) -> list[float]:
    """Benjamini-Hochberg: p-values such that calling those below q different is wrong in a share q of the calls."""
    return [float(v) for v in stats.false_discovery_control(p)] if len(p) else []
