"""Which draws a run still needs: chunk sizes, and the missing requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.runs.folder import RETRY
from harness.runs.seeds import chunk_seed
from harness.terms import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.runs.folder import Chunk
    from harness.tasks.prompts import Rendered

MOST_CHUNKS = 100_000
"""Chunks of one prompt: far below ``RETRY``, and their plan is still small."""


def grow(plan: Sequence[int], n: int, largest: int) -> list[int]:
    """Chunk sizes that reach ``n`` draws per prompt: the old ones, then what is missing in pieces of ``largest``."""
    sizes = list(plan)
    missing = n - sum(sizes)
    if len(sizes) + missing / largest > MOST_CHUNKS:
        raise UserError(
            "n is more than this engine can be asked for",
            where="-n",
            found=n,
            expected=f"at most {MOST_CHUNKS * largest:,}: it gives {largest:,} draws at a time",
        )
    while missing > 0:
        sizes.append(min(missing, largest))
        missing -= sizes[-1]
    return sizes


def missing(
    plan: Sequence[int], rendered: Sequence[Rendered], present: Iterable[Chunk], seed: int
) -> list[Request]:
    """The requests that a plan still needs. What they are does not depend on when a run was interrupted."""
    drawn: dict[tuple[str, str, int], int] = {}
    attempts: dict[tuple[str, str, int], int] = {}
    for chunk in present:
        key = (chunk.context, chunk.prompt, chunk.chunk % RETRY)
        drawn[key] = drawn.get(key, 0) + chunk.n
        attempts[key] = max(attempts.get(key, 0), chunk.chunk // RETRY + 1)
    requests = []
    for index, size in enumerate(plan):
        for prompt in rendered:
            key = (prompt.context, prompt.prompt, index)
            short = size - drawn.get(key, 0)
            if short > 0:
                number = index + RETRY * attempts.get(key, 0)
                requests.append(
                    Request(
                        context=prompt.context,
                        prompt=prompt.prompt,
                        chunk=number,
                        n=short,
                        seed=chunk_seed(seed, prompt.context, prompt.prompt, number),
                        messages=prompt.messages,
                        text=prompt.text,
                    )
                )
    return requests


Key = tuple[str, str]
"""Context and prompt."""


def lacking(keys: Iterable[Key], n: int, held: Mapping[Key, float]) -> dict[Key, int]:
    """(context, prompt) -> draws that a plan of ``n`` has and the run does not hold; prompts that lack none are left out."""
    short = {key: n - int(held.get(key, 0)) for key in keys}
    return {key: left for key, left in short.items() if left > 0}


def told(lacks: Mapping[Key, int]) -> str:
    """What is lacking, in a line."""
    first = ", ".join(f"{context}/{prompt} {left}" for (context, prompt), left in list(lacks.items())[:3])
    more = f" and {len(lacks) - 3} more" if len(lacks) > 3 else ""
    return f"{sum(lacks.values()):,} draws of {len(lacks)} prompts are not there: {first}{more}"
