"""Tasks: an attribute, its classes, the contexts it is asked in, the prompts, the reader, its targets."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError, nearest
from harness.files import Document, digest, load_jsonl, load_yaml, read_csv, validate
from harness.limits import CONTEXTS
from harness.raw import read_text
from harness.tasks import catalog
from harness.tasks.catalog import beside
from harness.tasks.task_file import (
    AttributeSpec,
    ExampleSpec,
    HeldOutSpec,
    PromptSpec,
    Split,
    TaskFile,
)
from harness.terms import FITTED, INVALID, Sampling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.terms import Measure

SPLITS: Mapping[str, Split] = {"train": "train", "validation": "validation", "test": "test"}


@dataclass(frozen=True, slots=True)
class Context:
    """What a question is about."""

    id: str
    split: Split
    fields: Mapping[str, str]
    """Every column, ``id`` included: usable in templates as ``context.<column>``."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One thing read from the draws."""

    name: str
    classes: Mapping[str, tuple[str, ...]]
    positions: tuple[float, ...] | None
    """Where the classes stand between 0 and 1; None where they have no order."""
    reader: Mapping[str, object]
    targets: Mapping[str, str | Mapping[str, object]]
    examples: tuple[ExampleSpec, ...]
    blind: tuple[ExampleSpec, ...]
    """Labelled texts that nobody saw who wrote or mended the reader: they are never mixed with ``examples``."""
    loc: tuple[str, ...]
    """Where it stands in the task's file, for messages."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it is used: files read, everything checked."""

    name: str
    version: int
    title: str
    language: str
    measure: Measure
    association: str
    """Column of the contexts; '' where the wordings' own probabilities are measured."""
    attributes: Mapping[str, Attribute]
    contexts: tuple[Context, ...]
    prompts: tuple[PromptSpec, ...]
    people: HeldOutSpec | None
    sampling: Sampling
    license: str
    citation: str
    source: Document

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return self.source.path.parent

    def named(self, attribute: str = "") -> Attribute:
        """The attribute of that name, or the first."""
        if attribute and attribute not in self.attributes:
            raise UserError(
                f"the task {self.name!r} has no such attribute",
                where="--attribute",
                found=attribute,
                expected=", ".join(self.attributes),
                nearest=nearest(attribute, self.attributes),
            )
        return self.attributes[attribute or next(iter(self.attributes))]

    @property
    def hash(self) -> str:
        """sha256 of all that decides what is asked and how it is read (not titles, examples or targets).

        Wordings that are asked beside the others are not in it: a run that asks them has the hash of its prompts.
        """
        return digest(
            {
                "contexts": [dict(c.fields) for c in self.contexts],
                "prompts": [p.asked() for p in self.prompts if p.split != "many"],
                "attributes": {
                    a.name: [{k: list(v) for k, v in a.classes.items()}, _what_reads(a.reader)]
                    for a in self.attributes.values()
                },
                "sampling": asdict(self.sampling),
                "language": self.language,
                "measure": self.measure,
                **({"association": self.association} if self.association else {}),
            }
        )


def _what_reads(reader: Mapping[str, object]) -> dict[str, object]:
    """A reader for a hash: the file of a fitted classifier by what is in it, wherever it lies."""
    fitted = _fitted(reader)
    return {**reader, **({"path": digest(read_text(Path(fitted)))} if fitted else {})}


def load_task(name: str | Path) -> Task:
    """Find a task by name, folder or file, read it and check every part."""
    doc = load_yaml(catalog.find("tasks", name))
    file = validate(TaskFile, doc)
    contexts = _contexts(file, doc)
    prompts = _prompts(file, doc)
    _asked(prompts, contexts, doc.where("prompts"))
    return Task(
        name=file.name,
        version=file.version,
        title=file.title or file.name,
        language=file.language,
        measure=file.measure,
        association=_association(file, contexts, doc),
        attributes=_attributes(file, doc),
        contexts=contexts,
        prompts=prompts,
        people=file.people,
        sampling=Sampling(**{**file.sampling.model_dump(), "stop": tuple(file.sampling.stop)}),
        license=file.license,
        citation=file.citation,
        source=doc,
    )


def _attributes(file: TaskFile, doc: Document) -> dict[str, Attribute]:
    single = {
        k: getattr(file, k)
        for k in ("classes", "ordered", "reader", "targets", "examples", "blind")
        if getattr(file, k) is not None
    }
    if file.attributes is not None:
        if single or file.attribute:
            raise UserError(
                "both 'attributes' and a single attribute's keys",
                where=doc.where("attributes"),
                found=", ".join([*single, *(["attribute"] if file.attribute else [])]),
                expected="either attributes: {NAME: {classes, reader, targets, examples}} or those keys alone",
            )
        if not file.attributes:
            raise UserError("no attribute", where=doc.where("attributes"), expected="at least one")
        specs: dict[str, tuple[AttributeSpec, tuple[str, ...]]] = {
            name: (spec, ("attributes", name)) for name, spec in file.attributes.items()
        }
    else:
        if "classes" not in single:
            raise UserError(
                "missing key 'classes'", where=doc.where(), expected="classes: {NAME: [wording, …], …}"
            )
        spec = validate(AttributeSpec, doc, single)
        specs = {file.attribute or file.name: (spec, ())}
    return {
        name: _attribute(name, spec, loc, doc, file.measure == "choices")
        for name, (spec, loc) in specs.items()
    }


def _attribute(name: str, spec: AttributeSpec, loc: tuple[str, ...], doc: Document, slot: bool) -> Attribute:
    return Attribute(
        name=name,
        classes={k: _wordings(k, v, slot) for k, v in spec.classes.items()},
        positions=spec.positions,
        reader=_reader(spec.reader, doc),
        targets=dict(spec.targets),
        examples=_labelled(spec.examples, spec, doc, (*loc, "examples")),
        blind=_labelled(spec.blind, spec, doc, (*loc, "blind")),
        loc=loc,
    )


def _reader(given: str | dict[str, object], doc: Document) -> dict[str, object]:
    """A reader's name and options; the file of a fitted classifier is named from the task's own folder."""
    reader: dict[str, object] = {"name": given} if isinstance(given, str) else dict(given)
    if fitted := _fitted(reader):
        reader["path"] = str(beside(doc, fitted))
    return reader


def _fitted(reader: Mapping[str, object]) -> str:
    """The file of a fitted classifier; '' for any other reader."""
    path = reader.get("path")
    return path if isinstance(path, str) and path.endswith(FITTED) else ""


def _labelled(
    given: str | list[ExampleSpec], spec: AttributeSpec, doc: Document, loc: tuple[str, ...]
) -> tuple[ExampleSpec, ...]:
    """Labelled texts, of the task file or of a file of their own."""
    if isinstance(given, str):
        source = load_yaml(beside(doc, given))
        if not isinstance(source.data, list):
            raise UserError("not a list", where=source.where(), expected="- {text: …, label: …}")
        examples = [validate(ExampleSpec, source, item, (i,)) for i, item in enumerate(source.data)]
        at: tuple[str, ...] = ()
    else:
        source, at, examples = doc, loc, given
    labels = [*spec.classes, *INVALID]
    for i, example in enumerate(examples):
        if example.label not in labels:
            raise UserError(
                "an example with an unknown label",
                where=source.where(*at, i),
                found=example.label,
                expected="one of " + ", ".join(labels),
                nearest=nearest(example.label, set(labels)),
            )
    return tuple(examples)


def _association(file: TaskFile, contexts: Sequence[Context], doc: Document) -> str:
    column = file.association
    if column and (file.measure != "choices" or not all(c.fields.get(column) for c in contexts)):
        raise UserError(
            "association names a column of the contexts, in a task of choices",
            where=doc.where("association"),
            found=column,
            expected="measure: choices, and one of: " + ", ".join(contexts[0].fields),
            nearest=nearest(column, contexts[0].fields),
        )
    return column


def _wordings(name: str, wordings: list[str], slot: bool) -> tuple[str, ...]:
    """The class name counts as a wording, except where wordings given for a slot stand in its place."""
    return tuple(dict.fromkeys(wordings if slot and wordings else [name, *wordings]))


def _contexts(file: TaskFile, doc: Document) -> tuple[Context, ...]:
    rows: list[tuple[str, dict[str, str]]] = []
    if isinstance(file.contexts, str):
        path = beside(doc, file.contexts)
        _, found = read_csv(path, required=["id"])
        rows = [(f"{path}:{r.line}", dict(r.cells)) for r in found]
    else:
        for i, item in enumerate(file.contexts):
            fields = {"id": item} if isinstance(item, str) else {k: str(v) for k, v in item.items()}
            rows.append((doc.where("contexts", i), fields))
    if len(rows) > CONTEXTS:
        raise UserError(
            "too many contexts",
            where=doc.where("contexts"),
            found=len(rows),
            expected=f"at most {CONTEXTS:,}",
        )
    if not rows:
        raise UserError(
            "no context",
            where=doc.where("contexts"),
            expected="at least one; a task without a subject has one, e.g. [all]",
        )
    contexts: dict[str, Context] = {}
    for where, fields in rows:
        identifier = fields.get("id", "")
        if not identifier or identifier != identifier.strip() or re.search(r"[\x00-\x1f\x7f]", identifier):
            raise UserError(
                "a context without a usable id",
                where=where,
                found=repr(identifier),
                expected="a line of text that neither begins nor ends with a space",
            )
        if identifier in contexts:
            raise UserError(
                "a context id stands twice", where=where, found=identifier, expected="each id once"
            )
        split = SPLITS.get(asked := fields.get("split") or "test")
        if split is None:
            raise UserError(
                "an unknown split",
                where=where,
                found=asked,
                expected="train, validation or test",
                nearest=nearest(asked, SPLITS),
            )
        contexts[identifier] = Context(identifier, split, {"name": identifier, **fields})
    return tuple(contexts.values())


def _prompts(file: TaskFile, doc: Document) -> tuple[PromptSpec, ...]:
    if isinstance(file.prompts, str):
        return _prompts_of(_listed(beside(doc, file.prompts)))
    return _each_once(file.prompts, doc, ("prompts",))


def _listed(path: Path) -> Document:
    """A file of prompts: YAML, or JSON lines."""
    return load_jsonl(path) if path.suffix == ".jsonl" else load_yaml(path)


def _prompts_of(source: Document) -> tuple[PromptSpec, ...]:
    """The prompts of a file that holds nothing else."""
    if not isinstance(source.data, list):
        raise UserError("not a list", where=source.where(), expected="- {id: …, text: …}")
    return _each_once(
        [validate(PromptSpec, source, item, (i,)) for i, item in enumerate(source.data)], source, ()
    )


def _each_once(prompts: list[PromptSpec], source: Document, at: tuple[str, ...]) -> tuple[PromptSpec, ...]:
    if not prompts:
        raise UserError("no prompt", where=source.where(*at), expected="at least one")
    seen: set[str] = set()
    for i, prompt in enumerate(prompts):
        if prompt.id in seen:
            raise UserError(
                "a prompt id stands twice",
                where=source.where(*at, i),
                found=prompt.id,
                expected="each id once",
            )
        seen.add(prompt.id)
    return tuple(prompts)


def load_prompts(path: Path, task: Task) -> tuple[PromptSpec, ...]:
    """Prompts of a file of their own, to be asked in a task's contexts."""
    source = _listed(path)
    prompts = _prompts_of(source)
    _asked(prompts, task.contexts, source.where())
    return prompts


def _asked(prompts: Sequence[PromptSpec], contexts: Sequence[Context], where: str) -> None:
    """Refuse prompts that name a context that is not there, and a context that no prompt asks about."""
    ids = {c.id for c in contexts}
    for prompt in prompts:
        for unknown in [c for c in prompt.contexts or [] if c not in ids]:
            raise UserError(
                f"prompt {prompt.id!r} names an unknown context",
                where=where,
                found=unknown,
                expected="a context id",
                nearest=nearest(unknown, ids),
            )
    for context in contexts:
        if not any(p.contexts is None or context.id in p.contexts for p in prompts):
            raise UserError("a context that no prompt asks about", where=where, found=context.id)
