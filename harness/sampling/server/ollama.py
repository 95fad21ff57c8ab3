"""Ollama by its own interface, which takes every sampling option: its ``/v1`` drops some of them without a word.

A model there has a Modelfile, whose parameters hold wherever a call is silent, and without one Ollama has defaults of
its own (top_k 40, repeat_penalty 1.1). So a call states every option.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import UserError, clip, nearest
from harness.sampling.server.dialect import Dialect, continues, without
from harness.sampling.server.kind import parsed, text, told, whole
from harness.sampling.server.reply import MalformedReplyError, ServerReply, read_choices
from harness.terms import Sampling

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import httpx

    from harness.sampling.server.dialect import Body
    from harness.sampling.server.kind import Software
    from harness.terms import Request

PORT = 11434
LEAST_WINDOW = 4096
"""Tokens of prompt and output together: Ollama's own default, so that it need not load a model anew."""
_NEUTRAL: Mapping[str, float | bool] = {
    "min_p": 0.0,
    "typical_p": 1.0,
    "tfs_z": 1.0,
    "repeat_penalty": 1.0,
    "repeat_last_n": 0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "penalize_newline": False,
    "mirostat": 0,
}
"""Options that change nothing when they are so; a version without one of them leaves it out and has none."""
_ASKED = frozenset({"temperature", "top_k", "top_p", "num_predict", "num_ctx", "seed", "stop"})
"""Options whose values are the task's, or follow from it."""
_HARMLESS = frozenset(
    [
        "mirostat_tau",
        "mirostat_eta",
        "num_keep",
        "num_batch",
        "num_gpu",
        "main_gpu",
        "num_thread",
        "numa",
        "low_vram",
        "f16_kv",
        "logits_all",
        "vocab_only",
        "use_mmap",
        "use_mlock",
    ]
)
"""Parameters that decide how a model is computed and not what it says, or that act only together with another."""


@dataclass(frozen=True, slots=True)
class OllamaModel:
    """What Ollama says of one model."""

    digest: str = ""
    """sha256 over weights, template and parameters."""
    template: str = ""
    system: str = ""
    messages: tuple[str, ...] = ()
    """Turns that it puts before every chat."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Of its Modelfile."""
    window: int = 0
    """The most tokens that it was made for; 0 where that is not said."""
    thinks: bool = False

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings of the Modelfile that its template writes too: they mark the end of a turn."""
        found = (v for k, v in self.parameters if k == "stop")
        return tuple(dict.fromkeys(s for s in found if s.strip() and s in self.template))

    @property
    def set_aside(self) -> tuple[str, ...]:
        """The Modelfile's parameters that every call replaces."""
        kept = {("stop", s) for s in self.stops}
        found = dict.fromkeys(p for p in self.parameters if p not in kept and p[0] not in _HARMLESS)
        return tuple(clip(f"{k} {v}") for k, v in found)

    @property
    def adds(self) -> tuple[str, ...]:
        """What every prompt and output has from the model itself."""
        return (
            *((f"system message “{clip(self.system)}” where a prompt has none",) if self.system else ()),
            *(f"turn “{clip(m)}”" for m in self.messages),
            *(f"stop {clip(s)}" for s in self.stops),
        )

    @property
    def template_digest(self) -> str:
        """sha256 of the template, '' where there is none."""
        return hashlib.sha256(self.template.encode("utf-8", "replace")).hexdigest() if self.template else ""


def spec(rest: str) -> str:
    """``NAME@URL`` of what stands after ``ollama:``; without a URL it is that of ``OLLAMA_HOST``, or this machine's."""
    return rest if re.search(r"@https?://", rest) else f"{rest}@{_host(os.environ.get('OLLAMA_HOST', ''))}"


def _host(told: str) -> str:
    """The URL of OLLAMA_HOST, read as Ollama reads it: scheme and port may be missing."""
    scheme, _, rest = told.strip().strip("\"'").rpartition("://")
    place, slash, path = rest.partition("/")
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, port = place, {"http": "80", "https": "443"}.get(scheme, str(PORT))
    host = {"": "localhost", "0.0.0.0": "localhost", "[::]": "[::1]"}.get(host, host)  # noqa: S104  # where to call, not to listen
    return f"{scheme or 'http'}://{host}:{port}{slash}{path}"


def shown(client: httpx.Client, root: httpx.URL, model: str) -> OllamaModel:
    """What Ollama says of a model.

    Raises:
        UserError: it has no such model, or one with a parameter that a call cannot replace.
    """
    found = told(client, root, "api/show", {"model": model, "name": model})
    tags = told(client, root, "api/tags")
    rows = _rows((tags or {}).get("models"))
    names = [name for row in rows if (name := text(row.get("name")))]
    if not found:
        raise UserError(
            f"Ollama has no model {model!r}",
            where=str(root),
            expected=", ".join(names[:10]) or "a model that was pulled",
            nearest=nearest(model, names),
            hint=f"ollama pull {model}",
        )
    made = _shown(found)
    strange = {k for k, _ in made.parameters} - _NEUTRAL.keys() - _ASKED - _HARMLESS
    if strange:
        raise UserError(
            "the model's Modelfile sets what no call can replace",
            where=model,
            found=", ".join(sorted(strange)),
            expected="a model without these parameters",
            hint="ollama show --modelfile NAME > Modelfile; take them out; ollama create OTHER -f Modelfile",
        )
    full = model if ":" in model.rpartition("/")[2] else f"{model}:latest"
    digests = [text(row.get("digest")) for row in rows if row.get("name") in (model, full)]
    return OllamaModel(
        next(iter(digests), ""),
        made.template,
        made.system,
        made.messages,
        made.parameters,
        made.window,
        made.thinks,
    )


def _shown(found: Mapping[str, object]) -> OllamaModel:
    info = found.get("model_info")
    sizes = (
        [v for k, v in info.items() if str(k).endswith(".context_length")] if isinstance(info, dict) else []
    )
    able = found.get("capabilities")
    return OllamaModel(
        template=_str(found.get("template")),
        system=_str(found.get("system")),
        messages=tuple(
            f"{_str(m.get('role'))}: {_str(m.get('content'))}" for m in _rows(found.get("messages"))
        ),
        parameters=tuple(_parameters(_str(found.get("parameters")))),
        window=whole(sizes[0]) if sizes else 0,
        thinks=isinstance(able, list) and "thinking" in able,
    )


def _rows(value: object) -> list[dict[str, object]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _str(value: object) -> str:
    return value if isinstance(value, str) else ""


def _parameters(lines: str) -> Iterable[tuple[str, str]]:
    """Names and values, a line each; a text stands in quotes."""
    for line in lines.splitlines():
        name, _, value = line.strip().partition(" ")
        value = value.strip()
        if value[:1] == '"':
            try:
                value = str(json.loads(value))
            except ValueError:
                value = value.strip('"')
        if name:
            yield name, value


class OllamaDialect(Dialect):
    """Calls of ``/api/chat`` and ``/api/generate``, each for one draw."""

    def __init__(self, model: str, software: Software, seen: OllamaModel) -> None:
        super().__init__(model, software)
        self._seen = seen
        self._window = LEAST_WINDOW
        self._thinks = seen.thinks

    def prepare(self, requests: Iterable[Request], sampling: Sampling) -> None:
        """Make the window large enough for every prompt, and never smaller: to change it loads the model anew.

        A token has one byte at least, so a prompt has no more tokens than bytes.
        """
        seen = self._seen
        around = len("".join((seen.template, seen.system, *seen.messages)).encode("utf-8", "replace"))
        longest = max((len(_all(r).encode("utf-8", "replace")) for r in requests), default=0)
        needed = around + longest + sampling.max_tokens
        while self._window < needed:
            self._window *= 2
        if seen.window:
            self._window = min(self._window, seen.window)

    def body(self, request: Request, n: int, seed: int, sampling: Sampling) -> Body:
        """The JSON of one call: every option, so that none of the Modelfile's holds."""
        options: Body = {
            **_NEUTRAL,
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "num_predict": sampling.max_tokens,
            "num_ctx": self._window,
            "seed": seed % 2**31,
            "stop": [*sampling.stop, *self._seen.stops],
        }
        asked: Body = {"model": self.model, "stream": False, "truncate": False, "options": options}
        if not request.messages:
            return {**asked, "prompt": request.text, "raw": True}
        thought: Body = {"think": True} if self._thinks else {}
        return {**asked, **thought, "messages": [m.turn() for m in request.messages]}

    def path(self, request: Request) -> str:
        """Ollama's own endpoints."""
        return "api/chat" if request.messages else "api/generate"

    def read(self, body: bytes, request: Request, n: int, max_tokens: int) -> ServerReply:
        """The one draw of an answer; a failed one where prompt and output did not fit into the window."""
        found = parsed(body)
        message = found.get("message")
        if not isinstance(message, dict):
            message = {"content": found.get("response"), "thinking": found.get("thinking")}
        if found.get("done") is not True or found.get("done_reason") in ("load", "unload"):
            raise MalformedReplyError(
                f"the answer is not a whole one: {clip(body.decode('utf-8', 'replace'), 80)}"
            )
        used = whole(found.get("prompt_eval_count")) + whole(found.get("eval_count"))
        reason = found.get("done_reason")
        if not isinstance(message.get("content"), str):
            raise MalformedReplyError("the answer has no text")
        if used >= self._window and reason != "stop":
            raise MalformedReplyError(f"prompt and output do not fit into {self._window} tokens")
        choice = {
            "message": {"content": message.get("content"), "reasoning": message.get("thinking")},
            "finish_reason": reason,
        }
        usage = {"completion_tokens": found.get("eval_count")}
        told = {"choices": [choice], "usage": usage, "model": found.get("model")}
        reply = read_choices(told, body, 1, max_tokens)
        return without(reply, request.messages[-1].content) if self.echoes and continues(request) else reply

    def learn(self, message: str, body: Body, sampling: Sampling) -> bool:
        """Only that a model does not think after all; any other refusal is about the prompt."""
        if "think" in message and "think" in body and self._thinks:
            self._thinks = False
            self.version += 1
            return True
        return False

    def rendering(self, request: Request) -> Body:
        """A call that gives the prompt as the model would see it, and draws nothing, where the server can do this."""
        asked = self.body(request, 1, request.seed, Sampling(max_tokens=1))
        return {**asked, "_debug_render_only": True}


def prove_continuing(
    client: httpx.Client, root: httpx.URL, dialect: OllamaDialect, requests: Iterable[Request], seconds: float
) -> None:
    """Make sure that a begun answer is gone on with, and not followed by a new one.

    Raises:
        UserError: the server does not show it.
    """
    begun = next((r for r in requests if continues(r)), None)
    if begun is None:
        return
    answer = told(client, root, "api/chat", dialect.rendering(begun), seconds) or {}
    info = answer.get("_debug_info")
    written = _str(info.get("rendered_template")) if isinstance(info, dict) else ""
    if not written.rstrip().endswith(begun.messages[-1].content.rstrip()):
        raise UserError(
            "Ollama does not show that this model goes on with an answer that was begun",
            where=dialect.model,
            found="a prompt that does not end with the beginning" if written else "no prompt to look at",
            hint="without --continue-from; or a llama.cpp server, which does",
        )
    one = told(client, root, "api/chat", dialect.body(begun, 1, 1, Sampling(max_tokens=1)), seconds) or {}
    said = one.get("message")
    # One token is no whole beginning: where that comes back, it is said again before what follows.
    dialect.echoes = isinstance(said, dict) and _str(said.get("content")).startswith(
        begun.messages[-1].content
    )


def _all(request: Request) -> str:
    return request.text + "".join(m.role + m.content for m in request.messages)
