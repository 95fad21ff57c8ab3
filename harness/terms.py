"""Types that all packages share: prompts and requests, draws, and the outcomes without a class."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Finish = Literal["stop", "length", "settled", "failed"]
"""Why a draw ended: end of text or a stop string; the token cap; the reader's decision could no longer
change; or the engine gave no output."""

Measure = Literal["draws", "exact", "choices"]
"""How a distribution is obtained: n samples; enumerated; the normalised probability of each class's wordings."""

Invalid = Literal["unparsed", "refused", "truncated", "failed"]
INVALID: tuple[Invalid, ...] = ("unparsed", "refused", "truncated", "failed")
"""Outcomes that are no class. Classes + these = n x prompts, always."""


@dataclass(frozen=True, slots=True)
class Message:
    """One chat turn. A last turn with role ``assistant`` is a beginning that the model continues."""

    role: str
    content: str

    def turn(self) -> dict[str, str]:
        """As chat templates and servers take it."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters: the task's, always sent in full. The defaults are plain sampling."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    """0 is off."""
    max_tokens: int = 64
    stop: tuple[str, ...] = ()

    def told(self) -> str:
        """All of them in a line; no ``stop`` where there is none."""
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items() if value != ())


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


def gap(before: str, after: str) -> str:
    """The blank that written text has between words, where the script has one and neither side brings it."""
    return " " if before and not before[-1].isspace() and after[:1].isalnum() and after[:1] < "\u2e80" else ""


SLOT = "\ue000"
"""Stands in a prompt where the choices measure puts a wording: a private character that no prompt holds."""
READERS = 7
"""Version of the readers: raised whenever any text is read otherwise. A test holds what they read to it."""
FITTED = ".json"
"""How the path of a classifier ends that was fitted to labels; another names one of transformers."""
BETWEEN = "\x1f"
"""Joins the outcomes of several attributes into one name."""
