"""Which software answers at a URL, found out with a few short requests. What it does not say stays unknown."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import httpx

from harness.errors import clip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Kind = Literal["", "llama.cpp", "Ollama", "vLLM", "SGLang", "LM Studio", "TGI", "OpenAI"]

SECONDS = 5.0
"""That one of these requests may take."""
TOLD_BYTES = 16 * 2**20
"""Of what a server tells of itself."""
LONGEST = 100
"""Characters of a name or a version."""
_OWNERS: Mapping[str, Kind] = {
    "vllm": "vLLM",
    "sglang": "SGLang",
    "llamacpp": "llama.cpp",
    "library": "Ollama",
    "organization_owner": "LM Studio",
    "organization-owner": "LM Studio",
}
"""``owned_by`` of a model in the server's list."""
_BUILD = re.compile(r"b\d+-\w+")
"""llama.cpp's version, which is also the fingerprint of its answers."""
_TGI = re.compile(r"\d+\.\d+\.\d+(-dev\d*)?-(native|sha-[0-9a-f]{6,}[\w.-]*)")
"""TGI's fingerprint: its version and how it was built."""
_UNSAID: Mapping[Kind, tuple[str, ...]] = {
    "": ("top_k", "min_p", "repetition_penalty"),
    "LM Studio": ("min_p", "seed"),
    "TGI": ("top_k", "min_p"),
    "SGLang": ("seed",),
}
"""Fields that a kind of server may leave out without a word."""


@dataclass(frozen=True, slots=True)
class Software:
    """What answers."""

    kind: Kind = ""
    version: str = ""
    slots: int = 0
    """Answers that it computes at the same time; 0 where it does not say."""
    template: str = ""
    """Its chat template, '' where it does not say."""
    file: str = ""
    """The file that it loaded, '' where it does not say."""

    @property
    def unsaid(self) -> tuple[str, ...]:
        """Fields that it may leave out without a word."""
        return _UNSAID.get(self.kind, ())

    @property
    def template_digest(self) -> str:
        """sha256 of the chat template, '' where it does not say."""
        return hashlib.sha256(self.template.encode("utf-8", "replace")).hexdigest() if self.template else ""

    @property
    def continues(self) -> bool:
        """Whether it is known to go on with an answer that was begun."""
        return self.kind in ("llama.cpp", "Ollama", "vLLM", "SGLang")

    @property
    def single(self) -> bool:
        """Whether it is asked for one answer a call: it gives no more, or, as llama.cpp, tells the tokens of one alone."""
        return self.kind in ("llama.cpp", "Ollama", "LM Studio", "TGI")


def recognise(client: httpx.Client, root: httpx.URL, owner: str) -> Software:
    """What answers at ``root``; all unknown where it does not say.

    Args:
        client: with the key, if there is one.
        root: the URL without the ``/v1`` of OpenAI's interface.
        owner: ``owned_by`` of the models in its list.
    """
    if root.host == "api.openai.com" or root.host.endswith(".openai.azure.com"):
        return Software("OpenAI")
    likely = _OWNERS.get(owner, "")
    for kind, path, read in _ASKED:
        # vLLM's path is others' too: its list of models says whose it is.
        if kind != likely and (likely or kind == "vLLM"):
            continue
        answer = told(client, root, path)
        if answer is None:
            break  # no answer in time: it would be waited for at every path
        if found := read(answer):
            return found
    return Software(likely)


def spoken(fingerprint: str) -> Kind:
    """The kind that the fingerprint of an answer names."""
    if fingerprint == "fp_ollama":
        return "Ollama"
    if _TGI.fullmatch(fingerprint):
        return "TGI"
    return "llama.cpp" if _BUILD.fullmatch(fingerprint) else ""


def told(
    client: httpx.Client,
    root: httpx.URL,
    path: str,
    body: Mapping[str, object] | None = None,
    seconds: float = SECONDS,
) -> Mapping[str, object] | None:
    """The JSON object at a path, empty where there is none that can be read; None where no answer comes in time."""
    try:
        status, read = fetched(client, f"{str(root).rstrip('/')}/{path}", body, seconds)
    except httpx.TimeoutException:
        return None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError):
        return {}
    return parsed(read) if 200 <= status < 300 else {}


def fetched(
    client: httpx.Client, url: str, body: Mapping[str, object] | None = None, seconds: float = SECONDS
) -> tuple[int, bytes]:
    """Status and body of an answer; a body that is too long or comes too slowly is cut, and so no JSON.

    Raises:
        httpx.HTTPError: no answer.
    """
    end = time.monotonic() + seconds
    read = bytearray()
    with client.stream("POST" if body else "GET", url, json=body, timeout=seconds) as response:
        for piece in response.iter_bytes():
            read += piece
            if len(read) > TOLD_BYTES or time.monotonic() > end:
                break
        return response.status_code, bytes(read)


def parsed(body: bytes) -> Mapping[str, object]:
    """A JSON object, empty where it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def text(value: object) -> str:
    """A name or version, fit to be shown; '' for what is no text."""
    return clip(value, LONGEST) if isinstance(value, str) else ""


def whole(value: object, most: int = 2**31) -> int:
    """A whole number from 1 to ``most``, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most else 0


def _llamacpp(found: Mapping[str, object]) -> Software | None:
    if not found.keys() & {"default_generation_settings", "total_slots"}:
        return None
    said = (found.get(key) for key in ("chat_template", "model_path"))
    template, file = (value if isinstance(value, str) else "" for value in said)
    slots = whole(found.get("total_slots"), 4096)
    return Software("llama.cpp", text(found.get("build_info")), slots, template, file)


def _ollama(found: Mapping[str, object]) -> Software | None:
    version = text(found.get("version"))
    return Software("Ollama", version) if version else None


def _vllm(found: Mapping[str, object]) -> Software | None:
    return Software("vLLM", text(found.get("version")))


def _sglang(found: Mapping[str, object]) -> Software | None:
    known = "model_path" in found and "version" in found
    return Software("SGLang", text(found["version"])) if known else None


def _lmstudio(found: Mapping[str, object]) -> Software | None:
    rows = found.get("data") or found.get("models")
    first = rows[0] if isinstance(rows, list) and rows else None
    known = isinstance(first, dict) and first.keys() & {"compatibility_type", "loaded_instances"}
    return Software("LM Studio") if known else None


def _tgi(found: Mapping[str, object]) -> Software | None:
    known = "model_id" in found and "max_total_tokens" in found
    return Software("TGI", text(found.get("version"))) if known else None


_ASKED: tuple[tuple[Kind, str, Callable[[Mapping[str, object]], Software | None]], ...] = (
    ("llama.cpp", "props", _llamacpp),
    ("Ollama", "api/version", _ollama),
    ("vLLM", "version", _vllm),
    ("SGLang", "server_info", _sglang),
    ("SGLang", "get_server_info", _sglang),
    ("LM Studio", "api/v0/models", _lmstudio),
    ("LM Studio", "api/v1/models", _lmstudio),
    ("TGI", "info", _tgi),
)
"""Where each kind tells what it is. llama.cpp comes first: it has a part of Ollama's paths too."""
