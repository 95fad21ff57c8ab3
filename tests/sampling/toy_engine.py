"""An engine that the house does not know: all of it is this file and one entry in the list of engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.sampling.base import ModelCard
from harness.sampling.spec import EngineSpec, Option
from harness.terms import Draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.sampling.base import Settled
    from harness.sampling.spec import Opening
    from harness.terms import Request, Sampling

WORDS = ("male", "female")


class Coin:
    """Tosses ``male`` or ``female``; ``bias`` per cent are male."""

    max_chunk = 40

    def __init__(self, name: str, bias: int = 50) -> None:
        self.name, self.share = name, bias / 100

    def card(self) -> ModelCard:
        return ModelCard(self.name, weights=str(self.share), engine={"name": "coin"})

    def render(self, request: Request) -> str:
        return f"toss: {request.text or request.messages[-1].content}"

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        for request in requests:
            male = int(np.random.default_rng(request.seed).binomial(request.n, self.share))
            counts = zip(WORDS, (male, request.n - male), strict=True)
            yield request, [Draw(word, count, "stop", 1) for word, count in counts if count]

    def close(self) -> None:
        pass


def _open(ask: Opening) -> Coin:
    return Coin(ask.rest, **ask.options)


SPEC = EngineSpec(
    "coin",
    "NAME, a coin that is tossed",
    ("draws",),
    _open,
    (Option("bias", "Per cent of the tosses that are male.", int),),
    ("click",),
    own_randomness=True,
)
