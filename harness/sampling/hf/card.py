"""The identity of a model with local files, for every engine: hashes of weights, configuration and tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.sampling.base import ModelCard
from harness.sampling.gguf.origin import read_origin
from harness.sampling.hf.source import law_digest, weights_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.sampling.hf.source import Source


def card_of(
    source: Source, *, template: str, engine: Mapping[str, str], dtype: str = "", device: str = ""
) -> ModelCard:
    """The card of a checkpoint; reads its files.

    Args:
        source: where its files lie.
        template: sha256 of the chat template in use.
        engine: name, package versions.
        dtype: in which it runs.
        device: on which it runs.
    """
    base = source.base or source
    origin = read_origin(base.folder)
    stored = {"quantisation": origin["quantisation"]} if origin else {}
    return ModelCard(
        model=base.name,
        revision=base.revision,
        weights=weights_digest(base.folder),
        adapter=source.name if source.base else "",
        adapter_weights=weights_digest(source.folder) if source.base else "",
        files=law_digest(source),
        dtype=dtype,
        device=device,
        template=template,
        contract=source.contract.over(base.contract),
        engine={**engine, **stored},
    )
