"""A server that behaves as Ollama's source says, over a law that is known.

``/v1`` has no top_k, min_p, repeat_penalty or n: what is sent of them is dropped without a word. ``/api/chat`` and
``/api/generate`` take every option. What a call leaves out comes from the Modelfile, and what that leaves out from
Ollama's defaults.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import numpy as np

from tests.sampling.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, object]
Parameters = list[tuple[str, str | float]]

DEFAULTS: Json = {
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.9,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repeat_last_n": 64,
    "repeat_penalty": 1.1,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "num_predict": -1,
    "num_ctx": 4096,
    "seed": -1,
    "stop": [],
}
MODEL = "tiny:latest"


@dataclass
class OllamaServer(Loopback):
    """Serves words with ``logits`` on a free port of loopback while it is entered; each answer is one of them."""

    logits: Mapping[str, float]
    parameters: Parameters = field(default_factory=list)
    """The Modelfile's."""
    template: str = "<|im_start|>user {{ .Prompt }}<|im_end|>"
    system: str = ""
    thinks: bool = False
    old: bool = False
    """Without ``_debug_render_only``."""
    continues: bool = True
    """The template goes on with a last turn of an assistant's."""
    only_v1: bool = False
    """As behind a proxy that hides the rest."""
    owner: str = "library"
    answers: list[Json] = field(default_factory=list)
    """First answers of the native interface, in place of its own."""

    def __post_init__(self) -> None:
        self.calls: list[tuple[str, Json]] = []

    @property
    def root(self) -> str:
        return self.address()

    def options(self, sent: Mapping[str, object]) -> Json:
        """What holds for a call."""
        own: Json = {}
        for name, value in self.parameters:
            found = own.setdefault(name, [])
            own[name] = [*found, value] if name == "stop" and isinstance(found, list) else value
        return {**DEFAULTS, **own, **sent}

    def law(self, options: Mapping[str, object], prompt: str = "") -> dict[str, float]:
        """Probabilities of the words, in the order of Ollama's samplers."""
        number = {k: v for k, v in options.items() if isinstance(v, int | float)}
        words = sorted(self.logits, key=lambda w: -self.logits[w])
        logits = np.array([self.logits[w] for w in words])
        if number["repeat_last_n"] and number["repeat_penalty"] != 1:
            told = np.array([w in prompt for w in words])
            factor = np.where(logits > 0, 1 / number["repeat_penalty"], number["repeat_penalty"])
            logits = np.where(told, logits * factor, logits)
        order = np.argsort(-logits, kind="stable")
        kept = order[: int(number["top_k"])] if number["top_k"] > 0 else order
        weights = np.exp((logits[kept] - logits[kept].max()) / number["temperature"])
        p = weights / weights.sum()
        inside = np.cumsum(p) - p < number["top_p"] if number["top_p"] < 1 else np.ones(len(p), dtype=bool)
        inside &= p >= number["min_p"] * p.max()
        p = np.where(inside, p, 0) / p[inside].sum()
        return {words[i]: float(x) for i, x in zip(kept, p, strict=True) if x > 0}

    def drawn(self, sent: Mapping[str, object], prompt: str) -> str:
        options = self.options(sent)
        law = self.law(options, prompt)
        rng = np.random.default_rng([int(str(options["seed"]))] if options["seed"] != -1 else None)
        return str(rng.choice(list(law), p=list(law.values())))

    def answer(self, path: str, body: Json) -> tuple[int, Json]:
        """Status and JSON of a POST."""
        if path == "/v1/chat/completions":
            return 200, self._openai(body)
        if self.only_v1 or path not in ("/api/show", "/api/chat", "/api/generate"):
            return 404, {"error": "404 page not found"}
        return self._show(body) if path == "/api/show" else self._drawn(path, body)

    def _drawn(self, path: str, body: Json) -> tuple[int, Json]:
        if body.get("think") and not self.thinks:
            return 400, {"error": f'"{body["model"]}" does not support thinking'}
        if self.answers:
            return 200, self.answers.pop(0)
        if body.get("_debug_render_only") and not self.old:
            return 200, {"_debug_info": {"rendered_template": self._rendered(body)}}
        return 200, self._native(path, body)

    def _native(self, path: str, body: Json) -> Json:
        sent = body.get("options")
        assert isinstance(sent, dict)
        assert body.get("stream") is False
        text = self.drawn(sent, json.dumps(body.get("messages", body.get("prompt"))))
        said: Json = {"role": "assistant", "content": text}
        if self.thinks and body.get("think") is not False:
            said["thinking"] = "hm"
        inner: Json = {"message": said} if path == "/api/chat" else {"response": text}
        told = {"model": body["model"], "done": True, "done_reason": "stop"}
        return {**told, **inner, "prompt_eval_count": 7, "eval_count": 2}

    def _openai(self, body: Json) -> Json:
        taken = ("temperature", "top_p", "seed", "stop", "frequency_penalty", "presence_penalty")
        sent = {"temperature": 1.0, "top_p": 1.0} | {k: body[k] for k in taken if k in body}
        text = self.drawn(sent, json.dumps(body["messages"]))
        return {
            "model": body["model"],
            "system_fingerprint": "fp_ollama",
            "choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}],
            "usage": {"completion_tokens": 2},
        }

    def _rendered(self, body: Json) -> str:
        turns = body["messages"]
        assert isinstance(turns, list)
        written = "".join(f"<|im_start|>{t['role']} {t['content']}" for t in turns)
        return written if self.continues else written + "<|im_end|><|im_start|>assistant "

    def _show(self, body: Json) -> tuple[int, Json]:
        if f"{body['model']}:latest" != MODEL and body["model"] != MODEL:
            return 404, {"error": f"model '{body['model']}' not found"}
        lines = [f"{k:<30} {json.dumps(v)}" for k, v in self.parameters]
        return 200, {
            "parameters": "\n".join(lines),
            "template": self.template,
            "system": self.system,
            "model_info": {"general.architecture": "llama", "llama.context_length": 8192},
            "capabilities": ["completion", *(["thinking"] if self.thinks else [])],
        }

    def listed(self, path: str) -> Json | None:
        """JSON of a GET, None for a path that is not there."""
        if path == "/v1/models":
            return {"object": "list", "data": [{"id": MODEL, "owned_by": self.owner}]}
        if self.only_v1:
            return None
        if path == "/api/version":
            return {"version": "0.12.6"}
        if path == "/api/tags":
            return {"models": [{"name": MODEL, "model": MODEL, "digest": "f" * 64}]}
        return None

    def handler(self) -> type[_Handler]:
        server = self

        class Handler(_Handler):
            owner = server

        return Handler


class _Handler(BaseHTTPRequestHandler):
    owner: OllamaServer
    protocol_version = "HTTP/1.1"
    wbufsize = 65536

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""

    def _send(self, status: int, found: Json) -> None:
        payload = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def do_GET(self) -> None:
        found = self.owner.listed(self.path)
        self._send(200 if found is not None else 404, found or {"error": "404 page not found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.owner.calls.append((self.path, body))
        self._send(*self.owner.answer(self.path, body))
