"""Engines over a known distribution for Ray's workers, which import them by name."""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UserError
from harness.sampling.base import ModelCard
from harness.terms import Draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.sampling.base import Engine, Settled
    from harness.terms import Request, Sampling

TEXTS = ("female", "male", "either")
SHARES = (0.5, 0.3, 0.2)


@dataclass(frozen=True)
class Known:
    """Makes the engine; ``fatal`` names the context at which a worker dies, at most ``deaths`` times."""

    folder: str
    fatal: str = ""
    deaths: int = 0
    broken: bool = False

    def __call__(self) -> Engine:
        if self.broken:
            raise UserError("no such model folder", where="ghost")
        return KnownEngine(self)


class KnownEngine:
    max_chunk = 100

    def __init__(self, spec: Known) -> None:
        self._spec = spec
        self._folder = Path(spec.folder)
        (self._folder / f"worker-{os.getpid()}").touch()

    def card(self) -> ModelCard:
        return ModelCard(model="known", engine={"name": "known"})

    def render(self, request: Request) -> str:
        return request.text.upper()

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        # In an order that no second attempt repeats, as with engines that yield what is complete first.
        for i in np.random.default_rng().permutation(len(requests)):
            request = requests[i]
            if request.context == self._spec.fatal:
                self._die()
            picks = np.random.default_rng(request.seed).choice(TEXTS, request.n, p=SHARES)
            yield request, [Draw(str(t), c, tokens=1) for t, c in Counter(picks).items()]

    def _die(self) -> None:
        for i in range(self._spec.deaths):
            try:
                (self._folder / f"death-{i}").touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)

    def close(self) -> None:
        """Nothing to give back."""
