"""Mutated answers of servers that tell probabilities: shares of the classes, or one message."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import httpx

from harness.errors import UserError
from harness.raw import parse_json
from harness.sampling.server.choices import ServerChoices
from harness.sampling.server.engine import ServerEngine
from harness.terms import Message, Request
from tests.faults.fuzzing import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import JsonValue

ASKED = (
    Request("c", "chat", 0, 1, 0, messages=(Message("user", "Which?"),)),
    Request("c", "text", 0, 1, 0, text="Which?"),
)
MODELS: JsonValue = {
    "object": "list",
    "data": [{"id": "m", "owned_by": "", "root": "/m", "max_model_len": 9}],
}
LLAMACPP: JsonValue = {
    "/v1/models": [MODELS],
    "/props": [{"total_slots": 2, "build_info": "b1-abcdef", "model_path": "/m.gguf"}],
    "/apply-template": [{"prompt": "<user>Which?"}],
    "/tokenize": [{"tokens": [1, 2]}, {"tokens": [1, 3]}],
    "/completion": [
        {
            "completion_probabilities": [
                {"top_logprobs": [{"id": 2, "logprob": -0.5}, {"id": 3, "logprob": -1.5}]}
            ]
        }
    ],
}
VLLM: JsonValue = {
    "/v1/models": [{"object": "list", "data": [{"id": "m", "owned_by": "vllm"}]}],
    "/version": [{"version": "0.11"}],
    "/tokenize": [{"tokens": [1, 2]}, {"tokens": [1, 3]}],
    "/detokenize": [{"prompt": "<user>Which?"}],
    "/v1/completions": [
        {"choices": [{"prompt_logprobs": [None, {"2": {"logprob": -0.5}, "3": {"logprob": -1.5}}]}]}
    ],
}
"""Path -> its answers, each after the other and over again."""


class Told(ServerEngine):
    """A server whose answers a file holds."""

    def __init__(self, file: Path) -> None:
        super().__init__("m@http://127.0.0.1:1/v1", timeout=5, tries=1)
        self._file = file
        self._calls: Counter[str] = Counter()

    def client(self) -> httpx.Client:
        """A connection to nothing but the file."""
        return httpx.Client(base_url=self._url, transport=httpx.MockTransport(self._answer), timeout=5)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = self._file.read_bytes()
        path = request.url.path
        try:
            held = parse_json(body.decode("utf-8", "replace"), "")
        except UserError:
            return httpx.Response(200, content=body)
        answers = held.get(path) if isinstance(held, dict) else held
        self._calls[path] += 1
        if isinstance(answers, list) and answers:
            answers = answers[self._calls[path] % len(answers)]
        return httpx.Response(404) if answers is None else httpx.Response(200, content=json.dumps(answers))


def chosen(file: Path) -> None:
    """Weigh two classes at a server."""
    engine = ServerChoices(Told(file))
    for _, shares in engine.choices(ASKED, lambda _: {"a": ("A",), "b": ("b", "c")}):
        assert 0.99 < sum(shares.lower.values()) < 1.01
    engine.card()


def write_all(folder: Path) -> None:
    """A file for each kind of server."""
    for name, answers in zip(NAMES, (LLAMACPP, VLLM), strict=True):
        (folder / name).write_text(json.dumps(answers), encoding="utf-8")


def entries(folder: Path) -> Mapping[str, Entry]:
    """Each kind of server."""
    return {name: Entry(folder / name, partial(chosen, folder / name)) for name in NAMES}


NAMES = ("llamacpp.json", "vllm.json")
