"""Draws from an OpenAI-compatible server: each draw arrives, or is a ``failed`` row with the reason."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import re
import threading
import time
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import httpx

from harness.errors import UserError, clip, nearest
from harness.progress import Heartbeat, say
from harness.sampling.base import ModelCard
from harness.sampling.server.dialect import Dialect
from harness.sampling.server.local import is_here, seen
from harness.sampling.server.reply import error_message
from harness.sampling.server.session import Manners, Memory, RefusedError, Session, describe

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from harness.sampling.base import Settled
    from harness.terms import Draw, Request, Sampling

    Result = tuple[Request, list[Draw]]

_SPEC = re.compile(r"(?:(?P<name>.*)@)?(?P<url>https?://.+)", re.DOTALL)
GLANCE = 0.2
"""Seconds between two looks at whether the first draws have come."""
_KEYS = ("DISTALIGN_API_KEY", "OPENAI_API_KEY")


class ServerEngine:
    """An OpenAI-compatible chat or completions endpoint, named ``MODEL@http://host:port/v1``."""

    max_chunk = 100

    def __init__(
        self,
        spec: str,
        *,
        per_call: int = 25,
        concurrency: int = 32,
        timeout: float = 600.0,
        connect_timeout: float = 30.0,
        tries: int = 8,
        pause: float = 0.5,
    ) -> None:
        """Parse ``spec``; nothing is sent yet.

        Args:
            spec: ``MODEL@URL``, or a bare URL when the server has one model.
            per_call: Choices per call. A call that fails costs at most these.
            concurrency: Calls in flight at most; lowered while the server answers 429.
            timeout: Seconds that one answer may take, and that may pass until the first draws.
            connect_timeout: Seconds until a connection stands.
            tries: Calls for the same draws before they are counted as failed.
            pause: Seconds of the first wait between tries, doubled from try to try.
        """
        match = _SPEC.fullmatch(spec)
        if match is None:
            raise UserError("not a server", found=spec, expected="MODEL@http://host:port/v1")
        try:
            self._url = httpx.URL(match["url"].rstrip("/"))
        except (httpx.InvalidURL, ValueError) as error:
            raise UserError("not a URL", where=match["url"], found=str(error)) from error
        if self._url.userinfo:
            raise UserError(
                "a password in the URL would be written into the manifest",
                where=str(self._url.copy_with(userinfo=b"")),
                expected=f"a URL without it, and the key in {_KEYS[0]}",
            )
        self._where = str(self._url.copy_with(query=None))
        self._model = match["name"] or ""
        self._software = ""
        self._manners = Manners(per_call, concurrency, timeout, tries, pause)
        self._connect = min(connect_timeout, timeout)
        self._memory: Memory | None = None
        self._roots: dict[str, str] = {}
        self._seen: ModelCard | None = None

    @property
    def concurrency(self) -> int:
        """Calls that may be in flight at this moment."""
        return int(self._memory.limit) if self._memory else self._manners.concurrency

    def card(self) -> ModelCard:
        """What is known of the model: its name and its server. Complete after the first draws."""
        memory = self._connected()
        dialect = memory.dialect
        engine = {
            "name": "server",
            "httpx": version("httpx"),
            "url": self._where,
            "software": self._software,
            "answered_as": ", ".join(sorted({m for m, _ in memory.answered if m})),
            "fingerprint": ", ".join(sorted({f for _, f in memory.answered if f})),
            "not_taken": ", ".join(sorted(dialect.dropped)),
        }
        return replace(self._identity(dialect.model), engine={k: v for k, v in engine.items() if v})

    def _identity(self, model: str) -> ModelCard:
        """The name, and of a server on this machine the files that it says it serves."""
        if self._seen is None:
            root = self._roots.get(model, "")
            if root and is_here(self._url.host):
                with self._client() as client:
                    self._seen = seen(root, client, model)
            else:
                self._seen = ModelCard(model)
        return self._seen

    def render(self, request: Request) -> str:
        """The messages as JSON, or the plain text: the template is the server's."""
        if not request.messages:
            return request.text
        turns = [m.turn() for m in request.messages]
        return json.dumps(turns, ensure_ascii=False)

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None = None
    ) -> Generator[Result]:
        """Ask for all requests within the concurrency; yield each as it is complete."""
        memory = self._connected()
        results: queue.SimpleQueue[Result | BaseException | None] = queue.SimpleQueue()
        # A loop of its own in a thread: the caller may itself live in a running loop (a notebook).
        loop = asyncio.new_event_loop()
        work = loop.create_task(self._serve(requests, sampling, memory, results))
        thread = threading.Thread(target=_run, args=(loop, work, results), name="server-draws", daemon=True)
        thread.start()
        try:
            while (result := self._next(results, memory)) is not None:
                if isinstance(result, RefusedError):
                    raise self._error(result.status, result.message) from result
                if isinstance(result, BaseException):
                    raise result
                yield result
        finally:
            loop.call_soon_threadsafe(work.cancel)
            thread.join()
            loop.close()

    def _next(
        self, results: queue.SimpleQueue[Result | BaseException | None], memory: Memory
    ) -> Result | BaseException | None:
        """What comes next. Until the server has given its first draws, it is told what it gave instead."""
        heart, start = Heartbeat(), time.monotonic()
        while True:
            try:
                return results.get(timeout=None if memory.dialect.proven else GLANCE)
            except queue.Empty:
                waited = time.monotonic() - start
            so_far = f"calls sent: {memory.sent}; " + (memory.last or "nothing came back")
            if waited > self._manners.timeout:
                raise UserError(
                    f"no draws within {waited:,.0f} s",
                    where=self._where,
                    found=so_far,
                    hint="--timeout SECONDS, for a server that needs longer",
                )
            if heart.due():
                manners = f"{self._manners.tries} tries each, {self.concurrency} calls at once"
                say(f"{self._where}: no draws yet after {waited:,.0f} s; {so_far} ({manners})")

    def close(self) -> None:
        """Nothing is held between two calls of ``draw``."""

    async def _serve(
        self,
        requests: Sequence[Request],
        sampling: Sampling,
        memory: Memory,
        results: queue.SimpleQueue[Result | BaseException | None],
    ) -> None:
        timeout = httpx.Timeout(self._manners.timeout, connect=self._connect, pool=None)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=self._manners.concurrency)
        async with httpx.AsyncClient(
            base_url=self._url, headers=_headers(), timeout=timeout, limits=limits
        ) as client:
            await Session(client, self._manners, memory, sampling, results.put).run(requests)

    def _connected(self) -> Memory:
        if self._memory is None:
            models = self._models()
            if not self._model:
                if len(models) != 1:
                    raise UserError(
                        "the URL of a server with several models needs the model's name in front",
                        where=self._where,
                        expected=f"one of: {', '.join(models)}" if models else "MODEL@URL",
                    )
                self._model = models[0]
            self._memory = Memory(Dialect(self._model), float(self._manners.concurrency), key())
        return self._memory

    def _models(self) -> list[str]:
        """The names at ``/models``; none where the server has no such list."""
        try:
            with self._client() as client:
                answer = client.get("models")
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise UserError(
                "no server answers",
                where=self._where,
                found=describe(error),
                hint="is it running, and on this port?",
            ) from error
        if answer.status_code in (401, 403):
            raise self._error(answer.status_code, error_message(answer.content))
        try:
            listed = answer.json()["data"] if answer.is_success else []
        except (ValueError, KeyError, TypeError, RecursionError):
            listed = []
        rows = [m for m in listed if isinstance(m, dict) and "id" in m] if isinstance(listed, list) else []
        self._software = next((clip(m["owned_by"]) for m in rows if m.get("owned_by")), "")
        self._roots = {str(m["id"]): str(m["root"]) for m in rows if m.get("root")}
        return [str(m["id"]) for m in rows]

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self._url, headers=_headers(), timeout=self._connect)

    def _error(self, status: int, message: str) -> UserError:
        """The message for a server that will not serve us."""
        message = clip(message.replace(key(), "[key]") if key() else message, 500)
        if not status:
            hint = "is it ready? its own log says more"
            return UserError("the server gives no draws", where=self._where, found=message, hint=hint)
        if status in (401, 403):
            name = next((k for k in _KEYS if os.environ.get(k)), "")
            hint = f"the key in {name} is not accepted" if name else f"export {_KEYS[0]}=..."
            return UserError(
                f"the server denies access ({status})", where=self._where, found=message, hint=hint
            )
        if status == 404:
            models = self._models()
            if self._model in models:
                models = []  # it is there: the path is wrong
            return UserError(
                f"the server has no model {self._model!r}, or no such path (404)",
                where=self._where,
                found=message,
                expected=", ".join(models[:10]) or "a URL that ends where the API begins, often /v1",
                nearest=nearest(self._model, models),
            )
        if status == 429:
            return UserError("the account's quota is used up (429)", where=self._where, found=message)
        return UserError(f"the server takes none of the prompts ({status})", where=self._where, found=message)


def key() -> str:
    """The key, from the environment alone.

    Raises:
        UserError: no header can hold it; an error of the client's would show it.
    """
    name = next((k for k in _KEYS if os.environ.get(k)), "")
    value = os.environ.get(name, "").strip()
    if not re.fullmatch(r"[!-~]*", value):
        raise UserError("a key with characters that no key has", where=name, expected="printable ASCII")
    return value


def _headers() -> dict[str, str]:
    value = key()
    return {"Authorization": f"Bearer {value}"} if value else {}


def _run(
    loop: asyncio.AbstractEventLoop,
    work: asyncio.Task[None],
    results: queue.SimpleQueue[Result | BaseException | None],
) -> None:
    """Run ``work`` to its end and pass that end on: None, or the first error of the group."""
    loop.run_until_complete(asyncio.wait([work]))
    error = None if work.cancelled() else work.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    results.put(error)
