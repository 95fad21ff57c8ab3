"""The identity of a model that a server on this machine loads from a local folder."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.sampling.base import ModelCard
from harness.sampling.hf.source import file_digest
from harness.sampling.server.kind import told
from harness.terms import Message, Request

if TYPE_CHECKING:
    import httpx

_PROBE = Request("", "", 0, 1, 0, (Message("user", "hello"),))


def is_here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def seen(folder: str, client: httpx.Client, model: str) -> ModelCard:
    """The card of a model that is served from a folder; only its name where the files cannot be read.

    The template counts as the folder's own only if the server turns a chat into the same tokens as we do.
    """
    if not Path(folder).is_dir():
        return ModelCard(model)
    try:
        from harness.sampling.hf.card import card_of
        from harness.sampling.hf.chat import Chat
        from harness.sampling.hf.foreign import load_tokenizer
        from harness.sampling.hf.source import find

        source = find(folder, trust_pickle=True)  # its weights are hashed and not read
        chat = Chat(load_tokenizer((source.base or source).folder, model))
    except (ImportError, UserError):
        return ModelCard(model)
    alike = chat.encode([_PROBE])[0] == _tokens(client, model)
    card = card_of(source, template=chat.digest if alike else "", engine={})
    return card if source.base else replace(card, model=model)


def weights_of(file: str) -> str:
    """sha256 of the GGUF file that a server loads; '' where it is one of several, or cannot be read."""
    path = Path(file)
    try:
        from harness.sampling.gguf.header import parts  # needs an extra that a server does not

        if path.suffix != ".gguf" or not path.is_file() or len(parts(path)) > 1:
            return ""
        return file_digest(path)
    except (OSError, ValueError, UserError):
        return ""


def _tokens(client: httpx.Client, model: str) -> list[int]:
    """A chat's tokens as the server makes them (vLLM and SGLang tell)."""
    asked = {"model": model, "messages": [m.turn() for m in _PROBE.messages]}
    tokens = (told(client, client.base_url.join(".."), "tokenize", asked) or {}).get("tokens")
    return tokens if isinstance(tokens, list) else []
