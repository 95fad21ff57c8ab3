"""Turns of a conversation, in the forms that corpora have them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import UserError
from harness.terms import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ROLES = {
    "system": "system",
    **dict.fromkeys(("user", "human", "prompter", "usr"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "model", "agent"), "assistant"),
}


class Exchange(NamedTuple):
    """What was asked and what was replied, after what was said before."""

    history: tuple[Message, ...]
    question: str
    reply: str
    turn: int
    """Number of the reply among the turns, from 0."""


def exchanges(turns: Sequence[Message]) -> list[Exchange]:
    """Every reply of the assistant to a user."""
    said = joined(turns)
    return [
        Exchange(tuple(said[: i - 1]), said[i - 1].content, turn.content, i)
        for i, turn in enumerate(said)
        if i and turn.role == "assistant" and said[i - 1].role == "user"
    ]


def joined(turns: Iterable[Message]) -> list[Message]:
    """Turns in which the speakers alternate: those of one that follow each other are one."""
    found: list[Message] = []
    for turn in turns:
        if found and found[-1].role == turn.role:
            found[-1] = Message(turn.role, f"{found[-1].content}\n{turn.content}")
        else:
            found.append(turn)
    return found


def read_turns(value: object, where: str, field: str) -> tuple[Message, ...]:
    """A record's own history: turns with role and text, pairs of question and reply, or texts that alternate."""
    if value is None or value == "":
        return ()
    if isinstance(value, list):
        if all(isinstance(t, str) for t in value):
            count = len(value)
            roles = ["assistant" if (count - i) % 2 else "user" for i in range(count)]
            return tuple(Message(role, text) for role, text in zip(roles, value, strict=True))
        found = [m for turn in value for m in _turn(turn)]
        if all(m is not None for m in found):
            return tuple(m for m in found if m is not None)
    raise UserError(
        f"the {field} field is no list of turns",
        where=where,
        found=json.dumps(value, ensure_ascii=False, default=str)[:80],
        expected='[{"role": "user", "content": …}, …], pairs [question, reply], or texts',
        hint=f"name another field: --field {field}=NAME",
    )


def read_conversation(value: object, where: str) -> tuple[Message, ...]:
    """The turns of a whole conversation. Where they are texts that alternate, the user begins."""
    if isinstance(value, list) and all(isinstance(t, str) for t in value):
        return tuple(Message(("user", "assistant")[i % 2], text) for i, text in enumerate(value))
    return read_turns(value, where, "turns")


def _turn(turn: object) -> Iterable[Message | None]:
    if isinstance(turn, dict):
        role = _ROLES.get(str(turn.get("role", turn.get("from"))).lower())
        content = next((turn[k] for k in ("content", "text", "value") if turn.get(k) is not None), None)
        return [Message(role, content)] if role and isinstance(content, str) else [None]
    if isinstance(turn, list) and len(turn) == 2 and all(isinstance(t, str) for t in turn):
        return [Message("user", turn[0]), Message("assistant", turn[1])]
    return [None]
