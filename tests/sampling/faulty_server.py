"""An OpenAI-compatible server over a known distribution that breaks its answers as often as it is told."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Literal

import numpy as np

from tests.sampling.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Fault = Literal["", "429", "500", "timeout", "cut", "malformed", "missing", "empty"]
Json = dict[str, object]


@dataclass
class Call:
    """One POST as the server saw it."""

    path: str
    body: Json
    fault: Fault
    key: str

    @property
    def prompt(self) -> str:
        return json.dumps(self.body.get("messages", self.body.get("prompt")))

    @property
    def seed(self) -> int:
        seed = self.body["seed"]
        assert isinstance(seed, int)
        return seed

    @property
    def n(self) -> int:
        n = self.body.get("n", 1)
        assert isinstance(n, int)
        return n


@dataclass
class FaultyServer(Loopback):
    """Serves ``shares`` (text -> probability) on a free port of loopback while it is entered."""

    shares: Mapping[str, float]
    faults: Mapping[Fault, float] = field(default_factory=dict)
    """Kind -> share of the calls that break in this way."""
    models: tuple[str, ...] = ("tiny",)
    heeds_n: bool = True
    refuse: Callable[[Json], tuple[int, str] | None] = lambda body: None
    """Status and message for a body that the server does not take."""
    choice: Callable[[str], Json] = lambda text: {"message": {"content": text}, "finish_reason": "stop"}
    usage: Callable[[int], Json] = lambda n: {"completion_tokens": n}
    owner: str = "nobody"
    fingerprint: str = "fp_1"
    root: str = ""
    """The folder that the models are said to lie in."""
    first: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    """Headers and bodies of the first answers, one a call."""
    beside: Callable[[str, Json], Json | None] = lambda path, body: None
    """JSON of a path that is not OpenAI's, or is to be answered otherwise."""
    gate: threading.Event | None = None
    """Every answer waits for this."""

    def __post_init__(self) -> None:
        self.calls: list[Call] = []
        self.most = 0
        self._active = 0
        self._lock = threading.Lock()
        self._rng = np.random.default_rng(7)
        self._closing = threading.Event()

    @property
    def url(self) -> str:
        return f"{self.address()}/v1"

    def count(self, fault: Fault) -> int:
        return Counter(c.fault for c in self.calls)[fault]

    def text(self, seed: int) -> str:
        """The draw that belongs to a seed."""
        rng = np.random.default_rng(seed)
        return str(rng.choice(list(self.shares), p=list(self.shares.values())))

    def handler(self) -> type[_Handler]:
        server = self

        class Handler(_Handler):
            owner = server

        return Handler

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        super().__exit__()

    def wait_for_close(self) -> None:
        """Holds a call until the server closes: for its client, a time-out."""
        self._closing.wait()

    def arrived(self, path: str, body: Json, key: str) -> Fault:
        """Note a call, decide how it goes wrong, and count it as in flight."""
        with self._lock:
            self._active += 1
            self.most = max(self.most, self._active)
            point = self._rng.random()
            fault: Fault = ""
            for name, share in self.faults.items():
                if 0 <= point < share:
                    fault = name
                point -= share
            self.calls.append(Call(path, body, fault, key))
            return fault

    def left(self) -> None:
        with self._lock:
            self._active -= 1

    def reply(self, call: Json, fault: Fault) -> Json:
        seed, n = call["seed"], call.get("n", 1)
        assert isinstance(seed, int)
        assert isinstance(n, int)
        kept = range(n if self.heeds_n else 1)
        if fault == "missing":
            kept = range(n // 2)
        choices = [{"index": i, **self.choice(self.text(seed + i))} for i in kept]
        if call.get("prompt") is not None:
            for choice in choices:
                message = choice.pop("message")
                assert isinstance(message, dict)
                choice["text"] = message["content"]
        return {
            "model": f"{call['model']}-2026",
            "system_fingerprint": self.fingerprint,
            "choices": [] if fault == "empty" else choices,
            "usage": self.usage(n),
        }


class _Handler(BaseHTTPRequestHandler):
    owner: FaultyServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""

    def _send(self, status: int, payload: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def do_GET(self) -> None:
        if (found := self.owner.beside(self.path, {})) is not None:
            self._send(200, json.dumps(found).encode())
            return
        rows = [{"id": m, "owned_by": self.owner.owner, "root": self.owner.root} for m in self.owner.models]
        self._send(200, json.dumps({"data": rows}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if (found := self.owner.beside(self.path, body)) is not None:
            self._send(200, json.dumps(found).encode())
            return
        if not self.path.startswith("/v1/"):
            self._send(404, b"")
            return
        fault = self.owner.arrived(self.path, body, self.headers.get("Authorization", ""))
        try:
            self._answer(body, fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client gave up waiting
        finally:
            self.owner.left()

    def _answer(self, body: Json, fault: Fault) -> None:
        if self.owner.gate is not None:
            self.owner.gate.wait()
        refusal = self.owner.refuse(body)
        if refusal is not None:
            self._send(refusal[0], json.dumps({"error": {"message": refusal[1]}}).encode())
            return
        if self.owner.first:
            headers, raw = self.owner.first.pop(0)
            self._send(307 if "Location" in headers else 200, raw, headers)
            return
        payload = json.dumps(self.owner.reply(body, fault)).encode()
        match fault:
            case "429":
                self._send(429, b'{"error": {"message": "slow down"}}', {"Retry-After": "0.01"})
            case "500":
                self._send(500, b"Internal Server Error")
            case "timeout":
                self.owner.wait_for_close()
                self.close_connection = True
            case "cut":
                self.send_response(200)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload[: len(payload) // 2])
                self.close_connection = True
            case "malformed":
                self._send(200, payload[: len(payload) // 2])
            case _:
                self._send(200, payload)
