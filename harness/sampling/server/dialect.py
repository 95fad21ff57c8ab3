"""Which fields a server takes. All sampling parameters are sent; fields that it refuses are left out and reported."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.sampling.server.kind import Software, spoken
from harness.sampling.server.reply import MalformedReplyError, read_reply

if TYPE_CHECKING:
    from harness.sampling.server.kind import Kind
    from harness.sampling.server.reply import ServerReply
    from harness.terms import Request, Sampling

_LOG = logging.getLogger(__name__)

Body = dict[str, object]

_TOO_LONG = re.compile(
    r"context[ _-]?(length|window|size)|too (long|many tokens|large)|maximum (model )?length|input[ _]?tokens|"
    r"reduce the length|exceeds? the (available )?(context|maximum)",
    re.IGNORECASE,
)
_MANY = re.compile(r"\bn\b|choices|candidate", re.IGNORECASE)
"""A refusal that may be about the number of choices."""
_ALWAYS = frozenset({"model", "messages", "prompt"})
_WIDE, _NARROW = 53, 31
"""Bits of a seed: what JSON numbers carry everywhere, and what the servers with 32-bit seeds take."""

UNKNOWN = Software()


class Dialect:
    """The request bodies of one server. Starts with every field and drops what the server refuses."""

    def __init__(self, model: str, software: Software = UNKNOWN) -> None:
        self.model = model
        self.software = software
        self.dropped: set[str] = set()
        self.version = 0
        """Grows with each lesson, so that a call sent before it is sent again and not counted."""
        self._taken: set[str] = set()
        """Fields of calls that were answered: a refusal that names one of these is about one prompt."""
        self._trial: set[str] = set()
        """Fields left out since the last refusal, to see whether they were the cause."""
        self._cap = "max_tokens"
        self._seed_bits = _NARROW if software.kind in ("llama.cpp", "Ollama") else _WIDE
        self.most = 1 if software.single else 2**31
        """Choices to ask for in one call; 1 where the server refuses or ignores ``n``."""
        self._untried = self.most
        """That number before the present trial."""
        self._heeded = 1
        """The most choices that an answer had."""
        self._lonely = 0
        self.echoes = software.kind == "llama.cpp"
        """Whether a begun answer comes back with its beginning."""
        self.begun = False
        """Whether an answer was begun."""

    def check(self, sampling: Sampling) -> None:
        """Make sure that the server is not known to leave out what is asked for.

        Raises:
            UserError: it is.
        """
        if sampling.top_k and self.software.kind and "top_k" in self.software.unsaid:
            raise UserError(
                f"{self.software.kind} leaves out top_k, which this task needs",
                found=f"top_k={sampling.top_k}",
                expected="a server that takes it: vLLM, SGLang, llama.cpp or Ollama",
            )

    def body(self, request: Request, n: int, seed: int, sampling: Sampling) -> Body:
        """The JSON of one call, every sampling parameter spelt out, the neutral ones too."""
        self.check(sampling)  # again: what answers may have become known since the start
        fields: Body = {
            "model": self.model,
            **({"messages": _turns(request)} if request.messages else {"prompt": request.text}),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self._cap: sampling.max_tokens,
            "seed": seed % 2**self._seed_bits,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            **_extras(self.software.kind, sampling),
        }
        if self.software.kind == "TGI":
            # It adds 2 to a presence penalty and takes that for its repetition penalty, and has no top_p of 1.
            del fields["presence_penalty"]
            if sampling.top_p == 1:
                del fields["top_p"]
        if n > 1:
            fields["n"] = n
        if sampling.stop:
            fields["stop"] = list(sampling.stop)
        if continues(request):
            self.begun = True
            fields |= {"add_generation_prompt": False, "continue_final_message": True}
        return {k: v for k, v in fields.items() if k not in self.dropped}

    @property
    def proven(self) -> bool:
        """The server has answered a call in this dialect."""
        return bool(self._taken)

    def path(self, request: Request) -> str:
        """The endpoint: chat for turns, completions for plain text."""
        return "chat/completions" if request.messages else "completions"

    def read(self, body: bytes, request: Request, n: int, max_tokens: int) -> ServerReply:
        """The draws of an answer; of a begun one without the beginning, which some servers say again.

        Raises:
            MalformedReplyError: it has none that can be read.
            UserError: other software answered than the one whose dialect this is.
        """
        reply = read_reply(body, n, max_tokens)
        self._same(reply.fingerprint)
        return without(reply, request.messages[-1].content) if self.echoes and continues(request) else reply

    def _same(self, fingerprint: str) -> None:
        said = spoken(fingerprint)
        if said == "Ollama":
            raise not_by_v1(f"the answer is marked {fingerprint}")
        if said == "TGI" and not self.software.kind:
            self.software = replace(self.software, kind=said)
            self.most, self.dropped = 1, set()
            self.version += 1
            raise MalformedReplyError("the answer shows that this is TGI: its dialect from now on")
        if said and self.software.kind not in ("", said):
            raise UserError(
                "another server answers than at the start",
                found=f"{said} {fingerprint}",
                expected=self.software.kind,
                hint="the same command, once the first one is back; or -o another folder",
            )

    def answered(self, body: Body, asked: int, got: int) -> None:
        """Learn from an answer with ``got`` of ``asked`` choices which fields the server takes, and if it heeds n."""
        self._taken |= body.keys()
        if self._trial and (self._trial != {"n"} or asked == self.most):
            self._said(self._trial)
            self._trial = set()
        self._heeded = max(self._heeded, got)
        if asked > 1 and self._heeded == 1:
            self._lonely += 1
            if self._lonely == 2:  # once may be a broken answer
                self._lower(1)
                self._said({"n"})

    def learn(self, message: str, body: Body, sampling: Sampling) -> bool:
        """Learn from a refusal; True when the call is worth sending again in the new dialect.

        Raises:
            UserError: the server refuses a field without which the draws would not be what was asked for.
        """
        if _TOO_LONG.search(message) and not _MANY.search(message):
            return False
        if "max_completion_tokens" in message and self._cap == "max_tokens" and not self.proven:
            self._cap = "max_completion_tokens"
            self.version += 1
            return True
        unsure = body.keys() - self._taken - _ALWAYS - {"n"}
        named = {f for f in unsure if re.search(rf"\b{f}\b", message)}
        if named:
            self._drop(named, message, body, sampling)
            return True
        n = body.get("n", 1)
        return self._try_without(unsure, n if isinstance(n, int) else 1, sampling)

    def _try_without(self, unsure: set[str], n: int, sampling: Sampling) -> bool:
        """Without the fields of other servers, then with half of ``n``, down to 1.

        What did not help goes in again: it is the prompt that is refused, and a field left out for nothing would
        leave a default of the server in force.
        """
        before = self._trial
        self._put_back(before)
        own = _extras(self.software.kind, sampling).keys()
        extras = {f for f in unsure & own if f != "top_k" or not sampling.top_k}
        if not before and extras:
            self._trial = extras
            self._leave_out(extras)
        elif n > self._heeded:
            if "n" not in before:
                self._untried = self.most
            self._trial = {"n"}
            self._lower(max(n // 2, self._heeded))
        else:
            self._trial = set()
            if "n" in before:
                self.most = self._untried
            return False
        return True

    def _leave_out(self, fields: set[str]) -> None:
        self.dropped |= fields
        self.version += 1

    def _put_back(self, fields: set[str]) -> None:
        self.dropped -= fields
        self.version += 1

    def _lower(self, most: int) -> None:
        self.most = most
        if most == 1:
            self.dropped.add("n")
        self.version += 1

    def _said(self, fields: set[str]) -> None:
        if "n" in fields and self.most == 1:
            _LOG.warning("the server does not heed n: each draw is a call of its own")
        elif "n" in fields:
            _LOG.warning("the server gives no more than %d choices per call", self.most)
        if others := sorted(fields - {"n"}):
            _LOG.warning("the server refuses %s: sent without, its own default holds", ", ".join(others))

    def _drop(self, fields: set[str], message: str, body: Body, sampling: Sampling) -> None:
        if fields == {"seed"} and self._seed_bits == _WIDE:
            self._seed_bits = _NARROW
            self.version += 1
            return
        asked = {
            "temperature": sampling.temperature != 1.0,
            "top_p": sampling.top_p != 1.0,
            "top_k": sampling.top_k > 0,
            "stop": True,
            self._cap: True,
            "continue_final_message": True,
            "add_generation_prompt": True,
        }
        needed = sorted(f for f in fields if asked.get(f))
        if needed:
            raise UserError(
                f"the server refuses {', '.join(needed)}, which this task needs",
                found=message,
                expected=f"a server that takes {', '.join(f'{f}={body[f]!r}' for f in needed)}",
                hint="serve the checkpoint with vLLM: vllm serve MODEL --generation-config vllm",
            )
        self._leave_out(fields)
        self._said(fields)


def _extras(kind: Kind, sampling: Sampling) -> Body:
    """Fields that are not in OpenAI's protocol: without them a server may have other defaults, of its own or a checkpoint's."""
    if kind == "llama.cpp":
        # What is not named in samplers does not run, whatever its own setting.
        filters = [*(["top_k"] * (sampling.top_k > 0)), *(["top_p"] * (sampling.top_p < 1))]
        return {
            "top_k": sampling.top_k,
            "min_p": 0.0,
            "typical_p": 1.0,
            "repeat_penalty": 1.0,
            "dry_multiplier": 0.0,
            "xtc_probability": 0.0,
            "dynatemp_range": 0.0,
            "mirostat": 0,
            "samplers": ["temperature", *filters],
            "cache_prompt": True,
        }
    if kind == "TGI":
        return {"repetition_penalty": 1.0}
    if kind == "LM Studio":
        return {"top_k": sampling.top_k, "min_p": 0.0, "repeat_penalty": 1.0}
    return {
        "top_k": sampling.top_k or -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "skip_special_tokens": False,
        "return_token_ids": True,
    }


def not_by_v1(found: str) -> UserError:
    """The error of an Ollama that is reached by OpenAI's interface alone."""
    return UserError(
        "this is Ollama, whose /v1 keeps its own top_k, repeat_penalty and more whatever is asked for",
        found=found,
        expected="Ollama's own interface, which takes them",
        hint="ollama:NAME@http://host:port as the model string",
    )


def without(reply: ServerReply, beginning: str) -> ServerReply:
    """A reply whose texts have no more the beginning that was sent."""
    draws = tuple(replace(d, text=d.text.removeprefix(beginning)) for d in reply.draws)
    return replace(reply, draws=draws)


def continues(request: Request) -> bool:
    """True when the last turn is an assistant's beginning that the model goes on with."""
    return bool(request.messages) and request.messages[-1].role == "assistant"


def _turns(request: Request) -> list[dict[str, str]]:
    return [m.turn() for m in request.messages]
