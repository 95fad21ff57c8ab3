"""Tests whether draws are independent: a probe before a run, and a test of duplicates after it.

Engines can fail here without an error: they give n copies of one draw, or replicas share a seed, or the seeds
``seed + i`` of a chunk overlap with those of the next chunk. In all these cases draws agree too often within a chunk, or
too often between chunks of one prompt. If the draws are independent, it is pure chance which outputs of a prompt lie in
the same chunk: any permutation of them is equally likely. So the test does not need to know how likely an output is, and
a model that nearly always gives the same answer passes it.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, stats

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.sampling.base import Draws
    from harness.terms import Draw, Request, Sampling

    Chunks = Sequence[Mapping[str, int]]
    """Of one prompt: for each chunk, how often each output came."""

ALPHA = 1e-3
"""A run whose p-value is below this fails: one honest run in a thousand."""
STAGES = ((2, 4), (8, 4), (8, 16))
"""Prompts of a probe, and draws of each by one seed and by another: a stage comes only where the one before left a doubt."""
PROBED, PROBE_DRAWS = STAGES[-1]
FIRST = STAGES[0][1] * (2 * STAGES[0][0] + 1)
"""Draws of the first stage: both seeds, and one prompt again with the same."""
DOUBT = 0.05
"""A p-value below this leaves a doubt."""
PERMUTATIONS = 4000
SUSPECT = 2.5
"""Standard deviations from which the p-value is taken from permutations rather than the normal law."""
SIMULATED = 20_000
"""Draws up to which permutations are affordable; sums over more are close to normal."""
ODD = math.sqrt(2 / 3)
"""Least odds of an odd count against an even one, see ``_doubles``."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """p-values of three ways to fail; each is small where independent draws would hardly agree so."""

    copies: float
    """Draws within a chunk agree more than draws of different chunks: one output was handed out several times."""
    repeats: float
    """Chunks agree with each other more than with themselves: they share random numbers."""
    doubles: float
    """Too few outputs of a chunk came an odd number of times: draws came in pairs."""

    @property
    def least(self) -> float:
        """The smallest of them."""
        return min(self.copies, self.repeats, self.doubles)

    @property
    def p(self) -> float:
        """Overall, corrected for three tests."""
        return min(1.0, 3 * self.least)

    @property
    def passed(self) -> bool:
        """Whether the draws may be taken as independent."""
        return self.p >= ALPHA

    @property
    def reason(self) -> str:
        """What is wrong, '' when nothing is."""
        if self.passed:
            return ""
        if min(self.copies, self.repeats) * 3 >= ALPHA:
            what = "outputs came in pairs: draws were handed out twice"
        elif self.copies < self.repeats:
            what = "draws within a chunk are copies of each other: n is not honoured"
        else:
            what = "chunks of a prompt repeat each other: they share seeds"
        return f"{what} (p = {self.p:.2g})"


@dataclass(frozen=True, slots=True)
class Probe:
    """What a few prompts show, drawn with one seed and with another, and the first of them again with the same."""

    drawn: bool
    """At least half of the draws asked for came; else nothing is shown and the rest says nothing."""
    repeatable: bool
    """The same seed gave the same draws: the run can be reproduced draw by draw."""
    identical: float
    """p-value of two seeds that gave the same counts for every prompt; 1 where they did not."""
    duplicates: Duplicates
    draws: int = 0
    """Draws that it took."""

    @property
    def passed(self) -> bool:
        """Whether different seeds give independent draws, as far as so few can show."""
        return self.drawn and self.identical >= ALPHA and self.duplicates.passed

    @property
    def reason(self) -> str:
        """What is wrong, '' when nothing is."""
        if not self.drawn:
            return "not probed: most of the probe's draws failed"
        if self.identical < ALPHA:
            return f"two seeds gave the same draws (p = {self.identical:.2g})"
        return self.duplicates.reason


def outputs(draws: Iterable[Draw]) -> Counter[str]:
    """How often each output came; failed draws are no outputs."""
    seen: Counter[str] = Counter()
    for draw in draws:
        if draw.finish != "failed":
            seen[f"{draw.finish}\x00{draw.text}"] += draw.count
    return seen


def probe(engine: Draws, requests: Sequence[Request], others: Sequence[Request], sampling: Sampling) -> Probe:
    """Draw a few from some prompts with the seeds of ``requests`` and with those of ``others``.

    Draws that differ from seed to seed, and do not agree too often, are enough at once. Else more prompts and then
    more draws are asked for, so that a model that is sure of an answer is told from seeds that are not honoured.
    """

    def draw(given: Sequence[Request], n: int) -> list[Counter[str]]:
        few = [replace(r, n=min(n, engine.max_chunk)) for r in given]
        found = {(r.context, r.prompt): outputs(draws) for r, draws in engine.draw(few, sampling)}
        return [found[r.context, r.prompt] for r in few]

    taken = STAGES[0][1]
    again = draw(requests[:1], taken)
    repeatable = False
    for stage, (prompts, n) in enumerate(STAGES):
        first, other = draw(requests[:prompts], n), draw(others[:prompts], n)
        repeatable = repeatable or (not stage and first[:1] == again)
        pairs = list(zip(first, other, strict=True))
        asked = 2 * len(pairs) * min(n, engine.max_chunk)
        taken += asked
        drawn = 2 * sum(a.total() + b.total() for a, b in pairs) >= asked
        result = Probe(drawn, repeatable, _identical(pairs), duplicates(pairs), taken)
        sure = first != other or prompts == PROBED
        if not result.passed or (sure and min(result.identical, result.duplicates.least) >= DOUBT):
            break
    return result


def _identical(pairs: Sequence[tuple[Counter[str], Counter[str]]]) -> float:
    """How likely all pairs of chunks have the same counts, given each pair's counts together."""
    if any(a != b for a, b in pairs):
        return 1.0
    # Of the ways to deal 2n draws to two chunks of n, those that halve the count of each output.
    log_p = sum(
        sum(_log_choose(2 * k, k) for k in counts.values()) - _log_choose(2 * counts.total(), counts.total())
        for counts, _ in pairs
    )
    return math.exp(log_p)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def duplicates(prompts: Iterable[Chunks], seed: int = 0) -> Duplicates:
    """Test all prompts of a run together.

    Args:
        prompts: the chunks of each prompt, with their outputs' counts.
        seed: of the permutations.
    """
    tables = [table for chunks in prompts if len(table := _table(chunks)) and table.sum() > 1]
    copies, repeats = _agreement([t for t in tables if t.shape[0] > 1], seed)
    return Duplicates(copies, repeats, _doubles(tables))


def _table(chunks: Chunks) -> NDArray[np.int64]:
    """Chunks x outputs."""
    places = {output: i for i, output in enumerate(dict.fromkeys(o for chunk in chunks for o in chunk))}
    table = np.zeros((len(chunks), len(places)), dtype=np.int64)
    for row, chunk in zip(table, chunks, strict=True):
        for output, count in chunk.items():
            row[places[output]] = count
    kept: NDArray[np.int64] = table[table.sum(1) > 0]
    return kept


def _pairs(sizes: NDArray[np.int64]) -> float:
    """Pairs of members of one group."""
    return float((sizes * (sizes - 1) // 2).sum())


def _meeting(sizes: NDArray[np.int64]) -> float:
    """Pairs of such pairs that share a member."""
    return float((sizes * ((sizes - 1) * (sizes - 2) // 2)).sum())


def _moments(table: NDArray[np.int64]) -> tuple[float, float, float]:
    """Pairs of draws alike in chunk and output: observed, and mean and variance under permutation (Mantel, 1967)."""
    seen, n = _pairs(table.ravel()), float(table.sum())
    groups = (table.sum(0), table.sum(1))
    (a, b), (meet_a, meet_b) = (tuple(f(g) for g in groups) for f in (_pairs, _meeting))
    pairs, meetings = n * (n - 1) / 2, n * (n - 1) * (n - 2) / 2
    apart = pairs * (pairs - 1) / 2 - meetings
    mean = a * b / pairs
    square = mean + 2 * (meet_a * meet_b / meetings if meetings else 0.0)
    if apart > 0:
        square += 2 * (a * (a - 1) / 2 - meet_a) * (b * (b - 1) / 2 - meet_b) / apart
    return seen, mean, max(square - mean**2, 0.0)


def _agreement(tables: Sequence[NDArray[np.int64]], seed: int) -> tuple[float, float]:
    """p-values of too many and too few agreeing pairs within chunks, all prompts together."""
    moments = np.array([_moments(t) for t in tables]).reshape(-1, 3)
    seen, mean, variance = moments.sum(0)
    if variance <= 0:
        return 1.0, 1.0
    z = (seen - mean) / math.sqrt(variance)
    telling = [t for t, (_, _, v) in zip(tables, moments, strict=True) if v > 0]
    if abs(z) < SUSPECT or sum(int(t.sum()) for t in telling) > SIMULATED:
        return float(stats.norm.sf(z)), float(stats.norm.cdf(z))
    observed = sum(_pairs(t.ravel()) for t in telling)
    simulated = _permuted(telling, np.random.default_rng(seed))
    above = (1 + int((simulated >= observed).sum())) / (PERMUTATIONS + 1)
    below = (1 + int((simulated <= observed).sum())) / (PERMUTATIONS + 1)
    return above, below


def _permuted(tables: Sequence[NDArray[np.int64]], rng: np.random.Generator) -> NDArray[np.int64]:
    """Agreeing pairs within chunks, with the draws of each prompt dealt to its chunks at random."""
    total = np.zeros(PERMUTATIONS, dtype=np.int64)
    for table in tables:
        # Outputs that came once agree with nothing: they share a column that is not counted.
        counts = np.concatenate([[table.sum() - (often := table.sum(0)[table.sum(0) > 1]).sum()], often])
        labels = np.repeat(np.arange(len(counts)), counts)
        cells = len(table) * len(counts)
        places = np.repeat(np.arange(len(table)), table.sum(1)) * len(counts)
        step = max(1, 2_000_000 // max(cells, len(labels)))
        for start in range(0, PERMUTATIONS, step):
            size = min(step, PERMUTATIONS - start)
            dealt = rng.permuted(np.broadcast_to(labels, (size, len(labels))).copy(), axis=1)
            codes = dealt + places + np.arange(size)[:, None] * cells
            found = np.bincount(codes.ravel(), minlength=size * cells).reshape(size, len(table), -1)[:, :, 1:]
            total[start : start + size] += (found * (found - 1) // 2).sum((1, 2))
    return total


def _doubles(tables: Sequence[NDArray[np.int64]]) -> float:
    """p-value of too few odd counts, for any law and any n.

    Of one chunk, let d be its distinct outputs and K the number of them with an odd count. Take a vector of counts,
    and raise by one half of any 2t of its even counts and lower the other half, or the other way round. The
    multinomial probabilities of the two vectors so reached have a geometric mean of at least (2/3)^t of the first
    one's, because x / (x + 1) is 2/3 or more from x = 2 on. Summed over vectors, this says that P(K = k) falls no
    faster towards small k than C(d, k) c^k with c = sqrt(2/3), over the k that have the parity of the chunk's draws.
    So K is never stochastically smaller than that law, whatever the outputs' probabilities are and whichever outputs
    were seen. The p-value is Chernoff's bound on the sum over all chunks.
    """
    rows = [row[row > 0] for table in tables for row in table]
    if not rows:
        return 1.0
    seen = sum(int((row % 2).sum()) for row in rows)
    shapes = Counter((len(row), int(row.sum()) % 2) for row in rows)
    d, odd, times = (np.array(v) for v in zip(*((*shape, k) for shape, k in shapes.items()), strict=True))

    def log_sum(u: float) -> NDArray[np.float64]:
        """Logarithm of twice the sum of C(d, k) u^k over the k of one parity."""
        ratio = d * (math.log1p(-u) - math.log1p(u))
        return d * math.log1p(u) + np.where(odd, np.log(-np.expm1(ratio)), np.log1p(np.exp(ratio)))

    still = log_sum(ODD)

    def bound(s: float) -> float:
        """Logarithm of Chernoff's bound with the factor exp(-s) on each odd count."""
        return s * seen + float(times @ (log_sum(ODD * math.exp(-s)) - still))

    found = optimize.minimize_scalar(bound, bounds=(0, 25), method="bounded")
    return math.exp(min(0.0, float(found.fun), bound(25.0)))
