"""What is trained on: people's replies of the training split, each with its kind of exchange and its length."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.importers.corpus import Doubles, Splits, messages, read_replies
from harness.importers.gathered import context_of
from harness.importers.seen import hashes_of
from harness.natural.features import token_count
from harness.progress import phase, say
from harness.reading.style import length_bin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from baselines.needs import Replies
    from harness.importers.corpus import Reply
    from harness.tasks.people import People
    from harness.terms import Message

TRAIN = "train"


@dataclass(frozen=True, slots=True)
class PeopleRow:
    """A person's reply to a prompt."""

    prompt: tuple[Message, ...]
    text: str
    context: str
    """The kind of exchange, as targets name it."""
    bin: str
    """Length of the reply: short, medium, long or xlong."""
    language: str
    kind: str
    """Track and family: what the paper's buckets know of a context."""
    seen: tuple[int, ...] = ()
    """Hashes of the conversation and the exchange, for the list of what a checkpoint was trained on."""


def people_rows(about: Replies, people: Mapping[str, People], most: int) -> list[PeopleRow]:
    """The replies of the training split that the targets' figures are of.

    Args:
        about: the corpora and the targets.
        people: by language, the people beside the targets.
        most: of each language, a random sample; 0 is all.
    """
    names = {id(t.people): t.name for t in about.targets}
    found: list[PeopleRow] = []
    with phase("reading people's replies"):
        for language, beside in people.items():
            name = names[id(beside)]
            if beside.split != TRAIN:
                raise UserError(
                    "corpus and target are of different splits: trained on are replies of the training split",
                    where=f"target {name}",
                    found=f"figures of the split {beside.split}",
                    expected="figures of the split train",
                    hint="distalign target import reference … --split train",
                )
            replies = _replies(_corpora(about.corpora, beside, name), beside, language)
            replies.sort(key=lambda r: r.key)  # random, and the same in every run
            found += [_row(r, language) for r in (replies[:most] if most else replies)]
    return found


def _corpora(given: Sequence[Path], people: People, name: str) -> list[Path]:
    """The corpora that a target was counted from: a run of those given, in the same order."""
    keys = [b"".join(r.key.to_bytes(8, "big") for r in read_replies(str(c), {})) for c in given]
    for begin in range(len(given)):
        for end in range(begin + 1, len(given) + 1):
            if hashlib.sha256(b"".join(keys[begin:end])).hexdigest() == people.corpus:
                return list(given[begin:end])
    raise UserError(
        f"target {name!r} was counted from other records",
        where="--corpus",
        found=", ".join(str(c) for c in given),
        expected="the corpora as they were when the target was imported, in the same order",
        hint="distalign target import reference … --split train, again",
    )


def _replies(corpora: Sequence[Path], people: People, language: str) -> list[Reply]:
    """Those that the target counts and that answer something."""
    train, validation = people.shares
    splits, doubles = Splits(train, validation, people.seed), Doubles()
    every = [
        (r, splits.of(r))
        for corpus in corpora
        for r in read_replies(str(corpus), {})
        if r.text.strip() and r.language in ("", language)
    ]
    for reply, split in every:
        doubles.note(reply, split)
    own = [r for r, split in every if split == TRAIN and not doubles.taken(r, split)]
    asked = [r for r in own if r.question and context_of(r) in people.contexts]
    if lost := len(own) - len(asked):
        say(
            f"{lost} of {len(own)} training replies answer no question, or are of a kind that the target lacks"
        )
    if not asked:
        raise UserError(
            "no reply to train on",
            where=", ".join(str(c) for c in corpora),
            found=f"{len(every)} replies in {language!r}, {len(own)} of them in the training split",
        )
    return asked


def _row(reply: Reply, language: str) -> PeopleRow:
    text = reply.text.strip()
    return PeopleRow(
        tuple(messages(reply)),
        text,
        context_of(reply),
        length_bin(token_count(text)),
        language,
        f"{reply.track}|{reply.family}",
        hashes_of(reply),
    )
