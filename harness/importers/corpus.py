"""Corpora of human replies: records with their history, in splits by conversation."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Literal, get_args

from harness.errors import UserError, nearest
from harness.importers.sources import label, records
from harness.importers.turns import exchanges, joined, read_conversation, read_turns
from harness.limits import DIGITS
from harness.terms import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.importers.sources import CorpusRecord

Split = Literal["train", "validation", "test"]

FIELDS: dict[str, tuple[str, ...]] = {
    "reply": ("reply", "response", "human_answer", "output", "answer"),
    "question": ("question", "prompt", "instruction"),
    "passage": ("passage", "context", "input"),
    "history": ("history", "dialogue_history"),
    "language": ("language", "lang"),
    "track": ("track",),
    "family": ("family",),
    "style": ("style", "style_bucket"),
    "conversation": ("conversation", "conversation_id", "dialogue_id", "dialog_id"),
    "id": ("id",),
    "turn": ("turn",),
    "split": ("split",),
    "turns": ("messages", "conversations", "turns", "conversation", "dialogue", "dialog"),
}
"""What each field may be called."""
_ORDER: tuple[Split, ...] = get_args(Split)
_SPLITS: dict[str, Split] = {"dev": "validation", "val": "validation", "valid": "validation"}


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of a human."""

    source: str
    conversation: str
    """Replies of one conversation share it: they are held out, or split in halves, together."""
    language: str
    track: str
    family: str
    style: str
    question: str
    text: str
    passage: str = ""
    """What the question is about."""
    history: tuple[Message, ...] = ()
    """The turns before the question, the person who replies being the assistant."""
    split: Split | None = None
    """What the corpus says."""
    turn: int | None = None

    @property
    def key(self) -> int:
        """64 bits of a hash of history, question and reply."""
        said = [[m.role, m.content] for m in self.history]
        return _hash(json.dumps([said, self.passage, self.question, self.text]))

    @property
    def talk(self) -> int:
        """64 bits of a hash of source and conversation."""
        return _hash(f"{self.source}:{self.conversation}")


@dataclass(frozen=True, slots=True)
class Splits:
    """How conversations are shared out where a corpus does not say."""

    train: float = 0.7
    validation: float = 0.1
    seed: int = 0

    def of(self, reply: Reply) -> Split:
        """The split of a reply: its record's own, or its conversation's."""
        if reply.split is not None:
            return reply.split
        at = share(f"split {self.seed}", reply)
        if at < self.train:
            return "train"
        return "validation" if at < self.train + self.validation else "test"


class Doubles:
    """Which replies stand in a later split too: an equal history, question and reply count there alone."""

    def __init__(self) -> None:
        """Know none."""
        self.later: dict[Split, set[int]] = {s: set() for s in _ORDER}

    def note(self, reply: Reply, split: Split) -> None:
        """Remember a reply; those of the first split take none from another."""
        if split != _ORDER[0]:
            self.later[split].add(reply.key)

    def taken(self, reply: Reply, split: Split) -> bool:
        """Whether a split after this one has the reply."""
        return any(reply.key in self.later[later] for later in _ORDER[_ORDER.index(split) + 1 :])


def share(purpose: str, reply: Reply) -> float:
    """Where a conversation falls in [0, 1): the same in every run, another for another purpose."""
    return _hash(f"{purpose}:{reply.source}:{reply.conversation}") / 2**64


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def read_replies(source: str, fields: Mapping[str, str]) -> Iterator[Reply]:
    """The replies in ``source`` (see ``records``), each with the turns before it.

    A record that holds a whole conversation (``messages`` or the like) gives the assistant's every reply. A record of one
    reply without a history of its own gets the earlier turns of its conversation, whose records lie together.
    Where the person who replies opened the conversation, that first turn is left out: chats begin with the user.

    Args:
        source: Where the corpus is.
        fields: Field of ``FIELDS`` -> what this corpus calls it, where that is not one of the usual names.

    Raises:
        UserError: A record has no reply, or one that is no text; the records of a conversation lie apart.
    """
    for name in fields:
        if name not in FIELDS:
            raise UserError(
                f"there is no field {name!r}", expected=", ".join(FIELDS), nearest=nearest(name, FIELDS)
            )
    seen: set[int] = set()
    own = False
    name = label(source)
    found = (reply for record in records(source) for reply in _replies(record, fields, name))
    for conversation, replies in groupby(found, key=lambda r: r.conversation):
        together = list(replies)
        own = own or any(r.history for r in together)
        if together[0].talk in seen and not own:
            raise UserError(
                "the records of a conversation lie apart, so that its earlier turns are not known",
                where=source,
                found=conversation,
                expected="records sorted by conversation, or a history in each",
            )
        seen.add(together[0].talk)
        yield from together if own else _rebuilt(together)


def _rebuilt(replies: Sequence[Reply]) -> Iterator[Reply]:
    """Replies of one conversation with the turns before each; a turn that is missing breaks the thread."""
    said: list[str] = []
    last: int | None = None
    for reply in sorted(replies, key=lambda r: r.turn or 0):
        gap = None if last is None or reply.turn is None else reply.turn - last
        # the question may be the last reply itself (both speakers' replies are records), or a turn of its own
        follows = bool(said) and said[-1] == reply.question and gap in (None, 1)
        if not follows and gap not in (None, 2):
            said = []
        before = said[:-1] if follows else said
        begin = len(before) % 2  # turns alternate and the last before the question is a reply
        turns = tuple(
            Message("user" if i % 2 == 0 else "assistant", text) for i, text in enumerate(before[begin:])
        )
        yield replace(reply, history=turns)
        said = [*said, reply.text] if follows else [*said, reply.question, reply.text]
        last = reply.turn


def messages(reply: Reply) -> list[Message]:
    """What is asked: the history and the question, in turns that alternate."""
    asked = "\n\n".join(part for part in (reply.passage, reply.question) if part)
    turns = joined((*reply.history, Message("user", asked)))
    # who replies may have opened the conversation: chats begin with the user
    return joined(
        t for i, t in enumerate(turns) if t.role != "assistant" or (i and turns[i - 1].role != "system")
    )


def _replies(record: CorpusRecord, fields: Mapping[str, str], source: str) -> list[Reply]:
    """The one reply of a record, or all of the conversation that it holds."""
    names = (fields["turns"],) if "turns" in fields else FIELDS["turns"]
    held = record.values
    key = next((n for n in names if isinstance(held.get(n), list)), None)
    reply = (fields["reply"],) if "reply" in fields else FIELDS["reply"]
    if key is None or ("turns" not in fields and any(n in held for n in reply)):
        return [_reply(record, fields, source)]
    spoken = exchanges(read_conversation(held[key], f"{record.where}:{key}"))
    rest = {k: v for k, v in held.items() if k != key}
    track = (
        {} if any(n in held for n in FIELDS["track"]) else {"track": "multi" if len(spoken) > 1 else "single"}
    )
    usual = {k: v for k, v in fields.items() if k not in ("turns", "reply", "question", "history")}
    found = []
    for one in spoken:
        values = {**rest, **track, "question": one.question, "reply": one.reply}
        whole = _reply(record._replace(values=values), usual, source)
        found.append(replace(whole, history=one.history, turn=one.turn))
    return found


def _reply(record: CorpusRecord, fields: Mapping[str, str], source: str) -> Reply:
    where = record.where
    values = _values(record, fields)
    text = {k: _text(v, f"{where}:{k}", k) for k, v in values.items() if k != "history"}
    identity = text.get("id") or str(record.number)
    turn = text.get("turn", "")
    question = text.get("question", "").strip()
    history = read_turns(values.get("history"), f"{where}:history", "history")
    if history and history[-1] == Message("user", question):
        history = history[:-1]
    # ids of turns end in the turn: what is before names the conversation
    conversation = identity.removesuffix(f"-{turn}") if turn else identity
    return Reply(
        source=source,
        conversation=text.get("conversation") or conversation or identity,
        language=_language(text.get("language", "")),
        track=text.get("track") or "single",
        family=text.get("family") or "assistant",
        style=text.get("style", ""),
        question=question,
        text=text["reply"],
        passage=text.get("passage", "").strip(),
        history=history,
        split=_split(text.get("split", "") or record.split, where),
        turn=int(turn) if turn.isdecimal() and len(turn) < DIGITS else None,
    )


def _values(record: CorpusRecord, fields: Mapping[str, str]) -> dict[str, object]:
    """Field -> what a record holds of it; a reply of null is an empty one."""
    values: dict[str, object] = {}
    held = record.values
    for field, usual in FIELDS.items():
        names = (fields[field],) if field in fields else usual
        for name in names:
            # of several names the first that says something
            if (value := held.get(name)) is not None:
                values[field] = value
                break
        else:
            if field != "reply" and field not in fields:
                continue
            if not any(name in held for name in names):
                raise UserError(
                    f"a record has no {field}",
                    where=record.where,
                    found=", ".join(held),
                    expected=" or ".join(names),
                    hint=f"name the field: --field {field}=NAME",
                )
            values[field] = ""
    return values


def _text(value: object, where: str, field: str) -> str:
    """A field's text; numbers may name things, but only text is a reply."""
    if isinstance(value, str):
        return value
    if field not in ("reply", "question", "passage") and isinstance(value, int | float):
        return str(value)
    raise UserError(
        f"the {field} is no text",
        where=where,
        found=json.dumps(value, ensure_ascii=False, default=str),
        expected="a string",
        hint=f"name another field: --field {field}=NAME",
    )


def _split(name: str, where: str) -> Split | None:
    if not name:
        return None
    folded = name.strip().lower()
    known: dict[str, Split] = {**{s: s for s in get_args(Split)}, **_SPLITS}
    if folded not in known:
        raise UserError(
            "an unknown split",
            where=where,
            found=name,
            expected="train, validation (dev, val, valid) or test",
            nearest=nearest(folded, known),
            hint="another field: --field split=NAME",
        )
    return known[folded]


def _language(tag: str) -> str:
    """``en`` of en-US, EN and English; ``zh`` of zh_CN, cmn and Chinese."""
    first = tag.strip().lower().replace("_", "-").split("-")[0]
    return {"english": "en", "eng": "en", "chinese": "zh", "zho": "zh", "cmn": "zh", "中文": "zh"}.get(
        first, first
    )
