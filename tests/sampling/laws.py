"""Whether two samples come from one law: chi-square of homogeneity over outputs, pooled to an expected count of 5."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from harness.runs.seeds import chunk_seed
from harness.terms import Message, Request, Sampling
from tests.sampling.tiny import PEOPLE, question

if TYPE_CHECKING:
    from harness.sampling.base import Draws, Settled

ASK = Sampling(max_tokens=6)
Counts = dict[str, Counter[tuple[str, str]]]


def asked(n: int, seed: int = 0, chunks: int = 1) -> list[Request]:
    """The tiny model's questions, ``n`` draws in each of the chunks."""
    return [
        Request(p, "ask", k, n, chunk_seed(seed, p, "ask", k), (Message("user", question(p)),))
        for p in PEOPLE
        for k in range(chunks)
    ]


def counted(
    engine: Draws, requests: list[Request], sampling: Sampling = ASK, settled: Settled | None = None
) -> Counts:
    """Context -> (text, finish) -> draws; every request once and with all its draws."""
    out: Counts = {r.context: Counter() for r in requests}
    seen = set()
    for request, draws in engine.draw(requests, sampling, settled):
        assert request not in seen
        seen.add(request)
        assert sum(d.count for d in draws) == request.n
        for draw in draws:
            out[request.context][draw.text, draw.finish] += draw.count
    assert seen == set(requests)
    return out


def texts(counts: Counts) -> Counts:
    """The counts without the finish, which lm-eval does not tell."""
    out: Counts = {}
    for context, counter in counts.items():
        out[context] = Counter()
        for (text, _), count in counter.items():
            out[context][text, ""] += count
    return out


def homogeneity(one: Counts, other: Counts) -> float:
    """p-value of the hypothesis that in every context both come from one law."""
    statistic, freedom = 0.0, 0
    for context in one:
        a, b = one[context], other[context]
        share = min(a.total(), b.total()) / (a.total() + b.total())
        keys = sorted(a.keys() | b.keys())
        common = [k for k in keys if (a[k] + b[k]) * share >= 5]
        rest = (a.total() - sum(a[k] for k in common), b.total() - sum(b[k] for k in common))
        table = [(a[k], b[k]) for k in common]
        if sum(rest) * share >= 5:
            table.append(rest)
        elif table:
            last = table.pop()
            table.append((last[0] + rest[0], last[1] + rest[1]))
        if len(table) > 1:
            result = stats.chi2_contingency(np.array(table), correction=False)
            statistic += float(result.statistic)
            freedom += int(result.dof)
    assert freedom > 0, "nothing to compare"
    return float(stats.chi2.sf(statistic, freedom))
