"""Mutated files of every kind that comes from outside give a result or one message, soon and in little memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults import fuzz_boards, fuzz_files, fuzz_imports, fuzz_models, fuzz_servers
from tests.faults.fuzzing import FEW, MANY, Entry, fuzz

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Made = Callable[[str], Mapping[str, Entry]]

KINDS = {
    "files": fuzz_files,
    "imports": fuzz_imports,
    "servers": fuzz_servers,
    "boards": fuzz_boards,
    "models": fuzz_models,
}
SLOW = ("boards", "models")
"""Whole commands read these, or a model is loaded from them."""
EVERY = [(kind, name) for kind, module in KINDS.items() for name in module.NAMES]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    found: dict[str, Mapping[str, Entry]] = {}

    def of(kind: str) -> Mapping[str, Entry]:
        if kind not in found:
            folder = tmp_path_factory.mktemp(kind)
            KINDS[kind].write_all(folder)
            found[kind] = KINDS[kind].entries(folder)
        return found[kind]

    return of


@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.slow] * (k in SLOW)) for k in KINDS])
def test_every_entry_is_tried_and_reads_what_it_should(kind: str, made: Made) -> None:
    assert set(KINDS[kind].NAMES) == set(made(kind))
    for entry in made(kind).values():
        entry.read()


@pytest.mark.parametrize(("kind", "name"), [one for one in EVERY if one[0] not in SLOW])
def test_a_few_mutants(kind: str, name: str, made: Made) -> None:
    fuzz(made(kind)[name], FEW)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_many_mutants(kind: str, name: str, made: Made) -> None:
    fuzz(made(kind)[name], MANY)
