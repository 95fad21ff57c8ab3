"""``Method`` and ``Job``: what a method's folder exports, and what its training function is given."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from baselines.needs import Asked, Need, S_co, Subject
from baselines.output import STAGES
from baselines.recipe import RECIPE, Recipe, read_recipe
from harness.contract import BaseRecord, CheckpointRecord, Contract, CriticRecord
from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.sampling.hf.source import Source

R_co = TypeVar("R_co", bound=Recipe, covariant=True)


@dataclass(frozen=True, slots=True)
class Job(Generic[R_co, S_co]):
    """What is trained on what, to where."""

    method: str
    recipe: R_co
    about: S_co
    source: Source
    out: Path

    def stage(self, name: str) -> Path:
        """The folder of one of its stages."""
        return self.out / STAGES / name

    def base(self) -> BaseRecord:
        """The model it starts from: a hub id and its commit, or a folder by its full path."""
        from harness.sampling.hf.source import weights_digest

        local = Path(self.source.name).exists()
        return BaseRecord(
            model=str(Path(self.source.name).resolve()) if local else self.source.name,
            revision=self.source.revision,
            weights=weights_digest(self.source.folder),
        )

    def identity(self) -> CheckpointRecord:
        """All that decides the weights that come out."""
        from baselines.policy import computed

        retained, stated = self.recipe.retained(), self.about.stated()
        return CheckpointRecord(
            schema_version=1,
            method=self.method,
            recipe=self.recipe.model_dump(mode="json"),
            base=self.base(),
            task=stated.task,
            attribute=stated.attribute,
            target=stated.target,
            targets=dict(stated.targets),
            corpora=stated.corpora,
            completions=stated.completions,
            retained=hashlib.sha256(retained.read_bytes()).hexdigest() if retained else "",
            computed=computed(self.recipe.precision_asked()),
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """What a method hands back."""

    final: Path
    """Folder with the model or adapter, its tokenizer and its chat template."""
    data_hash: str
    contract: Contract
    """What reading the checkpoint's outputs needs."""
    critic: CriticRecord | None = None
    """What scored the replies that it was trained on, if anything did."""


class Training(NamedTuple):
    """A job, and what trains it, resuming whatever an earlier run left."""

    job: Job[Recipe, Subject]
    run: Callable[[], Trained]


class Call(NamedTuple):
    """A call of ``distalign train``, without the method's name."""

    model: str
    revision: str
    asked: Asked
    out: Path
    recipe: Path | None
    settings: Sequence[str]
    trust_pickle: bool = False


@dataclass(frozen=True, slots=True)
class Method(Generic[R_co, S_co]):
    """One way to bring a model to a target; ``baselines/NAME/`` is all of it.

    A method only ever trains jobs that it made itself, of its own kind of recipe and need; so methods of different
    kinds stand in one list.
    """

    folder: Path
    """Its own folder, with ``recipe.yaml`` and perhaps ``recipe_tiny.yaml``; the folder's name is the method's."""
    recipe: type[R_co]
    need: Need[S_co]
    fit: Callable[[Job[R_co, S_co]], Trained]
    masked: bool = False
    """Whether it trains masked models too, which do not write."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.folder.name

    @property
    def recipe_file(self) -> Path:
        """All its settings, with where their values come from."""
        return self.folder / RECIPE

    @property
    def title(self) -> str:
        """The first sentence of its recipe, which says what it is."""
        return self.recipe_file.read_text(encoding="utf-8").removeprefix("# ").partition(".")[0]

    def read_recipe(self, file: Path | None = None, settings: Sequence[str] = ()) -> R_co:
        """Its recipe, with a user's file on top of it and ``key=value`` settings on top of both."""
        return read_recipe(self.recipe, self.recipe_file, file, settings)

    def training(self, call: Call) -> Training:
        """What a call asks for, read and checked; nothing is written."""
        recipe = self.read_recipe(call.recipe, call.settings)
        about = self.need.about(self.name, call.asked)
        job = Job(self.name, recipe, about, _whole_model(call, self.masked), call.out)
        return Training(job, partial(self.fit, job))


def _whole_model(call: Call, masked: bool) -> Source:
    from harness.sampling.hf.source import find, refuse_masked

    source = find(call.model, call.revision, trust_pickle=call.trust_pickle)
    if source.base is not None:
        raise UserError(
            "this is an adapter; training starts from a whole model",
            where=call.model,
            hint="merge it into its base with peft's merge_and_unload first",
        )
    if not masked:
        refuse_masked(source)
    return source
