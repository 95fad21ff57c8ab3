"""The engine ``llamacpp``: draws from a GGUF file through llama.cpp's own server, on a free port of this machine.

A prompt is read once for a group of draws; the draws of a group have seeds that count up from the group's.
"""

from __future__ import annotations

import gc
import os
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, TypedDict, cast

import httpx
from transformers import GenerationConfig

from harness.errors import UserError, missing_package
from harness.sampling.base import too_long
from harness.sampling.gguf.header import parts, read_header
from harness.sampling.hf.card import card_of
from harness.sampling.hf.chat import Chat
from harness.sampling.hf.foreign import foreign, load_tokenizer
from harness.sampling.hf.source import find
from harness.sampling.tally import merged
from harness.terms import Draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedModel
    from xllamacpp import Server

    from harness.sampling.base import ModelCard, Settled
    from harness.terms import Request, Sampling

SLOTS = 32
"""Draws that are computed at the same time."""
GROUP = 8
"""Draws that share one reading of their prompt; several groups run, so that slots of short answers are filled again."""
SEEDS = 2**32 - 1
"""llama.cpp takes seeds below this; the number itself means a random one."""
STEP = 256


class _Answer(TypedDict):
    """What is used of an answer of llama.cpp's server."""

    tokens: list[int]
    tokens_predicted: int
    stop_type: str


@dataclass(slots=True)
class _Job:
    """One request on its way."""

    request: Request
    ids: list[int]
    draws: list[Draw] = field(default_factory=list)
    left: int = 0


class LlamaCppEngine:
    """A GGUF model in llama.cpp. See ``harness.sampling.base.Engine``."""

    max_chunk = 1000

    def __init__(self, model: str, *, template: str = "auto") -> None:
        """Find the model; it is loaded when first needed.

        Args:
            model: a GGUF file, or a folder with one GGUF model.
            template: auto (the model's own chat template), none, or the path of a Jinja file.
        """
        if find_spec("xllamacpp") is None:
            raise missing_package("a llamacpp: model", "xllamacpp", "gguf")
        self.source = find(model, weights=False)
        if self.source.file is None:
            raise UserError(
                "llama.cpp reads GGUF files",
                where=model,
                found="an adapter" if self.source.base else "a model of another format",
                expected="a GGUF file, or a folder with one",
                hint="--backend hf",
            )
        self._path = parts(self.source.file)[0]
        header = read_header(self._path)
        self.window = header.number(f"{header.architecture}.context_length") or 2**31
        self.chat = Chat(load_tokenizer(self.source.folder, model), template)
        with foreign("transformers cannot read this generation_config.json", model):
            declared = GenerationConfig.from_pretrained(self.source.folder)
        self.ends = self.chat.ends(
            cast("PreTrainedModel", SimpleNamespace(config=None, generation_config=declared))
        )
        self._server: Server | None = None
        self._room = 0

    def card(self) -> ModelCard:
        """Identity of the model and its template."""
        engine = {"name": "llamacpp", "xllamacpp": version("xllamacpp")}
        return card_of(self.source, template=self.chat.digest, engine=engine)

    def render(self, request: Request) -> str:
        """The prompt with the chat template applied."""
        return self.chat.render(request)

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        """Keep the slots busy; yield each request when its last draw is done."""
        prompts = self.chat.encode(requests)
        fitting = []
        for request, ids in zip(requests, prompts, strict=True):
            if len(ids) < self.window:
                fitting.append(_Job(request, ids))
                continue
            reason = too_long(len(ids), self.window)
            yield request, [Draw("", request.n, "failed", error=reason)]
        if not fitting:
            return
        longest = max(len(job.ids) for job in fitting)
        most = min(sampling.max_tokens, self.window)
        client = self._client(SLOTS * (most + longest + 1))
        waiting = [(job, start) for job in fitting for start in range(0, job.request.n, GROUP)][::-1]
        for job in fitting:
            job.left = -(-job.request.n // GROUP)
        running: dict[Future[list[Draw]], _Job] = {}
        with client, ThreadPoolExecutor(SLOTS // GROUP + 1) as pool:
            try:
                while waiting or running:
                    while waiting and len(running) <= SLOTS // GROUP:
                        job, start = waiting.pop()
                        running[pool.submit(self._group, client, job, start, sampling)] = job
                    for done in wait(running, return_when=FIRST_COMPLETED).done:
                        job = running.pop(done)
                        job.draws += done.result()
                        job.left -= 1
                        if not job.left:
                            yield job.request, merged(job.draws)
            finally:
                for future in running:
                    future.cancel()

    def close(self) -> None:
        """Stop the server and free its memory."""
        self._server, self._room = None, 0
        gc.collect()

    def _client(self, room: int) -> httpx.Client:
        """A connection to a server whose cache has room for so many tokens."""
        if self._server is None or room > self._room:
            import xllamacpp

            self.close()
            params = xllamacpp.CommonParams()
            params.model.path = str(self._path)
            params.n_parallel = SLOTS
            params.n_ctx = self._room = -(-room // STEP) * STEP
            params.kv_unified = True  # one cache for all slots, so that draws share their prompt's part
            params.warmup = False
            params.verbosity = 0
            params.port = 0
            params.n_threads_http = SLOTS // GROUP + 4
            threads = os.environ.get("OMP_NUM_THREADS", "")  # as for torch
            params.cpuparams.n_threads = int(threads) if threads.isdecimal() else len(os.sched_getaffinity(0))
            try:
                self._server = xllamacpp.Server(params)
            except RuntimeError as error:
                raise UserError(
                    "llama.cpp cannot load this model",
                    where=self.source.name,
                    found=str(error).splitlines()[0] if str(error) else "no reason given",
                    hint="--backend hf reads it with transformers",
                ) from error
        return httpx.Client(base_url=self._server.listening_address, timeout=None, trust_env=False)  # noqa: S113  # a draw may take as long as it takes

    def _group(self, client: httpx.Client, job: _Job, start: int, sampling: Sampling) -> list[Draw]:
        request, n = job.request, min(GROUP, job.request.n - start)
        room = min(sampling.max_tokens, self.window - len(job.ids))
        asked = {
            **_law(sampling),
            "prompt": job.ids,
            "n_predict": room,
            "n_cmpl": n,
            "seed": (request.seed + start) % SEEDS,
            "stop": list(sampling.stop),
            "return_tokens": True,
            "cache_prompt": True,
        }
        try:
            answer = client.post("/completion", json=asked)
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise UserError(
                "llama.cpp stopped answering",
                where=self.source.name,
                found=str(error) or type(error).__name__,
            ) from error
        if not answer.is_success:
            reason = str(found.get("error", {}).get("message", answer.status_code))
            return [Draw("", n, "failed", error=reason)]
        rows = found if isinstance(found, list) else [found]
        return [self._draw(row, sampling) for row in rows]

    def _draw(self, row: _Answer, sampling: Sampling) -> Draw:
        ids = row["tokens"]
        end = next((i for i, token in enumerate(ids) if token in self.ends), len(ids))
        text = self.chat.decode([ids[:end]], self.ends)[0]
        cut = min((i for s in sampling.stop if (i := text.find(s)) >= 0), default=len(text))
        whole = end < len(ids) or cut < len(text) or row["stop_type"] != "limit"
        tokens = min(row["tokens_predicted"], end + 1)
        return Draw(text[:cut], finish="stop" if whole else "length", tokens=tokens)


def _law(sampling: Sampling) -> dict[str, object]:
    """Plain sampling: what is not named in ``samplers`` does not run, whatever its own setting."""
    return {
        "samplers": [
            "temperature",
            *(["top_k"] if sampling.top_k else []),
            *(["top_p"] if sampling.top_p < 1 else []),
        ],
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": 0.0,
        "repeat_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "ignore_eos": False,
    }
