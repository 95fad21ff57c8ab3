"""``EngineSpec``: an engine's name, options, measures, packages and how it is opened, without importing it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.errors import missing_package

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.sampling.base import Engine
    from harness.tasks.target import Target
    from harness.tasks.task import Task
    from harness.terms import Measure

AUTO = "auto"
"""The backend of whoever names none."""


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of an engine: a flag on the command line, a key of ``Settings.engine`` in Python."""

    key: str
    help: str
    kind: type[str] | type[int] | type[bool] = str
    """An ``int`` is at least 1; a ``bool`` is a flag."""

    @property
    def flag(self) -> str:
        """As it is typed."""
        return "--" + self.key.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Opening:
    """All that an engine can be made from; each takes what it needs."""

    rest: str
    """What stands in the model string after the engine's prefix."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options that were given, by key; no others than the engine takes."""
    measure: Measure = "draws"
    task: Task | None = None
    targets: Mapping[str, Target] = field(default_factory=dict)
    """Attribute -> target."""
    inner: Opener | None = None
    """Makes the engine that this one carries."""


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """One engine. To add one: write its module, and enter its spec in ``harness.sampling.engines``."""

    name: str
    """Its prefix in a model string, its value of ``--backend``, its name in the manifest."""
    means: str
    """What stands after the prefix, for the help text."""
    measures: tuple[Measure, ...]
    """What it can do: the engine then has the methods of ``Draws``, ``Exact`` and ``Choices``."""
    open: Callable[[Opening], Engine]
    """Makes the engine; imports its module inside, so that a spec costs nothing to read."""
    options: tuple[Option, ...] = ()
    packages: tuple[str, ...] = ()
    """Packages whose versions are recorded with a run."""
    extra: str = ""
    """The extra of the installation that brings what it imports; '' where the core does."""
    own_randomness: bool = False
    """Its random numbers are ours, and held by tests: a run begins without a probe of the engine's seeds."""
    on_gpu: bool = False
    """Runs on a GPU where there is one."""
    of_task: bool = False
    """Made for one task and its targets, and opened anew for the next."""
    carries: bool = False
    """What stands after its prefix is a model string of another engine, whose options it takes too."""
    check: Callable[[str], object] | None = None
    """Refuses a mistake in what stands after the prefix, before anything is loaded."""


@dataclass(frozen=True, slots=True)
class Opener:
    """Makes an engine when it is called, in this process or another."""

    spec: EngineSpec
    opening: Opening

    def __call__(self) -> Engine:
        """Open the engine."""
        try:
            return self.spec.open(self.opening)
        except ModuleNotFoundError as error:
            if not self.spec.extra or error.name is None or error.name.startswith("harness"):
                raise
            raise missing_package(f"the engine {self.spec.name}", error.name, self.spec.extra) from error


class Named(NamedTuple):
    """The engine that a model string names, and what it says to it."""

    spec: EngineSpec
    rest: str
    inner: Named | None = None
    """The engine that this one carries."""

    @property
    def model(self) -> str:
        """The model string with its engine in front, whatever ``--backend`` said."""
        return f"{self.spec.name}:{self.rest}"

    @property
    def options(self) -> tuple[Option, ...]:
        """All options that may be given."""
        return self.spec.options + (self.inner.options if self.inner else ())
