"""What runs on the workers of a Ray cluster: copies of an engine, and a count of the batches they began."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from harness.sampling.base import drawing
from harness.terms import Message, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from ray.actor import ActorHandle

    from harness.sampling.base import Draws, Engine, ModelCard, Settled
    from harness.terms import Draw, Sampling

    Factory = Callable[[], Engine]

DEATHS = 4
"""So many workers may die of one batch before it is left to the next pipeline."""


class Ledger:
    """Counts how often each batch was begun.

    Ray starts dead workers again without end, also for a batch that kills them all.
    """

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, batch: int) -> int:
        """How often this batch was begun before."""
        self._begun[batch] += 1
        return self._begun[batch] - 1


class Replica:
    """One actor of the pool: opens its engine once and draws batch after batch."""

    def __init__(
        self, factory: Factory, sampling: Sampling, settled: Settled | None, ledger: ActorHandle[Ledger]
    ) -> None:
        self._factory = factory
        self._sampling = sampling
        self._settled = settled
        self._ledger = ledger
        self._engine: Draws | None = None

    def __call__(
        self, batch: Mapping[str, NDArray[np.generic]]
    ) -> Iterator[dict[str, list[int] | list[str]]]:
        """Draw a batch of packed requests; one row per request."""
        import ray

        if ray.get(self._ledger.begin.remote(int(batch["index"][0]))) >= DEATHS:
            return
        # Opened here and not in the constructor, whose errors reach the driver as text alone.
        self._engine = self._engine or drawing(self._factory())
        requests = {_unpacked(str(r)): int(i) for i, r in zip(batch["index"], batch["request"], strict=True)}
        for request, draws in self._engine.draw(list(requests), self._sampling, self._settled):
            yield {"index": [requests[request]], "draws": [json.dumps([asdict(d) for d in draws])]}


class Clerk:
    """One replica outside the pool."""

    def __init__(self, factory: Factory) -> None:
        self._factory = factory
        self._opened: Draws | None = None

    @property
    def _engine(self) -> Draws:
        self._opened = self._opened or drawing(self._factory())
        return self._opened

    def max_chunk(self) -> int:
        """The engine's largest chunk."""
        return self._engine.max_chunk

    def card(self) -> ModelCard:
        """The engine's card."""
        return self._engine.card()

    def render(self, request: Request) -> str:
        """A prompt as the engine writes it."""
        return self._engine.render(request)

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None
    ) -> list[tuple[Request, list[Draw]]]:
        """A few requests."""
        return list(self._engine.draw(requests, sampling, settled))


def _unpacked(text: str) -> Request:
    fields = json.loads(text)
    fields["messages"] = tuple(Message(**m) for m in fields["messages"])
    return Request(**fields)
