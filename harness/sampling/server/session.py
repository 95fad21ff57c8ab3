"""The requests of one call of ``draw``, repeated until every draw is there or has a reason why not."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

import httpx

from harness.errors import clip
from harness.limits import ANSWER_BYTES
from harness.sampling.server.pace import Pace, backoff, retry_after
from harness.sampling.server.reply import MalformedReplyError, refusal
from harness.sampling.tally import merged
from harness.terms import Draw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.sampling.server.dialect import Body, Dialect
    from harness.terms import Request, Sampling

_DENIED = frozenset({401, 403})
_PASSING = frozenset({404, 408, 409, 425, 429})
"""Refusals that pass by themselves, like all from 500 on. (404: a replica behind a balancer that is starting.)"""
_HOPELESS = 3
"""So many prompts turned down and none ever taken: the settings are wrong, not the prompts. So many calls without an
answer after all their tries, and none answered between: the server is gone."""


class RefusedError(Exception):
    """The server will not serve us at all: nothing to wait for."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Manners:
    """How the server is asked."""

    per_call: int
    concurrency: int
    timeout: float
    tries: int
    pause: float


@dataclass(slots=True)
class Memory:
    """What is learnt about a server and outlives one ``draw``."""

    dialect: Dialect
    limit: float
    key: str = ""
    """The key that is sent; a server may say it back, and no message shows it."""
    sent: int = 0
    """Calls."""
    open: int = 0
    """Calls that wait for their answer."""
    last: str = ""
    """Why the last call that gave no draws gave none."""
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(model, fingerprint) of the answers."""


@dataclass(frozen=True, slots=True)
class _TurnedDown:
    """The server will never take this prompt."""

    status: int
    message: str


class Session:
    """One client, one pace, many chunks."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        manners: Manners,
        memory: Memory,
        sampling: Sampling,
        deliver: Callable[[tuple[Request, list[Draw]]], None],
    ) -> None:
        self._client = client
        self._manners = manners
        self._memory = memory
        self._dialect = memory.dialect
        self._sampling = sampling
        self._deliver = deliver
        self._pace = Pace(manners.concurrency, memory.limit)
        self._served = 0
        self._given_up = 0
        """Calls that ran out of tries since the last that was answered."""
        self._held: list[tuple[Request, _TurnedDown]] = []

    async def run(self, requests: Sequence[Request]) -> None:
        """Deliver each request with all its draws.

        Raises:
            RefusedError: the server takes none of the prompts, or not us.
        """
        door = asyncio.Semaphore(self._manners.concurrency)
        async with asyncio.TaskGroup() as group:
            for request in requests:
                await door.acquire()
                task = group.create_task(self._chunk(request, group))
                task.add_done_callback(lambda _: door.release())
                if not self._dialect.proven:
                    await asyncio.wait([task])  # one prompt alone learns what the server takes
        if self._held:
            raise _refused(self._held)

    async def _chunk(self, request: Request, group: asyncio.TaskGroup) -> None:
        draws: list[Draw] = []
        left, asked = request.n, 0
        while left:
            size = min(left, self._manners.per_call, self._dialect.most)
            sizes = [size] * (left // size) + [left % size] * (left % size > 0)
            # A server counts up from the seed of a call: calls of a chunk stand as far apart as they have draws.
            seeds = [request.seed + asked + before for before in (0, *accumulate(sizes))]
            tasks = [group.create_task(self._call(request, *c)) for c in zip(sizes, seeds, strict=False)]
            asked += left
            for got in await asyncio.gather(*tasks):
                if isinstance(got, _TurnedDown):
                    self._turn_down(request, got)
                    return
                draws += got
            left = request.n - sum(d.count for d in draws)
        self._deliver((request, merged(draws)))
        self._release()

    def _turn_down(self, request: Request, refusal: _TurnedDown) -> None:
        # Held back until the server has taken another prompt: a run must not fill with failed rows because of
        # a wrong setting.
        self._held.append((request, refusal))
        if self._dialect.proven:
            self._release()
        elif len({(r.context, r.prompt) for r, _ in self._held}) >= _HOPELESS:
            raise _refused(self._held)

    def _release(self) -> None:
        if self._dialect.proven:
            for request, refusal in self._held:
                why = f"{refusal.status}: {clip(refusal.message)}"
                self._deliver((request, [Draw("", request.n, "failed", error=why)]))
            self._held.clear()

    async def _call(self, request: Request, n: int, seed: int) -> list[Draw] | _TurnedDown:
        """Up to ``n`` draws; the same seed in every try, so that a lost answer is asked for and not drawn anew.

        No draws, where ``n`` turns out to be more than the server gives at once.
        """
        why, tries, served = "", 0, self._served
        while tries < self._patience:
            if n > self._dialect.most:
                return []
            version = self._dialect.version
            body = self._dialect.body(request, n, seed, self._sampling)
            async with self._pace.slot() as started:
                outcome = await self._post(request, body)
                if isinstance(outcome, httpx.Response) and outcome.status_code == 429:
                    self._pace.overloaded(started, retry_after(outcome.headers.get("retry-after")))
            self._memory.limit = self._pace.limit
            if isinstance(outcome, httpx.Response):
                message = self._told(refusal(outcome), outcome.status_code)
                verdict = self._judge(outcome.status_code, message)
                if isinstance(verdict, _TurnedDown):
                    if self._dialect.version != version or self._dialect.learn(message, body, self._sampling):
                        continue
                    return verdict
                why = verdict
                wait = retry_after(outcome.headers.get("retry-after"))
            elif isinstance(outcome, str):
                why, wait = outcome, 0.0
            else:
                return outcome
            busy = why.startswith("429") and self._served > served
            served = self._served
            tries += not busy  # a server that serves others meanwhile is busy and not broken
            if tries < self._patience:
                await asyncio.sleep(wait + backoff(self._manners.pause, tries))
        self._given_up += 1
        if not self._dialect.proven:
            raise RefusedError(0, f"{why} ({tries} tries)")
        return [Draw("", n, "failed", error=why)]

    def _told(self, why: str, status: int = 0) -> str:
        """Why a call gave no draws, without the key."""
        why = why.replace(self._memory.key, "[key]") if self._memory.key else why
        self._memory.last = f"{status}: {clip(why)}" if status else clip(why)
        return why

    @property
    def _patience(self) -> int:
        """Tries of a call: where one after the other was in vain, the server is gone and the rest must not wait."""
        return self._manners.tries if self._given_up < _HOPELESS else 1

    async def _post(self, request: Request, body: Body) -> list[Draw] | httpx.Response | str:
        """The draws, or the response that is none, or why there is no response."""
        n = body.get("n", 1)
        asked = n if isinstance(n, int) else 1
        self._memory.sent += 1
        self._memory.open += 1
        try:
            response = await bounded(self._client, self._dialect.path(request), body)
            if not response.is_success:
                return response
            reply = self._dialect.read(response.content, request, asked, self._sampling.max_tokens)
        except httpx.HTTPError as error:
            return self._told(describe(error))
        except MalformedReplyError as error:
            return self._told(str(error))
        finally:
            self._memory.open -= 1
        self._served += 1
        self._given_up = 0
        self._pace.succeeded()
        self._memory.answered[reply.model, reply.fingerprint] += 1
        self._dialect.answered(body, asked, len(reply.draws))
        return list(reply.draws)

    def _judge(self, status: int, message: str) -> _TurnedDown | str:
        """A refusal for good, or the reason of one that passes."""
        quota = status == 429 and "insufficient_quota" in message
        if status < 400 or status in _DENIED or quota or (status == 404 and not self._dialect.proven):
            raise RefusedError(status, message)
        if status in _PASSING or status >= 500:
            return f"{status}: {clip(message)}" if message else str(status)
        return _TurnedDown(status, message)


async def bounded(client: httpx.AsyncClient, path: str, body: Body) -> httpx.Response:
    """The answer to a call, read no further than an answer may be long.

    Raises:
        MalformedReplyError: it is longer.
    """
    read = bytearray()
    async with client.stream("POST", path, json=body) as response:
        async for piece in response.aiter_bytes():
            read += piece
            if len(read) > ANSWER_BYTES:
                raise MalformedReplyError(f"the answer is longer than {ANSWER_BYTES:,} bytes")
    kept = {k: v for k, v in response.headers.items() if k in ("location", "retry-after")}
    return httpx.Response(response.status_code, headers=kept, content=bytes(read))


def describe(error: Exception) -> str:
    """An error of the client in words; some have none of their own."""
    text = str(error)
    name = type(error).__name__
    return f"{name}: {clip(text)}" if text else name


def _refused(held: Sequence[tuple[Request, _TurnedDown]]) -> RefusedError:
    last = held[-1][1]
    return RefusedError(last.status, last.message)
