"""What every engine shares: requests in, draws with counts out, streamed as they come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.terms import Draw, Request, Sampling

    Settled = Callable[[str], bool]
    """True when no continuation of this text can change what the readers make of it."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What was really sampled: goes into the manifest, word for word."""

    model: str
    """Name or path as the user gave it, without the engine's prefix."""
    revision: str = ""
    """Hub commit, where there is one."""
    weights: str = ""
    """sha256 over the weight files (names and contents), '' where they cannot be seen."""
    adapter: str = ""
    """Adapter path or id, '' for none; ``model`` is then its base."""
    adapter_weights: str = ""
    files: str = ""
    """sha256 over all else in its folders that decides the law: config, generation config, tokenizer, own code."""
    dtype: str = ""
    """In which the model ran, such as float32; '' where that cannot be seen."""
    device: str = ""
    """On which it ran, such as cpu or cuda; '' where that cannot be seen."""
    template: str = ""
    """sha256 of the chat template, '' when prompts are sent as plain text."""
    contract: Mapping[str, object] = field(default_factory=dict)
    """``distalign.json`` of the checkpoint: what a method needs when its outputs are read."""
    engine: Mapping[str, str] = field(default_factory=dict)
    """name, package versions, what else the engine tells of itself."""


class Engine(Protocol):
    """Anything that can sample. The sum of ``count`` over a request's draws is always its ``n``."""

    max_chunk: int
    """The largest ``n`` that one request should carry."""

    def card(self) -> ModelCard:
        """The identity of the model; may load it."""

    def render(self, request: Request) -> str:
        """The exact text that the model sees (chat template applied), or the messages as JSON on a server."""

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        """Yield each request with all its draws as soon as it is complete, in any order."""

    def close(self) -> None:
        """Give back processes and memory."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What the ``exact`` and ``choices`` measures give in place of draws: bounds on each outcome's share."""

    lower: Mapping[str, float]
    """Outcome (class, unparsed, refused, truncated) -> certain lower bound."""
    undecided: float
    """Probability mass not assigned yet; an outcome's upper bound is its lower bound plus this. 0 = exact."""
