"""Recipes: all hyper-parameters of a method, from its own file, a user's file and single settings."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from harness.errors import UserError, nearest
from harness.files import Document, load_yaml, validate
from harness.raw import at_home

if TYPE_CHECKING:
    from collections.abc import Sequence

R = TypeVar("R", bound="Recipe")
Schedule = Literal[
    "constant",
    "constant_with_warmup",
    "linear",
    "cosine",
    "cosine_with_restarts",
    "polynomial",
    "inverse_sqrt",
]
"""Those of transformers that need nothing but a length and a warm-up."""
Precision = Literal["auto", "bf16", "fp32"]
RetentionLoss = Literal["ce", "kl"]
"""Cross-entropy on texts, or the distance from the frozen base on them."""
LogTo = Literal["none", "trackio", "wandb"]
Pooling = Literal["distinct", "all"]
"""Rows that are the same: trained on once with their number as weight, or one after another."""
RECIPE = "recipe.yaml"
TINY = "recipe_tiny.yaml"
"""For the tiny models that come with distalign."""
REAL = "recipe_real.yaml"
"""For small real models on a machine of two cores."""
FOLDER = Path(__file__).parent
TEXTS = {"neutral": FOLDER / "neutral.txt", "tiny": FOLDER / "seed" / "retained.txt"}
"""Texts about nobody that come with distalign: English ones, and such as the tiny models were trained on."""
SENTENCES = "sentences"
"""In walf: the sentences that are trained on, in place of texts."""


class Recipe(BaseModel):
    """What every method's recipe may hold. Defaults live in the method's ``recipe.yaml``, with their sources."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(ge=0)

    def retained(self) -> Path | None:
        """The file of the texts that are retained, if any."""
        return None

    def precision_asked(self) -> Precision | None:
        """The precision to train in; None where nothing is trained."""
        return None


class TuningRecipe(Recipe):
    """Hyper-parameters of whatever trains a model's weights."""

    adapter: Literal["lora", "full"]
    lora_r: int = Field(ge=1)
    lora_alpha: int = Field(ge=1)
    lora_dropout: float = Field(ge=0, lt=1)
    lora_targets: str | list[str]
    precision: Precision
    gradient_accumulation: int = Field(ge=1)
    gradient_checkpointing: bool
    weight_decay: float = Field(ge=0)
    max_grad_norm: float = Field(gt=0)
    warmup: float = Field(ge=0)
    """Below 1 a fraction of the steps, from 1 on a number of steps."""
    schedule: Schedule
    gamma: float = Field(ge=0)
    """Weight of the retention term, which keeps the model's language (``retention.py``)."""
    retention_text: str
    """A name in ``TEXTS``, or a file with a text a line."""
    retention_rows: int = Field(ge=0)
    """How many of them a step (of a masked model: how many of their tokens); 0 is all."""
    max_length: int = Field(ge=8)
    log_to: LogTo = Field(exclude=True)
    """Where losses are shown. The weights do not depend on it, so it is no part of a training's identity."""

    @field_validator("log_to")
    @classmethod
    def _installed(cls, log_to: LogTo) -> LogTo:
        if log_to != "none" and find_spec(log_to) is None:
            raise ValueError(f"needs the package {log_to}, which is not installed: pip install {log_to}")
        return log_to

    def retained(self) -> Path | None:
        """The file of the texts that are retained, if any."""
        if not self.gamma or self.retention_text == SENTENCES:
            return None
        path = TEXTS.get(self.retention_text) or at_home(self.retention_text)
        if not path.is_file():
            raise UserError(
                "no such texts",
                where="retention_text",
                found=self.retention_text,
                expected=", ".join(TEXTS) + f", a file with a text a line, or in walf {SENTENCES}",
                nearest=nearest(self.retention_text, TEXTS),
            )
        return path

    def precision_asked(self) -> Precision | None:
        """The precision to train in."""
        return self.precision


class StagedRecipe(TuningRecipe):
    """Hyper-parameters of methods that train in stages of TRL's trainers."""

    save_steps: int = Field(ge=1)


class TrainingRecipe(StagedRecipe):
    """Hyper-parameters of methods that train on rows of a prompt and an answer, made from a target."""

    rows: int = Field(ge=1)
    """Training rows per context."""
    pooling: Pooling = Field(default="all", exclude_if=lambda value: value == "all")
    """Whether each distinct row is trained on once an epoch; ``all`` is what records without it were trained with."""


def read_recipe(kind: type[R], own_file: Path, file: Path | None = None, settings: Sequence[str] = ()) -> R:
    """A method's recipe, with a user's file on top of it and ``key=value`` settings on top of both."""
    own = load_yaml(own_file)
    data = _mapping(own)
    recipe = validate(kind, Document(own.path, data, own.lines))
    if file is not None:
        given = load_yaml(file)
        for key in _mapping(given):
            _known(key, kind, given.where(key))
        data |= _mapping(given)
        recipe = validate(kind, Document(file, data, given.lines))
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UserError("a setting is KEY=VALUE", where="--set", found=setting, expected="seed=1")
        _known(key, kind, "--set")
        try:
            data[key] = _number(yaml.safe_load(value))
        except yaml.YAMLError:
            raise UserError("a value that cannot be read", where=f"--set {key}", found=value) from None
        recipe = validate(kind, Document(Path(f"--set {key}"), data, {}))
    return recipe


def _mapping(doc: Document) -> dict[str, object]:
    if not isinstance(doc.data, dict):
        raise UserError("not a mapping", where=doc.where(), found=doc.data, expected="key: value")
    return {str(k): _number(v) for k, v in doc.data.items()}


def _number(value: object) -> object:
    """YAML 1.1 takes 1e-4 for text: a number needs a dot in it there."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _known(key: str, kind: type[Recipe], where: str) -> None:
    if key not in kind.model_fields:
        raise UserError(
            f"the recipe has no {key!r}",
            where=where,
            expected=", ".join(kind.model_fields),
            nearest=nearest(key, kind.model_fields),
        )
