"""What every engine shares: requests in, draws with counts out, streamed as they come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Settled = Callable[[str], bool]
    """True when no continuation of this text can change what the readers make of it."""

Finish = Literal["stop", "length", "settled", "failed"]
"""Why a draw ended: end of text or a stop string; the token cap; the reader's decision could no longer
change; or the engine gave no output."""


@dataclass(frozen=True, slots=True)
class Message:
    """One chat turn. A last turn with role ``assistant`` is a beginning that the model continues."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters: the task's, always sent in full. The defaults are plain sampling."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    """0 is off."""
    max_tokens: int = 64
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """``n`` independent draws from one prompt: one chunk, the unit that is sampled, stored and resumed."""

    context: str
    prompt: str
    """Prompt id; (context, prompt, chunk) is unique within a run."""
    chunk: int
    n: int
    seed: int
    """A 63-bit seed of this chunk alone. An engine that needs one seed per draw spawns them from it."""
    messages: tuple[Message, ...] = ()
    """Chat turns, for the model's chat template. Empty when ``text`` is sent as it is."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Draw:
    """One distinct output and how many of the chunk's ``n`` draws gave it."""

    text: str
    count: int = 1
    finish: Finish = "stop"
    tokens: int = 0
    """Generated tokens of one such draw."""
    error: str = ""
    """Why a ``failed`` draw has no text."""


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
    template: str = ""
    """sha256 of the chat template, '' when prompts are sent as plain text."""
    contract: Mapping[str, object] = field(default_factory=dict)
    """``distalign.json`` of the checkpoint: what a method needs when its outputs are read."""
    engine: Mapping[str, str] = field(default_factory=dict)
    """name, package versions, dtype, device."""


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


SLOT = "\ue000"
"""Stands in a prompt where the choices measure puts a wording: a private character that no prompt holds."""
BETWEEN = "\x1f"
"""Joins the outcomes of several attributes into one name."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What the ``exact`` and ``choices`` measures give in place of draws: bounds on each outcome's share."""

    lower: Mapping[str, float]
    """Outcome (class, unparsed, refused, truncated) -> certain lower bound."""
    undecided: float
    """Probability mass not assigned yet; an outcome's upper bound is its lower bound plus this. 0 = exact."""
