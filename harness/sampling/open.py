"""Opens the engine that a model string names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import UserError, nearest
from harness.plaintext import storable
from harness.progress import phase
from harness.sampling import engines
from harness.sampling.base import can
from harness.sampling.spec import AUTO, Named, Opener, Opening

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.sampling.base import Engine, ModelCard
    from harness.sampling.spec import EngineSpec
    from harness.tasks.target import Target
    from harness.tasks.task import Task
    from harness.terms import Measure


def parse(model: str, backend: str = AUTO) -> Named:
    """The engine of a model string, a path or hub id or ``PREFIX:rest``, and what the string says to it."""
    specs = {spec.name: spec for spec in engines.ENGINES}
    if backend not in (AUTO, *specs):
        raise UserError("unknown backend", where="--backend", **_one_of(backend, (AUTO, *specs)))
    if not storable(model):
        raise UserError("not a model", found=repr(model), expected="UTF-8 without null bytes")
    if not model.strip():
        raise UserError("an empty model string", expected="a path, a hub id, or ENGINE:NAME")
    head, colon, rest = model.partition(":")
    if not colon or head not in specs:
        if colon and _is_misspelt(head, rest, specs):
            raise UserError("unknown engine in the model string", where=model, **_one_of(head, specs))
        return _named(engines.ENGINES[0] if backend == AUTO else specs[backend], model)
    found = specs[head]
    if backend in (AUTO, head):
        return _named(found, rest)
    if specs[backend].carries and not (found.carries or found.of_task):
        return _named(specs[backend], model)
    raise UserError(
        f"the model string names engine {head!r} and --backend another",
        where=model,
        found=backend,
        expected=head,
    )


def _named(spec: EngineSpec, rest: str) -> Named:
    if not rest:
        raise UserError("a model string without a model", where=f"{spec.name}:", expected=f"{spec.name}:NAME")
    if spec.check is not None:
        spec.check(rest)
    if not spec.carries:
        return Named(spec, rest)
    inner = parse(rest)
    if inner.spec.carries or inner.spec.of_task:
        raise UserError(
            f"{spec.name}: cannot carry this engine",
            where=f"{spec.name}:{rest}",
            found=inner.spec.name,
            expected=", ".join(s.name for s in engines.ENGINES if not (s.carries or s.of_task)),
        )
    return Named(spec, rest, inner)


def _is_misspelt(head: str, rest: str, specs: Iterable[str]) -> bool:
    """Whether what stands before the colon is meant for an engine's name and is none."""
    word = head.isalpha() and len(head) > 1 and not rest.startswith("//")
    return word and bool(nearest(head, specs))


def _one_of(found: str, known: Iterable[str]) -> dict[str, Any]:
    names = list(known)
    return {"found": found, "expected": ", ".join(names), "nearest": nearest(found, names)}


def open_engine(
    named: Named,
    options: Mapping[str, object] | None = None,
    measure: Measure = "draws",
    task: Task | None = None,
    targets: Mapping[str, Target] | None = None,
) -> Engine:
    """Open an engine that can do a measure.

    Args:
        named: the engine and what the model string says to it.
        options: its options by key; None is not given. An option that it does not take is refused.
        measure: what it has to do.
        task: what is asked, for an engine that is made for a task.
        targets: attribute -> target, likewise.
    """
    given = _checked(named, options or {})
    spec = named.spec
    if measure not in spec.measures:
        raise UserError(
            f"this engine cannot do the {measure} measure",
            where="--measure",
            found=named.model,
            expected="an engine that can: "
            + ", ".join(s.name for s in engines.ENGINES if measure in s.measures),
            hint=f"--measure {spec.measures[0]}, or a model string of another engine",
        )
    return _opener(named, given, measure, task, targets or {})()


def _opener(
    named: Named,
    given: Mapping[str, object],
    measure: Measure,
    task: Task | None,
    targets: Mapping[str, Target],
) -> Opener:
    own = {o.key for o in named.spec.options}
    others = {k: v for k, v in given.items() if k not in own}
    inner = _opener(named.inner, others, measure, task, targets) if named.inner else None
    mine = {k: v for k, v in given.items() if k in own}
    return Opener(named.spec, Opening(named.rest, mine, measure, task, targets, inner))


def _checked(named: Named, options: Mapping[str, object]) -> dict[str, object]:
    """The options that are given, each one that the engine takes."""
    taken = {o.key: o for o in named.options}
    given = {k: v for k, v in options.items() if v is not None}
    for key, value in given.items():
        option = taken.get(key)
        if option is None:
            raise UserError(
                f"{named.spec.name}: models do not take this option",
                where=named.model,
                found=key,
                expected=", ".join(taken) or "no option",
                nearest=nearest(key, taken),
            )
        if type(value) is not option.kind:
            raise UserError(
                f"not a value of the option {key}",
                where=named.model,
                found=value,
                expected={str: "a text", int: "a whole number", bool: "true or false"}[option.kind],
            )
    return given


def proven(card: ModelCard) -> bool:
    """Whether the random numbers of the engine that drew are ours, and held by tests."""
    name = card.engine.get("name")
    return any(spec.own_randomness for spec in engines.ENGINES if spec.name == name)


class Engines:
    """Opens engines and keeps the last one, so that a model is loaded once for all its tasks."""

    def __init__(self) -> None:
        self._key: object = None
        self._engine: Engine | None = None

    def open(
        self,
        model: str,
        task: Task,
        targets: Mapping[str, Target],
        backend: str = AUTO,
        options: Mapping[str, object] | None = None,
        measure: Measure = "draws",
    ) -> Engine:
        """The engine that a model string names, or the one at hand if it is the same; any other is closed first.

        Args:
            model: the model string.
            task: what is asked.
            targets: attribute -> target.
            backend: overrides the engine of a bare path or hub id.
            options: the engine's options.
            measure: what the engine has to do.
        """
        named = parse(model, backend)
        about = (task.hash, sorted((a, t.hash) for a, t in targets.items())) if named.spec.of_task else None
        key = (named, dict(options or {}), about)
        if self._engine is None or key != self._key or not can(self._engine, measure):
            self.close()
            # to import what an engine needs may take as long as to read a model
            with phase(f"loading {model}"):
                self._engine = open_engine(named, options, measure, task, targets)
                self._key = key
                self._engine.card()
        return self._engine

    def close(self) -> None:
        """Close what is open."""
        if self._engine is not None:
            self._engine.close()
        self._engine = None
