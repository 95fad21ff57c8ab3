"""``distalign.json`` in a checkpoint folder: how its outputs are read, and how it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, JsonValue, SerializerFunctionWrapHandler, model_serializer

from harness.records import Record, read

if TYPE_CHECKING:
    from pathlib import Path

FILE = "distalign.json"
"""Written last into a checkpoint's folder: where it is, the checkpoint is whole."""


class Contract(Record):
    """What an engine and a reader must know of a checkpoint; it travels into the identity of every run."""

    strip_leading: tuple[str, ...] = ()
    """Steering tokens: exactly one is taken off the very beginning of an answer before it is read."""
    labels: bool = False
    """A draw's text is its label (``known:`` models): no reader is asked."""
    sampled: bool = True
    """Whether an answer is a draw from the model's distribution; false where the model states shares in words."""
    method: str = ""
    """The method that made the checkpoint; '' for a model as it was published."""
    arm: str = ""
    """Which variant of the method."""
    attribute: str = ""
    """The attribute that it was trained on."""
    task: str = ""
    """The task that it was trained on."""
    target: str = ""
    """The target that it was trained towards."""
    base: str = ""
    """sha256 of the weights that it was made from."""

    def over(self, base: Contract) -> Contract:
        """This contract; what it does not state is its base's."""
        stated = {name: getattr(self, name) for name in self.model_fields_set}
        return base.model_copy(update=stated)

    @model_serializer(mode="wrap")
    def _stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, JsonValue]:
        """Only what was stated: a contract of nothing is ``{}``."""
        data: dict[str, Any] = handler(self)
        stated = {name: value for name, value in data.items() if name in self.model_fields_set}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in stated.items()}


class BaseRecord(Record):
    """The model that a training started from."""

    model: str
    """Hub id, or the full path of a local folder."""
    revision: str
    """Hub commit; '' for a folder."""
    weights: str
    """sha256 over the weight files."""


class TaskRecord(Record):
    """The task that was trained on."""

    name: str
    """The task's name."""
    version: int
    """Its version."""
    hash: str
    """Its hash."""


class TargetRecord(Record):
    """The target that was trained towards."""

    name: str
    """The target's name."""
    hash: str
    """Its hash."""


class ComputedRecord(Record):
    """How the machine computed: a stopped training is resumed with the same alone."""

    processes: int = 0
    """Processes that trained together; 0 where nothing was trained."""
    precision: str = ""
    """``bf16`` or ``fp32``."""


class CriticRecord(Record):
    """What said how far replies are from people's, in a training on preferences for people's replies."""

    score: Literal["critic", "features"]
    """A network, or the features of the replies themselves."""
    auc: float
    """The chance that a person's reply scores below the model's, no reply being one that the score was learned from."""
    low: float
    """Where its 95% interval begins."""
    high: float
    """Where its 95% interval ends."""
    features_auc: float
    """The same chance by the features themselves."""
    pairs: int
    """Pairs of a person's reply and the model's."""
    conversations: int
    """As many as open differently."""
    note: str = ""
    """What is to be known of the score; '' where it tells people from the model."""


class CheckpointRecord(Record):
    """The whole file. A checkpoint of others may state its contract alone."""

    schema_version: Literal[1] = Field(1, alias="schema")
    """Version of this file's form."""
    method: str = ""
    """The method that made it."""
    recipe: dict[str, JsonValue] = Field(default_factory=dict)
    """Every setting of the method's recipe."""
    base: BaseRecord | None = None
    """The model that it was made from."""
    task: TaskRecord | None = None
    """The task whose training part was used."""
    attribute: str = ""
    """The attribute that was trained."""
    target: TargetRecord | None = None
    """The target that it was trained towards, where there is one."""
    targets: dict[str, TargetRecord] = Field(default_factory=dict)
    """The targets where there are several: by attribute, or by name for people's replies."""
    corpora: tuple[str, ...] = ()
    """sha256 of each file of people's replies that it was trained on."""
    completions: str = ""
    """sha256 of the file of texts that was given; '' for none."""
    retained: str = ""
    """sha256 of the file of texts whose continuation was to stay as it is; '' for none."""
    computed: ComputedRecord = ComputedRecord()
    """How it was computed."""
    data_hash: str = ""
    """Digest of the rows that were trained on."""
    critic: CriticRecord | None = Field(default=None, exclude_if=lambda value: value is None)
    """What scored the replies, where a training was told by scores."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of the packages that trained it."""
    contract: Contract = Contract()
    """What reading its outputs needs."""


def read_contract(folder: Path) -> Contract:
    """The contract that a checkpoint's folder carries; an empty one where there is no file."""
    path = folder / FILE
    return read_checkpoint(folder).contract if path.is_file() else Contract()


def read_checkpoint(folder: Path) -> CheckpointRecord:
    """The record of a checkpoint's folder."""
    return read(folder / FILE, CheckpointRecord, hint="the training that made it, again, into another folder")
