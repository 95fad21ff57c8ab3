"""Wordings in their place in a prompt, and the shares that their probabilities give. Needs no model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.terms import SLOT, gap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from harness.terms import Request


def fill(request: Request, wording: str) -> Request:
    """The request with its slot filled; one without a slot gets the wording as the beginning of the reply."""
    return replace(
        request,
        text=request.text.replace(SLOT, wording),
        messages=tuple(replace(m, content=m.content.replace(SLOT, wording)) for m in request.messages),
    )


def has_slot(request: Request) -> bool:
    """Whether a wording has a place inside the prompt."""
    return SLOT in request.text or any(SLOT in m.content for m in request.messages)


def written(
    request: Request, wordings: Sequence[str], render: Callable[[Request], str], *, templated: bool
) -> list[str]:
    """The whole text for each wording: the filled prompt, or the prompt with the wording as the reply.

    Args:
        request: the prompt.
        wordings: what goes into its place.
        render: a prompt as the model sees it.
        templated: it sees it in a chat template, after which a reply needs no blank.
    """
    if has_slot(request):
        return [render(fill(request, w)) for w in wordings]
    begun = not request.messages or request.messages[-1].role == "assistant"
    prompt = render(request)
    return [prompt + (gap(prompt, w) if begun or not templated else "") + w for w in wordings]


def shared(rows: Sequence[Sequence[int]]) -> int:
    """Tokens that all rows begin with."""
    same = 0
    while all(len(r) > same and r[same] == rows[0][same] for r in rows):
        same += 1
    return same


def normalised(labels: Sequence[str], logs: NDArray[np.float64]) -> dict[str, float]:
    """Each label's share of the probability of all wordings."""
    weights = np.exp(logs - logs.max())
    shares = dict.fromkeys(labels, 0.0)
    for label, weight in zip(labels, weights / weights.sum(), strict=True):
        shares[label] += float(weight)
    return shares
