"""Imports a human reference: shares of length, act, list and sentiment of people's replies. No text is kept."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import yaml

from harness.errors import UserError, nearest
from harness.files import write_atomic
from harness.importers.corpus import Reply, label, read_replies
from harness.importers.folder import Cells, ImportedTable, TargetFolder, write_target
from harness.importers.halves import halves, independent
from harness.importers.shares import fill_zeros, plain
from harness.importers.slug import slug
from harness.reading.base import Answer
from harness.reading.style import OUTCOMES, Feature, StyleReader

if TYPE_CHECKING:
    from pathlib import Path

    from harness.tasks.target_file import Provenance

Language = Literal["en", "zh"]
Shape = Mapping[str, str]
"""Attribute -> class of one reply; an attribute that could not be read is left out."""

_HAN = re.compile("[\u4e00-\u9fff]")
SMALLEST = 20
"""A bucket with fewer replies is left out, as in PolyAlign."""
HELD_OUT = 0.2
PROMPTS = 200
"""Held-out prompts written per context, at most."""

SMOOTHING = (
    "A class that none of n replies shows counts as half a reply, taken from the other classes in proportion."
)


@dataclass(frozen=True, slots=True)
class ReferenceOptions:
    """How a corpus is read."""

    language: Language
    """Records of other languages are passed over; a corpus without the field is all of this one."""
    provenance: Provenance
    title: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    """See ``read_replies``."""
    stratified: tuple[str, ...] = ()
    """Sources (file names without .jsonl.gz) sampled by length: they count within a length bin only."""
    prompts: Path | None = None
    """Hold a fifth of the conversations out of the figures and write their prompts here, as a task's
    ``prompts.yaml``. They are other people's words: mind their licence before sharing them."""


def import_reference(
    sources: Sequence[str],
    out: Path,
    options: ReferenceOptions,
    read: Callable[[Sequence[str]], list[Shape]] | None = None,
) -> Path:
    """Writes the target: shares of each attribute's classes per context, n and the split-half floor beside them.

    Contexts are ``TRACK_FAMILY`` and, where records name a style, ``STYLE``; within them, ``TRACK_FAMILY_LENGTH``
    for the attributes other than length.

    Args:
        sources: Corpora, see ``read_replies``.
        out: The target folder to write.
        options: How the corpora are read.
        read: Reads the shapes of texts; the task's own readers when left out.
    """
    if options.prompts is not None:
        options.prompts.parent.mkdir(parents=True, exist_ok=True)
    everything = [r for source in sources for r in read_replies(source, options.fields)]
    replies = [r for r in everything if wanted(r, options)]
    _check(sources, everything, replies, options)
    held = [r for r in replies if options.prompts is not None and _share("held out", r) < HELD_OUT]
    kept = [r for r in replies if options.prompts is None or _share("held out", r) >= HELD_OUT]
    shapes = (read or shape_readers(options.language))([r.text for r in kept])
    tables = {name: _table(name, kept, shapes, options) for name in OUTCOMES}
    if not tables["length"].rows:
        raise UserError(
            f"no kind of exchange has {SMALLEST} replies in {options.language!r}",
            where=", ".join(sources),
            found=_of(r.track + " " + r.family for r in kept),
        )
    target = TargetFolder(
        title=options.title or f"How people reply ({options.language})",
        kind="reference",
        tables={name: table for name, table in tables.items() if table.rows},
        provenance=_provenance(kept, len(everything) - len(replies), options),
        smoothing=SMOOTHING,
        informative=("level", "halves_tv", "halves_floor"),
        sample={"replies": "n", "independent": "independent"},
    )
    write_target(target, out)
    if options.prompts is not None:
        write_atomic(options.prompts, _prompts(held))
    return out


def _check(
    sources: Sequence[str], everything: Sequence[Reply], replies: Sequence[Reply], options: ReferenceOptions
) -> None:
    """Refuses corpora that cannot be told apart, and replies that are in another language than is said."""
    names = [label(source) for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                "two corpora have one name", found=name, expected="each once; rename one of the files"
            )
    for name in options.stratified:
        if name not in names:
            raise UserError(
                f"no corpus is called {name!r}",
                where="--stratified",
                found=", ".join(names),
                nearest=nearest(name, names),
            )
    if not replies:
        raise UserError(
            f"no reply in {options.language!r}",
            where=", ".join(sources),
            found=_of(r.language or "no language stated" for r in everything if r.text.strip()) or "no text",
        )
    han = sum(_HAN.search(r.text) is not None for r in replies) / len(replies)
    if (han > 0.5) != (options.language == "zh"):
        raise UserError(
            f"the replies are not in {options.language!r}",
            where=", ".join(sources),
            found=f"{han:.0%} of {len(replies)} replies hold Chinese characters",
            hint=f"the same with --language {'zh' if han > 0.5 else 'en'}",
        )


def _of(names: Iterable[str]) -> str:
    """How often each name comes, the commonest first."""
    return ", ".join(f"{name} {count}" for name, count in Counter(names).most_common())


def wanted(reply: Reply, options: ReferenceOptions) -> bool:
    """Whether a reply says something, in the language asked for."""
    return bool(reply.text.strip()) and reply.language in ("", options.language)


def _share(purpose: str, reply: Reply) -> float:
    """Where a conversation falls in [0, 1): the same in every run, another for another purpose."""
    digest = hashlib.sha256(f"{purpose}:{reply.source}:{reply.conversation}".encode()).hexdigest()
    return int(digest[:8], 16) / 0x100000000


def _contexts(reply: Reply, shape: Shape, options: ReferenceOptions) -> list[tuple[str, str]]:
    """The contexts that a reply counts in, as level and id."""
    kind = slug(f"{reply.track} {reply.family}")
    contexts = [] if reply.source in options.stratified else [("family", kind)]
    if contexts and slug(reply.style) not in ("", kind):
        contexts.append(("style", slug(reply.style)))
    if "length" in shape:
        contexts.append(("length", f"{kind}_{shape['length']}"))
    return contexts


def by_conversation(
    attribute: Feature, replies: Sequence[Reply], shapes: Sequence[Shape], options: ReferenceOptions
) -> Mapping[tuple[str, str], Mapping[tuple[bool, str, str], Counter[str]]]:
    """(level, context) -> conversation (whether of the second half, source, id) -> how often each class came."""
    counted: dict[tuple[str, str], dict[tuple[bool, str, str], Counter[str]]] = defaultdict(
        lambda: defaultdict(Counter)
    )
    for reply, shape in zip(replies, shapes, strict=True):
        if attribute in shape:
            conversation = (_share("half", reply) >= 0.5, reply.source, reply.conversation)
            for key in _contexts(reply, shape, options):
                counted[key][conversation][shape[attribute]] += 1
    return counted


def _table(
    attribute: Feature, replies: Sequence[Reply], shapes: Sequence[Shape], options: ReferenceOptions
) -> ImportedTable:
    classes = OUTCOMES[attribute]
    counted = by_conversation(attribute, replies, shapes, options)
    rows = []
    order = {"family": 0, "style": 1, "length": 2}
    for (level, context), conversations in sorted(
        counted.items(), key=lambda item: (order[item[0][0]], item[0][1])
    ):
        n = sum(c.total() for c in conversations.values())
        if n >= SMALLEST and not attribute == level == "length":
            rows.append(_row(level, context, classes, conversations))
    return ImportedTable(classes, rows)


def _row(
    level: str,
    context: str,
    classes: Sequence[str],
    conversations: Mapping[tuple[bool, str, str], Counter[str]],
) -> Cells:
    counts = [[c[name] for name in classes] for c in conversations.values()]
    n = sum(map(sum, counts))
    totals = {
        name: Decimal(sum(column)) for name, column in zip(classes, zip(*counts, strict=True), strict=True)
    }
    filled = fill_zeros(totals, Decimal(2), Decimal(n))
    compared = halves(counts, [second for second, _, _ in conversations])
    return {
        "context": context,
        **{name: plain(filled[name] / n) for name in classes},
        "level": level,
        "n": str(n),
        "independent": str(independent(counts)),
        "halves_tv": f"{compared.tv:.4f}",
        "halves_floor": f"{compared.floor:.4f}",
    }


def _provenance(replies: Sequence[Reply], passed: int, options: ReferenceOptions) -> Provenance:
    source = options.provenance
    counts = Counter(r.source for r in replies)
    talks = Counter(name for name, _ in {(r.source, r.conversation) for r in replies})
    parts = [
        f"{name} {count}"
        + f" in {talks[name]} conversations" * (talks[name] < count)
        + " (within a length bin only)" * (name in options.stratified)
        for name, count in sorted(counts.items())
    ]
    notes = [source.note, f"Replies: {', '.join(parts)}."]
    if passed:
        notes.append(f"{passed} records without a reply or in another language are passed over.")
    small = sorted(
        kind for kind, n in Counter(slug(f"{r.track} {r.family}") for r in replies).items() if n < SMALLEST
    )
    if small:
        notes.append(f"Left out with fewer than {SMALLEST} replies: {', '.join(small)}.")
    notes.append("Figures only: no sentence of a corpus is carried.")
    return source.model_copy(update={"note": " ".join(n for n in notes if n)})


def _prompts(replies: Sequence[Reply]) -> str:
    """A ``prompts.yaml`` with the held-out prompts of each context, each once."""
    chosen: dict[str, dict[str, None]] = defaultdict(dict)
    for reply in sorted(replies, key=lambda r: _share("order", r)):
        kind = slug(f"{reply.track} {reply.family}")
        if reply.prompt.strip() and len(chosen[kind]) < PROMPTS:
            chosen[kind].setdefault(reply.prompt.strip())
    items = [
        {"id": f"{kind}_{number}", "split": "test", "contexts": [kind], "text": _literal(text)}
        for kind, texts in sorted(chosen.items())
        for number, text in enumerate(texts, start=1)
    ]
    return yaml.safe_dump(items, sort_keys=False, allow_unicode=True, width=100)


def _literal(text: str) -> str:
    """``text`` as a template that renders to itself."""
    return "{{ " + repr(text) + " }}" if "{" in text else text


def shape_readers(language: Language) -> Callable[[Sequence[str]], list[Shape]]:
    """The readers that tasks of reply shape use, so that people and models are measured alike."""
    readers = {
        name: StyleReader({c: (c,) for c in classes}, language, name) for name, classes in OUTCOMES.items()
    }

    def read(texts: Sequence[str]) -> list[Shape]:
        answers = [Answer(text) for text in texts]
        labels = {name: [r.label for r in reader.read_all(answers)] for name, reader in readers.items()}
        return [
            {name: labels[name][n] for name, classes in OUTCOMES.items() if labels[name][n] in classes}
            for n in range(len(texts))
        ]

    return read
