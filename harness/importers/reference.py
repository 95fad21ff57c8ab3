"""Imports a human reference: shares of length, act, list and sentiment of people's replies. No text is kept."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from multiprocessing import get_context
from typing import TYPE_CHECKING, Literal

from harness.errors import UserError, nearest
from harness.importers.corpus import FIELDS, Doubles, Reply, Split, Splits, read_replies
from harness.importers.figures import SMALLEST, figures
from harness.importers.folder import Cells, ImportedTable, PeopleSource, TargetFolder, write_target
from harness.importers.gathered import Gathered, context_of
from harness.importers.halves import halves, independent
from harness.importers.held_out import HeldOut
from harness.importers.shares import fill_zeros, plain
from harness.importers.sources import label
from harness.progress import Progress, phase
from harness.reading.base import Answer
from harness.reading.style import OUTCOMES, StyleReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from harness.importers.gathered import ShapeCounts
    from harness.tasks.target_file import Provenance

Language = Literal["en", "zh"]
Shape = Mapping[str, str]
"""Attribute -> class of one reply; an attribute that could not be read is left out."""
Read = Callable[[Sequence[str]], list[Shape]]

_HAN = re.compile("[\u4e00-\u9fff]")
_BATCH = 500
MANY = 20_000
"""Replies from which on starting processes is worth it."""

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
    """Sources (file names without their ending) sampled by length: they count within a length bin only."""
    split: Split | Literal["all"] = "all"
    """Whose replies the figures are of."""
    splits: Splits = field(default_factory=Splits)
    task: Path | None = None
    """Write the test split here as a task. It holds other people's words: mind their licence before sharing it."""
    processes: int = 1
    """That read the shapes of replies. They are started where there are many; ``__main__`` is loaded in each."""


def import_reference(
    sources: Sequence[str], out: Path, options: ReferenceOptions, read: Read | None = None
) -> Path:
    """Writes the target: per context the shares of each attribute's classes, and figures of the replies' features.

    Contexts are ``TRACK_FAMILY_STYLE`` and, within them, ``TRACK_FAMILY_STYLE_LENGTH`` for the attributes other
    than length. Corpora are read twice and never held: first to find which records stand in two splits.

    Args:
        sources: Corpora, see ``read_replies``.
        out: The target folder to write.
        options: How the corpora are read.
        read: Reads the shapes of texts; the task's own readers when left out.
    """
    if options.task is not None and options.split in ("all", "test"):
        raise UserError(
            "a task of the test split needs a target of other people",
            where="--split",
            found=options.split,
            expected="train or validation",
            hint="--split train",
        )
    _check_names(sources, options)
    survey = _survey(sources, options)
    _check(sources, survey, options)
    gathered = Gathered()
    held = None
    if options.task:
        held = HeldOut(out, options.task, options.language, options.provenance, options.splits.seed)
    batches = _batches(sources, options, survey, held)
    many = options.processes if read is None and survey.wanted >= MANY else 1
    for replies, shapes in _read(batches, read or shape_readers(options.language), options.language, many):
        for reply, shape in zip(replies, shapes, strict=True):
            gathered.add(reply, shape, reply.source in options.stratified)
            survey.kept.add(reply)
    tables = {
        name: ImportedTable(
            classes, [_row(g, classes) for g in gathered.groups(name) if g.counts.sum() >= SMALLEST]
        )
        for name, classes in OUTCOMES.items()
    }
    if not any(table.rows for table in tables.values()):
        raise UserError(
            f"no kind of exchange has {SMALLEST} replies in {options.language!r}",
            where=", ".join(sources),
            found=(_of(survey.kept.contexts) or f"none in the split {options.split}")
            + (f"; {survey.doubled} more stand in a later split too" if survey.doubled else ""),
        )
    made = figures(gathered, options.language)
    target = TargetFolder(
        title=options.title or f"How people reply ({options.language})",
        kind="reference",
        tables={name: table for name, table in tables.items() if table.rows},
        provenance=_provenance(survey, made.dropped, options),
        smoothing=SMOOTHING,
        informative=("level", "halves_tv", "halves_floor"),
        sample={"replies": "n", "independent": "independent"},
        people=PeopleSource(made, options.split, options.splits, survey.corpus.hexdigest(), gathered.told()),
    )
    write_target(target, out)
    if held is not None:
        held.write({row["context"] for row in tables["length"].rows}, survey.corpus.hexdigest())
    return out


@dataclass(slots=True)
class KeptCount:
    """How many replies the figures are of."""

    sources: Counter[str] = field(default_factory=Counter)
    talks: set[int] = field(default_factory=set)
    talks_of: Counter[str] = field(default_factory=Counter)
    contexts: Counter[str] = field(default_factory=Counter)

    def add(self, reply: Reply) -> None:
        """Count a reply."""
        self.sources[reply.source] += 1
        self.contexts[context_of(reply)] += 1
        if reply.talk not in self.talks:
            self.talks.add(reply.talk)
            self.talks_of[reply.source] += 1


@dataclass(slots=True)
class Survey:
    """What a first reading of the corpora finds."""

    records: int = 0
    wanted: int = 0
    han: int = 0
    asked: int = 0
    """Wanted replies to a question, a passage or a history."""
    doubled: int = 0
    """Passed over in one split since they stand in another."""
    bare: int = 0
    """Later turns of conversations whose earlier turns are not in the corpus."""
    languages: Counter[str] = field(default_factory=Counter)
    doubles: Doubles = field(default_factory=Doubles)
    corpus: hashlib._Hash = field(default_factory=hashlib.sha256)
    kept: KeptCount = field(default_factory=KeptCount)


def _survey(sources: Sequence[str], options: ReferenceOptions) -> Survey:
    found = Survey()
    with phase("reading the corpora"):
        for reply in _all(sources, options):
            found.records += 1
            found.corpus.update(reply.key.to_bytes(8, "big"))
            if reply.text.strip():
                found.languages[reply.language or "no language stated"] += 1
            if wanted(reply, options):
                found.wanted += 1
                found.asked += bool(reply.question or reply.passage or reply.history)
                found.han += _HAN.search(reply.text) is not None
                found.bare += not reply.history and (reply.turn or 1) > 2
                if options.split != "all":
                    found.doubles.note(reply, options.splits.of(reply))
    return found


def _all(sources: Sequence[str], options: ReferenceOptions) -> Iterator[Reply]:
    for source in sources:
        yield from read_replies(source, options.fields)


def _batches(
    sources: Sequence[str], options: ReferenceOptions, survey: Survey, held: HeldOut | None
) -> Iterator[list[Reply]]:
    """The replies of the split asked for; those of the test split go into the task."""
    progress = Progress("people's replies", survey.records, "records")
    batch: list[Reply] = []
    for reply in _all(sources, options):
        progress.advance(1)
        if not wanted(reply, options):
            continue
        split = options.splits.of(reply) if options.split != "all" else "all"
        if held is not None and split == "test" and reply.source not in options.stratified:
            held.add(reply)
        if split != options.split:
            continue
        if split != "all" and survey.doubles.taken(reply, split):
            survey.doubled += 1
            continue
        batch.append(reply)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    progress.close()
    if batch:
        yield batch


def _read(
    batches: Iterator[list[Reply]], read: Read, language: Language, processes: int
) -> Iterator[tuple[list[Reply], list[Shape]]]:
    """Each batch with its shapes, in order; of what other processes read a few batches wait at a time."""
    if processes == 1:
        for batch in batches:
            yield batch, read([r.text for r in batch])
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: deque[tuple[list[Reply], Future[list[Shape]]]] = deque()
        for batch in batches:
            waiting.append((batch, pool.submit(read_shapes, language, [r.text for r in batch])))
            if len(waiting) > 3 * processes:
                begun, found = waiting.popleft()
                yield begun, found.result()
        for begun, found in waiting:
            yield begun, found.result()


def read_shapes(language: Language, texts: Sequence[str]) -> list[Shape]:
    """Shapes of texts, in a process of a pool."""
    return shape_readers(language)(texts)


def _check_names(sources: Sequence[str], options: ReferenceOptions) -> None:
    """Refuses corpora that cannot be told apart."""
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


def _check(sources: Sequence[str], survey: Survey, options: ReferenceOptions) -> None:
    """Refuses replies that are in another language than is said."""
    if not survey.wanted:
        raise UserError(
            f"no reply in {options.language!r}",
            where=", ".join(sources),
            found=_of(survey.languages) or "no text",
        )
    if options.task is not None and not survey.asked:
        raise UserError(
            "no record says what its reply is to, so that there is nothing to ask",
            where=", ".join(sources),
            expected=" or ".join(FIELDS["question"]),
            hint="name the field: --field question=NAME",
        )
    han = survey.han / survey.wanted
    if (han > 0.5) != (options.language == "zh"):
        raise UserError(
            f"the replies are not in {options.language!r}",
            where=", ".join(sources),
            found=f"{han:.0%} of {survey.wanted} replies hold Chinese characters",
            hint=f"the same with --language {'zh' if han > 0.5 else 'en'}",
        )


def _of(names: Counter[str]) -> str:
    """How often each name comes, the commonest first."""
    return ", ".join(f"{name} {count}" for name, count in names.most_common())


def wanted(reply: Reply, options: ReferenceOptions) -> bool:
    """Whether a reply says something, in the language asked for."""
    return bool(reply.text.strip()) and reply.language in ("", options.language)


def _row(group: ShapeCounts, classes: Sequence[str]) -> Cells:
    n = int(group.counts.sum())
    totals = {name: Decimal(int(c)) for name, c in zip(classes, group.counts.sum(axis=0), strict=True)}
    filled = fill_zeros(totals, Decimal(2), Decimal(n))
    compared = halves(group.counts, group.second)
    return {
        "context": group.context,
        **{name: plain(filled[name] / n) for name in classes},
        "level": group.level,
        "n": str(n),
        "independent": str(independent(group.counts)),
        "halves_tv": f"{compared.tv:.4f}",
        "halves_floor": f"{compared.floor:.4f}",
    }


def _provenance(survey: Survey, dropped: Sequence[str], options: ReferenceOptions) -> Provenance:
    source, kept = options.provenance, survey.kept
    parts = [
        f"{name} {count}"
        + f" in {kept.talks_of[name]} conversations" * (kept.talks_of[name] < count)
        + " (within a length bin only)" * (name in options.stratified)
        for name, count in sorted(kept.sources.items())
    ]
    notes = [source.note, f"Replies: {', '.join(parts)}."]
    if options.split != "all":
        notes.append(f"Of the {options.split} split (seed {options.splits.seed}).")
    if passed := survey.records - survey.wanted:
        notes.append(f"{passed} records without a reply or in another language are passed over.")
    if survey.doubled:
        notes.append(f"{survey.doubled} replies that also stand in a later split are passed over.")
    if survey.bare:
        notes.append(f"{survey.bare} later turns have no history: the corpus lacks their earlier turns.")
    if small := sorted(kind for kind, n in kept.contexts.items() if n < SMALLEST):
        notes.append(f"Left out with fewer than {SMALLEST} replies: {', '.join(small)}.")
    if dropped:
        notes.append(f"Features that do not vary: {', '.join(dropped)}.")
    notes.append("Figures only: no sentence of a corpus is carried.")
    return source.model_copy(update={"note": " ".join(n for n in notes if n)})


@cache
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
