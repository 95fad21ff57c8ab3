"""The keys of a task file: the type of each, and what it may hold."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from harness.errors import form
from harness.terms import INVALID

Split = Literal["train", "validation", "test"]
Wordings = Literal[Split, "many"]
"""Sets of prompts. "many" are asked beside those of "test" where that is asked for."""
_NAMED = form(
    r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", "letters A to Z, digits, _ . -; a letter or a digit comes first"
)
Name = Annotated[str, StringConstraints(pattern=_NAMED, max_length=80)]
"""A name that becomes a file's."""
Label = Annotated[
    str,
    StringConstraints(
        pattern=form(r"^[^\x00-\x1f\x7f,]+$", "a text on one line, without a comma"),
        max_length=200,
        strip_whitespace=True,
    ),
]
"""A name in any script: of an attribute or a class."""
_NUMBER = re.compile(r"[-+]?\d{1,15}(\.\d{1,15})?", re.ASCII)
RESERVED = {*INVALID, "settled"}


class StrictFile(BaseModel):
    """A mapping in a file that a person writes: unknown keys are mistakes, a number may stand for a text."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Turn(StrictFile):
    """One chat message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class PromptSpec(StrictFile):
    """One wording of the question: a Jinja template over ``context``."""

    id: Name
    split: Wordings = "test"
    text: str | None = None
    """One user turn."""
    messages: list[Turn] | None = None
    """Chat turns with history; a last assistant turn is a beginning that the model continues."""
    completion: str | None = None
    """Plain text that the model continues, without a chat template."""
    contexts: list[str] | None = None
    """Where it is asked; everywhere when left out."""
    reference: str | None = None
    """What a person replied. A model's replies are compared with it; no template and no model sees it."""
    conversation: str = ""
    """A hash of the conversation that it is from: prompts of one conversation are not independent."""

    @model_validator(mode="after")
    def _one_form(self) -> PromptSpec:
        given = [k for k in ("text", "messages", "completion") if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a prompt has one of text, messages, completion; this one has {given or 'none'}"
            )
        if self.messages is not None and not self.messages:
            raise ValueError("messages must hold at least one turn")
        return self

    def asked(self) -> dict[str, object]:
        """Its keys, for the task's hash; a prompt that is not of people has the hash it had before there were any."""
        people = {"reference": self.reference, "conversation": self.conversation}
        return self.model_dump(exclude={name for name, given in people.items() if not given})

    def templates(self) -> list[str]:
        """Its Jinja sources in order."""
        if self.messages is not None:
            return [m.content for m in self.messages]
        return [self.text if self.text is not None else self.completion or ""]


class ExampleSpec(StrictFile):
    """A labelled text that the reader is measured on."""

    text: str
    label: str
    cut: bool = False
    """The token cap ended it."""
    context: str = ""
    note: str = ""


class SamplingSpec(StrictFile):
    """Sampling parameters of a task; what is left out is plain sampling."""

    temperature: float = Field(1.0, ge=0, le=10)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    max_tokens: int = Field(64, ge=1, le=100_000)
    stop: list[Annotated[str, StringConstraints(min_length=1)]] = []


class AttributeSpec(StrictFile):
    """What is read from the draws: classes, reader, targets, labelled texts."""

    classes: dict[Label, list[str]]
    ordered: bool | list[Label] | None = None
    """Whether the classes have an order: true (as they stand), false, or all of them in a list, the lowest first. Names
    and a list make a scale of equal steps. Numbers stand at their values, and need not be marked: left out is true
    where every class is a number, else false."""
    reader: str | dict[str, object] = "words"
    targets: dict[Name, str | dict[str, object]] = {}
    examples: str | list[ExampleSpec] = []
    blind: str | list[ExampleSpec] = []
    """Labelled texts that nobody saw who wrote or mended the reader."""

    @field_validator("classes", mode="before")
    @classmethod
    def _wordings(cls, value: object) -> object:
        if isinstance(value, list):
            return {str(v): [] for v in value}
        if isinstance(value, dict):
            return {str(k): ([v] if isinstance(v, str) else v or []) for k, v in value.items()}
        return value

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: dict[str, list[str]]) -> dict[str, list[str]]:
        if len(classes) < 2:
            found = ", ".join(map(repr, classes)) or "none"
            raise ValueError(f"an attribute needs at least two classes; this one has {found}")
        owner: dict[str, str] = {}
        for name, wordings in classes.items():
            if name in RESERVED:
                raise ValueError(f"{name!r} is the name of an outcome that is no class; choose another")
            for word in {name, *wordings}:
                folded = word.casefold().strip()
                if not folded:
                    raise ValueError(f"class {name!r} has an empty wording")
                if owner.setdefault(folded, name) != name:
                    raise ValueError(
                        f"the wording {word!r} belongs to two classes: {owner[folded]!r} and {name!r}"
                    )
        return classes

    @model_validator(mode="after")
    def _in_order(self) -> AttributeSpec:
        if isinstance(self.ordered, list) and sorted(self.ordered) != sorted(self.classes):
            raise ValueError(
                f"ordered has every class once, the lowest first: {', '.join(self.classes)}; found {', '.join(self.ordered)}"
            )
        if self.ordered and self.positions is None:
            raise ValueError("two classes that are numbers have one value")
        return self

    @property
    def positions(self) -> tuple[float, ...] | None:
        """Where the classes stand between 0 and 1, in their order in the file; None where they have no order."""
        names = list(self.classes)
        if isinstance(self.ordered, list):
            places = [float(self.ordered.index(name)) for name in names]
        elif self.ordered is not False and all(map(_NUMBER.fullmatch, names)):
            places = [float(name) for name in names]
        elif self.ordered:
            places = [float(i) for i in range(len(names))]
        else:
            return None
        low, high = min(places), max(places)
        if len(set(places)) < len(places):
            return None
        return tuple((place - low) / (high - low) for place in places)


class HeldOutSpec(StrictFile):
    """Whose replies the prompts' references are: a target of the same people would be told what is asked."""

    corpus: str
    """sha256 of the records."""
    split: Split
    seed: int


class TaskFile(StrictFile):
    """``task.yaml``."""

    name: Name
    version: int = Field(ge=1)
    title: str = ""
    language: Literal["en", "zh"] = "en"
    measure: Literal["draws", "choices"] = "draws"
    association: str = ""
    """Of choices: the contexts' column with the word whose association with the wordings is measured."""
    attribute: Label | None = None
    classes: dict[str, object] | list[str] | None = None
    ordered: bool | list[str] | None = None
    reader: str | dict[str, object] | None = None
    targets: dict[str, object] | None = None
    examples: str | list[object] | None = None
    blind: str | list[object] | None = None
    attributes: dict[Label, AttributeSpec] | None = None
    """Several attributes read from the same draws, in place of the six keys above."""
    contexts: str | list[str | dict[str, object]]
    prompts: str | list[PromptSpec]
    people: HeldOutSpec | None = None
    """Of a task that ``target import reference --task`` wrote."""
    sampling: SamplingSpec = SamplingSpec()
    license: str = ""
    citation: str = ""
