"""Draws from a server, by OpenAI's interface or Ollama's: each draw arrives, or is a ``failed`` row with the reason."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import re
import threading
import time
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

import httpx

from harness.errors import UserError, clip, nearest
from harness.progress import LOG_SECONDS, Heartbeat, say
from harness.sampling.base import ModelCard, Served
from harness.sampling.server import ollama
from harness.sampling.server.dialect import Dialect, not_by_v1
from harness.sampling.server.kind import fetched, parsed, recognise
from harness.sampling.server.local import is_here, seen, weights_of
from harness.sampling.server.ollama import OllamaDialect, OllamaModel, prove_continuing
from harness.sampling.server.reply import error_message
from harness.sampling.server.session import Manners, Memory, RefusedError, Session, describe

if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator, Sequence

    from harness.sampling.base import Settled
    from harness.sampling.server.kind import Software
    from harness.terms import Draw, Request, Sampling

    Result = tuple[Request, list[Draw]]

_SPEC = re.compile(r"(?:(?P<name>.*)@)?(?P<url>https?://.+)", re.DOTALL)
GLANCE = 0.2
"""Seconds between two looks at whether the first draws have come."""
_KEYS = ("DISTALIGN_API_KEY", "OPENAI_API_KEY")
_AT_ONCE = 4
"""Calls of Ollama at once: it answers one to four at a time, and the rest would wait."""


class ServerEngine:
    """A server, named ``MODEL@http://host:port/v1``. What it is it is asked; Ollama gets its own calls."""

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
        only_ollama: bool = False,
    ) -> None:
        """Parse ``spec``; nothing is sent yet.

        Args:
            spec: ``MODEL@URL``, or a bare URL when the server has one model.
            per_call: Choices per call. A call that fails costs at most these.
            concurrency: Calls in flight at most; lowered while the server answers 429.
            timeout: Seconds that one answer may take, and that may pass until the first draws.
            connect_timeout: Seconds to wait for a connection.
            tries: Calls for the same draws before they are counted as failed.
            pause: Seconds of the first wait between tries, doubled from try to try.
            only_ollama: Refuse any other server.
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
        if only_ollama and not self._url.path.rstrip("/").endswith("/v1"):
            self._url = self._url.copy_with(path=self._url.path.rstrip("/") + "/v1")
        self.where = str(self._url.copy_with(query=None))
        self.root = httpx.URL(self.where.rstrip("/").removesuffix("/v1"))
        self._model = match["name"] or ""
        self._only_ollama = only_ollama
        self._owner = ""
        self._shown = OllamaModel()
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
        dialect, software = memory.dialect, memory.dialect.software
        engine = {
            "name": "ollama" if software.kind == "Ollama" else "server",
            "httpx": version("httpx"),
            "url": self.where,
            "answered_as": ", ".join(sorted({m for m, _ in memory.answered if m})),
            "fingerprint": ", ".join(sorted({f for _, f in memory.answered if f})),
        }
        seen = self._identity(dialect)
        unseen = {"weights": seen.weights or seen.revision, "chat template": seen.template}
        unsaid = [f for f in software.unsaid if f not in dialect.dropped]
        if dialect.begun and not software.continues:
            unsaid.append("that it goes on with a begun answer")
        served = Served(
            software.kind,
            software.version,
            tuple(sorted(dialect.dropped)),
            (*unsaid, *(k for k, v in unseen.items() if not v)),
            self._shown.set_aside,
            self._shown.adds,
        )
        return replace(seen, engine={k: v for k, v in engine.items() if v}, server=served)

    def _identity(self, dialect: Dialect) -> ModelCard:
        """The name; and what the server tells of the model's files, or they themselves where they lie on this machine."""
        if self._seen is None:
            root = self._roots.get(dialect.model, "")
            if dialect.software.kind == "Ollama":
                self._seen = ModelCard(
                    dialect.model, revision=self._shown.digest, template=self._shown.template_digest
                )
            elif root and is_here(self._url.host):
                with self.client() as client:
                    self._seen = seen(root, client, dialect.model)
            else:
                software = dialect.software
                weights = weights_of(software.file) if is_here(self._url.host) else ""
                self._seen = ModelCard(dialect.model, weights=weights, template=software.template_digest)
        return self._seen

    @property
    def software(self) -> Software:
        """What answers."""
        return self._connected().dialect.software

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
        if isinstance(memory.dialect, OllamaDialect):
            memory.dialect.prepare(requests, sampling)
            with self.client() as client:
                prove_continuing(client, self.root, memory.dialect, requests, self._manners.timeout)
        memory.dialect.check(sampling)
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
        """What comes next. While it is waited for, it is told what is open and what came instead."""
        begun = memory.dialect.proven
        heart, start = Heartbeat(LOG_SECONDS) if begun else Heartbeat(), time.monotonic()
        while True:
            try:
                return results.get(timeout=GLANCE)
            except queue.Empty:
                waited = time.monotonic() - start
            so_far = f"calls sent: {memory.sent}; " + (memory.last or "nothing came back")
            if waited > self._manners.timeout and not memory.dialect.proven:
                raise UserError(
                    f"no draws within {waited:,.0f} s",
                    where=self.where,
                    found=so_far,
                    hint="--timeout SECONDS, for a server that needs longer",
                )
            if heart.due():
                what = "further draws" if begun else "the first draws"
                answered = f", {memory.answered.total()} answered" if memory.dialect.proven else f"; {so_far}"
                manners = f"{self._manners.tries} tries each, {self.concurrency} calls at once"
                say(
                    f"{self.where}: waiting for {what} for {waited:,.0f} s; "
                    f"calls open: {memory.open}{answered} ({manners})"
                )

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
            base_url=self._base(memory), headers=_headers(), timeout=timeout, limits=limits, verify=_trusted()
        ) as client:
            await Session(client, self._manners, memory, sampling, results.put).run(requests)

    def _base(self, memory: Memory) -> httpx.URL:
        """Where the dialect's paths begin."""
        return self.root if isinstance(memory.dialect, OllamaDialect) else self._url

    def _connected(self) -> Memory:
        if self._memory is None:
            models = self._models()
            if not self._model:
                if len(models) != 1:
                    raise UserError(
                        "the URL of a server with several models needs the model's name in front",
                        where=self.where,
                        expected=f"one of: {', '.join(models[:10])}" if models else "MODEL@URL",
                    )
                self._model = models[0]
            dialect = self._dialect()
            slots = dialect.software.slots or (_AT_ONCE if isinstance(dialect, OllamaDialect) else 0)
            if slots:
                self._manners = replace(self._manners, concurrency=min(slots, self._manners.concurrency))
            self._memory = Memory(dialect, float(self._manners.concurrency), key())
        return self._memory

    def _dialect(self) -> Dialect:
        """What is spoken with the software that answers."""
        with self.client() as client:
            software = recognise(client, self.root, self._owner)
            if software.kind == "Ollama":
                if not software.version:
                    raise not_by_v1(f"only {self.where}: no /api/version beside it")
                self._shown = ollama.shown(client, self.root, self._model)
                return OllamaDialect(self._model, software, self._shown)
        if self._only_ollama:
            raise UserError(
                "no Ollama answers",
                where=self.where,
                found=software.kind or "a server that does not say what it is",
                hint=f"server:{self._model}@{self.where}",
            )
        return Dialect(self._model, software)

    def _models(self) -> list[str]:
        """The names at ``/models``; none where the server has no such list."""
        try:
            with self.client() as client:
                status, body = fetched(client, "models", seconds=self._connect)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise UserError(
                "no server answers",
                where=self.where,
                found=describe(error),
                hint="is it running, and on this port?",
            ) from error
        if status in (401, 403):
            raise self._error(status, error_message(body))
        listed = parsed(body).get("data") if status < 300 else []
        rows = [m for m in listed if isinstance(m, dict) and "id" in m] if isinstance(listed, list) else []
        self._owner = next((str(m["owned_by"]) for m in rows if m.get("owned_by")), "")
        self._roots = {str(m["id"]): str(m["root"]) for m in rows if m.get("root")}
        return [str(m["id"]) for m in rows]

    def client(self) -> httpx.Client:
        """A connection with the key, if there is one."""
        return httpx.Client(base_url=self._url, headers=_headers(), timeout=self._connect, verify=_trusted())

    def _error(self, status: int, message: str) -> UserError:
        """The message for a server that will not serve us."""
        message = clip(message.replace(key(), "[key]") if key() else message, 500)
        if not status:
            hint = "is it ready? its own log says more"
            return UserError("the server gives no draws", where=self.where, found=message, hint=hint)
        if status in (401, 403):
            name = next((k for k in _KEYS if os.environ.get(k)), "")
            hint = f"the key in {name} is not accepted" if name else f"export {_KEYS[0]}=..."
            return UserError(
                f"the server denies access ({status})", where=self.where, found=message, hint=hint
            )
        if status == 404:
            models = self._models()
            if self._model in models:
                models = []  # it is there: the path is wrong
            return UserError(
                f"the server has no model {self._model!r}, or no such path (404)",
                where=self.where,
                found=message,
                expected=", ".join(models[:10]) or "a URL that ends where the API begins, often /v1",
                nearest=nearest(self._model, models),
            )
        if status == 429:
            return UserError("the account's quota is used up (429)", where=self.where, found=message)
        return UserError(f"the server takes none of the prompts ({status})", where=self.where, found=message)


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


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates of this machine, read once: each client would read them all again."""
    return httpx.create_ssl_context()


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
