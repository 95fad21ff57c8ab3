"""Reads an OpenAI-compatible answer: its choices become draws, with the reasoning put before the answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import clip
from harness.limits import MOST_TOKENS
from harness.terms import Draw

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from harness.terms import Finish

_MARKUP = re.compile(r"<(style|script)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_AT_CAP = frozenset({"length", "max_tokens", "model_length"})


class MalformedReplyError(Exception):
    """The body is not the JSON that the protocol promises: worth asking again."""


@dataclass(frozen=True, slots=True)
class ServerReply:
    """What one HTTP call gave."""

    draws: tuple[Draw, ...]
    model: str = ""
    """The model that the server says it used."""
    fingerprint: str = ""


def read_reply(body: bytes, n: int, max_tokens: int) -> ServerReply:
    """At most ``n`` draws of one answer; choices without a text are left out (and drawn again by the caller).

    Raises:
        MalformedReplyError: no JSON object, or no choice that can be read.
    """
    try:
        return read_choices(json.loads(body), body, n, max_tokens)
    except ValueError as error:
        raise MalformedReplyError(f"the answer is not JSON: {clip(error_message(body), 80)}") from error
    except RecursionError as error:
        raise MalformedReplyError("the answer is nested too deeply") from error


def read_choices(reply: object, body: bytes, n: int, max_tokens: int) -> ServerReply:
    """``read_reply`` of what has been parsed; ``body`` is shown where it is not what it should be."""
    if not isinstance(reply, dict) or not isinstance(reply.get("choices"), list):
        raise MalformedReplyError(f"the answer has no choices: {clip(error_message(body), 80)}")
    choices = [c for c in reply["choices"] if isinstance(c, dict)][:n]
    usage = reply.get("usage")
    total = usage.get("completion_tokens") if isinstance(usage, dict) else None
    # Only the sum is known, and only of an answer that is whole.
    if isinstance(total, int) and not 0 <= total <= MOST_TOKENS:
        raise MalformedReplyError(f"the answer says that it has {total:.3g} tokens")
    mean = total / n if isinstance(total, int) and len(choices) == n else 0.0
    draws = tuple(d for c in choices if (d := _draw(c, mean, max_tokens)) is not None)
    if not draws:
        raise MalformedReplyError("the answer has no choice with a text")
    named = (clip(reply.get(key) or "") for key in ("model", "system_fingerprint"))
    return ServerReply(draws, *named)


def _draw(choice: Mapping[str, object], mean: float, max_tokens: int) -> Draw | None:
    reason = str(choice.get("finish_reason"))
    if reason == "error" or choice.get("error"):
        return None
    text = _text(choice, cut=reason in _AT_CAP)
    if text is None:
        return None
    ids = choice.get("token_ids")
    finish: Finish = "length" if reason in _AT_CAP else "stop"
    if isinstance(ids, list):
        return Draw(text, finish=finish, tokens=len(ids))
    # Some servers say "stop" at the cap. From a mean, only the case in which all choices reached it can be told.
    return Draw(text, finish="length" if mean >= max_tokens else finish, tokens=round(mean))


def _text(choice: Mapping[str, object], *, cut: bool) -> str | None:
    """The text of a choice with its reasoning in front; None when the choice carries no output at all."""
    message = choice.get("message")
    if not isinstance(message, dict):
        text = choice.get("text")
        return text if isinstance(text, str) else None
    thought = next((v for k in ("reasoning_content", "reasoning") if (v := _joined(message.get(k)))), "")
    content = next((v for k in ("content", "refusal") if (v := _joined(message.get(k)))), "")
    if thought:
        return f"<think>{thought}" if cut and not content else f"<think>{thought}</think>{content}"
    # An empty content is an output (the model said nothing); a message without any field is a broken one.
    return content if message.keys() & {"content", "refusal", "tool_calls"} else None


def _joined(content: object) -> str:
    """A text, or the texts of its parts: some servers give a list of them, with reasoning as a part of its own."""
    if isinstance(content, str):
        return content
    out = ""
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and (thought := _joined(part.get("thinking"))):
            out += f"<think>{thought}</think>"
        elif isinstance(part, dict):
            out += _joined(part.get("text"))
    return out


def refusal(response: httpx.Response) -> str:
    """Why a response is no answer."""
    if response.has_redirect_location:
        return f"it redirects to {response.headers['location']}: name that URL"
    return error_message(response.content)


def error_message(body: bytes) -> str:
    """What the server says went wrong, in whatever shape it says it."""
    text = body.decode("utf-8", "replace").strip()
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError):
        return " ".join(_MARKUP.sub(" ", text).split())
    for key in ("error", "message", "detail"):
        if isinstance(reply, dict) and reply.get(key):
            reply = reply[key]
    return reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)
