"""The list of all methods. To add one, write its folder and enter it here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from baselines import dpo, klkto, polyalign, prompting, sft, walf
from harness.errors import UserError, nearest

if TYPE_CHECKING:
    from baselines.method import Method
    from baselines.needs import Subject
    from baselines.recipe import Recipe

METHODS: tuple[Method[Recipe, Subject], ...] = (
    dpo.METHOD,
    klkto.METHOD,
    polyalign.METHOD,
    prompting.METHOD,
    sft.METHOD,
    walf.METHOD,
)


def named(name: str) -> Method[Recipe, Subject]:
    """The method of this name."""
    known = {m.name: m for m in METHODS}
    if name not in known:
        raise UserError(
            "no such method",
            found=name,
            expected=", ".join(known),
            nearest=nearest(name, known),
            hint="distalign list methods",
        )
    return known[name]
