"""``utility.json``: what a remedy cost a model, kept in its folder and in those of its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, JsonValue, SerializerFunctionWrapHandler, model_serializer

from harness.records import SCHEMA, Number, Record, read
from harness.scoring.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.metrics.base import FloatArray

FILE = "utility.json"


class PerplexityRecord(Record):
    """How well the model predicts a text."""

    source: str = ""
    """The file or data set, as it was named."""
    perplexity: Number
    """``exp`` of the mean surprise of a token, in nats; comparable only between models of one tokenizer."""
    bits_per_byte: Number
    """Surprise in bits over the text's UTF-8 bytes; comparable between tokenizers."""
    tokens: int
    """Tokens that were predicted: each once."""
    window: int
    """Tokens that the model saw at once."""
    stride: int
    """Tokens by which windows moved on."""
    text: str
    """sha256 of the text."""


class BenchmarksRecord(Record):
    """Tasks of lm-evaluation-harness."""

    limit: int | None = None
    """Documents per task; null for all."""
    tasks: dict[str, dict[str, float]]
    """Task, then metric, then value."""


class ReplyRecord(Record):
    """One person's reply, as the model predicts it."""

    context: str
    """Id of the context."""
    prompt: str
    """Id of the prompt."""
    bits: Number
    """Surprise at the reply's tokens, in bits."""
    end: Number
    """Surprise at the end of the turn after it: at any of the tokens that end an output."""
    size: int
    """UTF-8 bytes of the reply."""


class ContextBits(Record):
    """Bits per byte, with the 95% interval by prompt."""

    bits: Number
    """End of turn included."""
    low: Number
    """Lower limit."""
    high: Number
    """Upper limit."""
    replies: int
    """Of how many replies."""


class RepliesRecord(Record):
    """How well the model predicts what people replied to the prompts of a task."""

    task: str
    """Name of the task."""
    task_hash: str
    """Hash of its files."""
    prompts_hash: str
    """Digest of its prompts: runs that asked the same are about the same replies."""
    template: str
    """sha256 of the chat template, '' for plain text."""
    mean: ContextBits
    """In the mean over contexts."""
    contexts: dict[str, ContextBits]
    """Per context."""
    left_out: int
    """Replies that do not fit into the model's window with their prompt."""
    each: tuple[ReplyRecord, ...]
    """Every reply: two models are compared on those that both have."""


class EncodedRecord(Record):
    """A run's replies and people's, by an encoder's vectors."""

    encoder: str
    """sha256 of the encoder's weights."""
    metrics: dict[str, Measured]
    """In the mean over contexts; absent where no context has 20 prompts in each half of the people."""
    contexts: dict[str, dict[str, Measured]]
    """Per context."""


class Findings(Record):
    """What was measured of a model; a part that was not is absent."""

    perplexity: PerplexityRecord | None = None
    """How well the model predicts a text."""
    lm_eval: BenchmarksRecord | None = None
    """Tasks of lm-evaluation-harness."""
    replies: RepliesRecord | None = None
    """How well the model predicts what people replied."""

    @model_serializer(mode="wrap")
    def _measured(self, handler: SerializerFunctionWrapHandler) -> dict[str, JsonValue]:
        """Without what was not measured."""
        data: dict[str, JsonValue] = handler(self)
        return {name: value for name, value in data.items() if value is not None}


class Utility(Findings):
    """The whole file; a part that was not measured is absent."""

    schema_version: Literal[1] = Field(1, alias=SCHEMA)
    """Version of this file's form."""
    weights: str
    """sha256 over the weight files; of an adapter, those of its base."""
    adapter_weights: str
    """sha256 over the adapter's weight files, '' for none."""
    draws: dict[str, float | None] | None = None
    """Of a run: the metrics of its own texts; null where one does not exist."""
    encoded: EncodedRecord | None = None
    """Of a run: its replies beside people's, by an encoder."""


class Told(Findings):
    """What ``distalign utility`` prints."""

    draws: dict[str, dict[str, float | None]] | None = None
    """Run folder, then the metrics of its own texts."""
    encoded: dict[str, EncodedRecord] | None = None
    """Run folder, then its replies beside people's, by an encoder."""


def utility_of(folder: Path) -> Utility | None:
    """What was found of the model or the run in a folder; None where nothing was measured."""
    path = folder / FILE
    return read(path, Utility, hint=f"rm {path}, then distalign utility again") if path.is_file() else None


def bits_and_bytes(replies: Sequence[ReplyRecord]) -> tuple[FloatArray, FloatArray]:
    """Bits with the end of turn, and bytes, of each reply."""
    return np.array([r.bits + r.end for r in replies]), np.array([float(r.size) for r in replies])
