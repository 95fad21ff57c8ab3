"""A person of a story, and whom of several it is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["person", "other", "kin", "thing"]


@dataclass(slots=True, eq=False)
class Person:
    """Somebody, or an animal or thing that a pronoun may mean."""

    kind: Kind
    gender: str = ""
    """m, f or ''; from a noun, a title or a name."""
    certain: bool = False
    """The gender comes from a noun or title, not from a name."""
    named: str = ""
    head: str = ""
    born: int = 0
    last: int = 0
    subject: bool = False
    """Of its last sentence."""
    weight: float = 0.0
    """How much the story is about them."""
    told: dict[str, float] = field(default_factory=lambda: {"m": 0.0, "f": 0.0})
    """What pronouns say."""
    paired: bool = False
    sentences: int = 0
    """In how many sentences they are named or meant."""
    acted: int = 0
    """When they were last a subject: the greater, the later."""
    passing: bool = False
    """Brought in as whose relation somebody is, or to say the first line: not yet whom the story is about."""


def leading(people: Sequence[Person]) -> Person | None:
    """Whom a story is about so far: the first person met has a start over the others."""
    cast = [p for p in people if p.kind == "person"] or [p for p in people if p.kind in ("kin", "other")]
    first = next((p for p in cast if not p.passing), None)
    return max(cast, key=lambda p: p.weight + (1.5 if p is first or p.paired else 0.0), default=None)
