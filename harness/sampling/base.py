"""What every engine shares: it takes requests and yields draws with counts as they are ready."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from harness.contract import Contract
from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.terms import Draw, Measure, Request, Sampling

    Settled = Callable[[str], bool]
    """True when no continuation of this text can change what the readers make of it."""


@dataclass(frozen=True, slots=True)
class Served:
    """What is known of a server, and what is not."""

    kind: str = ""
    """Its software, such as vLLM; '' where it does not say."""
    version: str = ""
    """Its version, '' where it does not say."""
    not_taken: tuple[str, ...] = ()
    """Fields of a call that it refused: its own default holds."""
    not_stated: tuple[str, ...] = ()
    """What it does not say, or may leave out of a call without a word."""
    set_aside: tuple[str, ...] = ()
    """Settings that the server holds for this model, such as ``top_k 20``, and that every call replaced."""
    adds: tuple[str, ...] = ()
    """What the server puts to prompts and outputs by itself, such as a system message."""

    def told(self) -> str:
        """Software and version, then what it does not take or say, what was replaced, and what it adds."""
        more = {
            "not taken": self.not_taken,
            "not stated": self.not_stated,
            "set aside": self.set_aside,
            "added by the server": self.adds,
        }
        name = f"{self.kind or 'not stated'} {self.version}".strip()
        return "; ".join([name, *(f"{k}: {', '.join(v)}" for k, v in more.items() if v)])


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
    contract: Contract = field(default_factory=Contract)
    """What the checkpoint's ``distalign.json`` says of reading its outputs."""
    engine: Mapping[str, str] = field(default_factory=dict)
    """name, package versions, what else the engine tells of itself."""
    server: Served | None = None
    """The server that answers, where the engine is one."""


class Engine(Protocol):
    """A model that can be asked. What it can be asked for are the protocols below: it has the methods it can do."""

    def card(self) -> ModelCard:
        """The identity of the model; may load it."""

    def render(self, request: Request) -> str:
        """The exact text that the model sees (chat template applied), or the messages as JSON on a server."""

    def close(self) -> None:
        """Give back processes and memory."""


@runtime_checkable
class Draws(Engine, Protocol):
    """Can sample. The sum of ``count`` over a request's draws is always its ``n``."""

    @property
    def max_chunk(self) -> int:
        """The largest ``n`` that one request should carry."""

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        """Yield each request with all its draws as soon as it is complete, in any order."""


class Ahead(NamedTuple):
    """What draws take."""

    seconds: float
    tokens: float


@runtime_checkable
class Foretells(Draws, Protocol):
    """Knows how far it is with draws, or with an enumeration, that have not ended."""

    def left(self) -> float | None:
        """Seconds until what was begun last has ended, or would have without its limit; None where nothing tells yet."""

    def forecast(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None, seconds: float
    ) -> Ahead:
        """What all draws of these requests would take, from so many seconds of drawing, or little more."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Where an enumeration ends with the bounds it has, if it has not ended by itself."""

    seconds: float | None = None
    forwards: int | None = None
    """Forward passes of the model."""
    kept: Path | None = None
    """Folder for what is known of the prompts that have not ended, so that a later call continues from there."""


NO_LIMIT = Limit()
TOO_LONG = "the prompt does not fit into the model's window"
"""How the error of a draw begins that no second try can mend."""


def too_long(tokens: int, window: int) -> str:
    """Why a prompt of so many tokens has no draws."""
    return f"{TOO_LONG}: it has {tokens} tokens and the window is {window}"


@runtime_checkable
class Exact(Engine, Protocol):
    """Can enumerate its outputs. ``n`` and ``seed`` of a request play no part."""

    def exact(
        self,
        requests: Sequence[Request],
        sampling: Sampling,
        classify: Callable[[Draw], str],
        settled: Settled | None = None,
        epsilon: float = 1e-3,
        limit: Limit = NO_LIMIT,
    ) -> Iterator[tuple[Request, Shares]]:
        """Yield each request with certain bounds on the share of each outcome that ``classify`` gives.

        An interrupt (Ctrl-C) is a limit too: every request is yielded, then it goes on its way.

        Args:
            requests: the prompts.
            sampling: temperature, top-p, top-k, stop strings and token cap, as in sampling.
            classify: the outcome of one output, as the readers give it.
            settled: true where no continuation of a text can change its outcome.
            epsilon: stop where less mass than this is undecided.
            limit: for all requests together; each then has the bounds that were found.
        """


@runtime_checkable
class Choices(Engine, Protocol):
    """Can score wordings."""

    def choices(
        self,
        requests: Sequence[Request],
        classes: Callable[[Request], Mapping[str, Sequence[str]]],
        about: Callable[[Request], str] | None = None,
    ) -> Iterator[tuple[Request, Shares]]:
        """Yield each request with the share of each of its classes; a prompt too long has the share 1 of ``failed``.

        Args:
            requests: prompts; ``SLOT`` in a message or the text is where a wording goes.
            classes: the wordings of each class, of a request.
            about: the word whose association with the wordings is measured, of a request; None measures the
                wordings' own probabilities.
        """


def can(engine: Engine, measure: Measure) -> bool:
    """Whether an engine has the methods of a measure."""
    match measure:
        case "draws":
            return isinstance(engine, Draws)
        case "exact":
            return isinstance(engine, Exact)
        case "choices":
            return isinstance(engine, Choices)


def drawing(engine: Engine) -> Draws:
    """The engine as one that samples; one that does not is refused."""
    if not isinstance(engine, Draws):
        raise cannot(engine, "draws")
    return engine


def cannot(engine: Engine, measure: Measure) -> UserError:
    """The error of an engine that lacks the methods of a measure."""
    return UserError(
        f"this engine cannot do the {measure} measure",
        where="--measure",
        found=engine.card().engine.get("name"),
    )


@dataclass(frozen=True, slots=True)
class Shares:
    """What the ``exact`` and ``choices`` measures give in place of draws: bounds on each outcome's share."""

    lower: Mapping[str, float]
    """Outcome (class, unparsed, refused, truncated) -> certain lower bound."""
    undecided: float
    """Probability mass not assigned yet; an outcome's upper bound is its lower bound plus this. 0 = exact."""
    ended: bool = True
    """False where a limit came first: asked again, with a larger one, it gets narrower bounds."""
