"""``manifest.json`` and ``prompts.json`` of a run: what was asked, by which settings, and how far the run is."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from harness.contract import Contract
from harness.records import SCHEMA, Record
from harness.sampling.base import Served  # read where the manifest is: it is part of its shape

MANIFEST = "manifest.json"
PROMPTS = "prompts.json"


class SamplingRecord(Record):
    """The sampling parameters that were sent."""

    temperature: float
    """1 is the model's own distribution."""
    top_p: float
    """1 is off."""
    top_k: int
    """0 is off."""
    max_tokens: int
    """The most tokens of one answer."""
    stop: tuple[str, ...] = ()
    """Texts that end an answer."""


class Identity(Record):
    """All that decides the law of the draws: runs with the same identity and engine are one run."""

    model: str
    """Name or path of the model, without the engine's prefix."""
    revision: str
    """Hub commit, '' where there is none."""
    weights: str
    """sha256 over the weight files, '' where they cannot be seen."""
    adapter: str
    """Adapter path or id, '' for none; ``model`` is then its base."""
    adapter_weights: str
    """sha256 over the adapter's weight files."""
    files: str = ""
    """sha256 over what else decides the law: config, generation config, tokenizer, own code; '' where it cannot be seen."""
    dtype: str = ""
    """In which the model ran, such as float32; '' where that cannot be seen."""
    device: str = ""
    """On which it ran, such as cpu or cuda; '' where that cannot be seen."""
    template: str
    """sha256 of the chat template, '' when prompts are sent as plain text."""
    contract: Contract
    """What the checkpoint says of reading its outputs."""
    task: str
    """Name of the task."""
    task_version: int
    """Version of the task."""
    task_hash: str
    """Hash of the task's files."""
    language: str
    """Language of the task."""
    prompts_hash: str
    """Digest of all prompts as they were sent."""
    split: str
    """Which contexts: all, train, validation or test."""
    paraphrases: str
    """Which prompts: all, train, validation or test."""
    measure: Literal["draws", "exact", "choices"]
    """How the distribution was obtained."""
    epsilon: float | None
    """Undecided mass at which the exact measure stops; null for another measure."""
    sampling: SamplingRecord
    """The sampling parameters of every draw."""
    seed: int | None
    """Seed of the run; null for a measure without draws."""
    system: str = ""
    """The system message that was put before every prompt; '' for none but the prompts' own."""
    continue_from: str = ""
    """The beginning that was put before every answer; '' for none."""
    contexts: tuple[str, ...] = ()
    """The contexts that were chosen by name; empty for all of the split."""
    reader: int | None = None
    """Version of the readers, which may end a draw early; null where it was not noted."""

    @property
    def asked(self) -> str:
        """The model as it was asked for: an adapter, and not its base."""
        return self.adapter or self.model


class EngineRecord(Record):
    """The engine that drew: its name, and what else it tells of itself, each a text."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]
    name: str = ""
    """Name of the engine."""


class ProbeRecord(Record):
    """What a probe of the engine's seeds found before the first draw."""

    ok: bool
    """Whether draws of two seeds differed as independent draws do."""
    drawn: bool = True
    """Whether at least half of its draws came; else it is repeated by the next command."""
    repeatable: bool
    """Whether one seed gave the same draws twice."""
    reason: str
    """What was found wrong."""
    draws: int = 0
    """Draws that it took; 0 where that was not noted."""


class IndependenceRecord(Record):
    """Whether the draws repeat one another more than independent draws would."""

    ok: bool
    """False takes the run out of the ranking."""
    p: float | None
    """The test's p value; null where nothing was tested."""
    reason: str
    """What was found wrong."""


class GitRecord(Record):
    """The repository of the working directory; empty outside one."""

    sha: str = ""
    """Commit."""
    dirty: bool = False
    """Whether tracked files differed from it."""


class Manifest(Record):
    """The whole file."""

    schema_version: Literal[2] = Field(2, alias=SCHEMA)
    """Version of the run folder's form."""
    run: str
    """Short hash of identity and engine: the folder's name."""
    identity: Identity
    """All that decides the law of the draws."""
    model_string: str = ""
    """The model string, engine and all, that makes the run again; '' in runs made before it was kept."""
    engine: EngineRecord
    """The engine that drew."""
    server: Served | None = None
    """The server that drew; null for an engine that is none."""
    options: dict[str, str] = Field(default_factory=dict)
    """Engine options that were given."""
    prompts_file: str = ""
    """Full path of the file of prompts that replaced the task's; '' for the task's own."""
    plan: tuple[int, ...] = ()
    """Chunk sizes, the same for every prompt; their sum is n."""
    state: str = Field(pattern=r"^(new|drawing|merging|incomplete|complete|shard \d+/\d+)$")
    """new, drawing, merging, incomplete, complete, or shard I/K: that part is drawn."""
    open: tuple[tuple[str, str], ...] = ()
    """(context, prompt) whose enumeration a limit ended: their bounds are wider than epsilon, and asked for again."""
    independence: IndependenceRecord | None = None
    """The test after drawing; null for a measure without draws."""
    probe: ProbeRecord | None = None
    """The probe before drawing; null where the engine's random numbers are ours."""
    task_source: str = ""
    """Full path of the task's file when the run was made; '' where it is not known."""
    seen_people: int | None = None
    """Prompts whose people the checkpoint was trained on; null where it does not say."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of what can change a number."""
    git: GitRecord = GitRecord()
    """The repository of the working directory."""
    seconds: float = 0.0
    """Time spent drawing."""
    tokens: int = 0
    """Tokens drawn."""

    def asked_with(self) -> str:
        """How the asking differs from the task's own, for whoever tells runs apart; '' where it does not."""
        who = self.identity
        parts = {
            "system": who.system and f"“{who.system}”",
            "begun": who.continue_from and f"“{who.continue_from}”",
            "prompts": PurePath(self.prompts_file).name,
            "contexts": ", ".join(who.contexts),
        }
        return "; ".join(f"{name} {told}" for name, told in parts.items() if told)


class TurnRecord(Record):
    """One chat turn."""

    role: str
    """system, user or assistant."""
    content: str
    """Its text."""


class PromptRecord(Record):
    """One prompt as it was sent."""

    context: str
    """Id of the context."""
    prompt: str
    """Id of the prompt."""
    messages: tuple[TurnRecord, ...]
    """Chat turns; empty where ``text`` is sent as it is."""
    text: str
    """Plain text; empty where chat turns are sent."""


class Prompts(Record):
    """The whole of ``prompts.json``."""

    first_rendered: str
    """The first prompt as the model saw it, chat template applied."""
    prompts: tuple[PromptRecord, ...]
    """Every prompt, in the task's order."""

    def keys(self) -> list[tuple[str, str]]:
        """(context, prompt) of every question."""
        return [(p.context, p.prompt) for p in self.prompts]


def from_before(data: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A manifest of schema 1 as one of the present schema.

    It does not know the model's other files, dtype, device or the readers' version, so a run of it is never
    topped up. Its task's path may be relative to a folder that nobody noted: such a one is dropped.
    """
    source = data.get("task_source")
    known = isinstance(source, str) and PurePath(source).is_absolute()
    return {**data, SCHEMA: 2, "task_source": source if known else ""}
