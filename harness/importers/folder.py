"""Writes a target folder: ``target.yaml`` and one CSV for each attribute. The same figures give the same bytes."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml

from harness.begun import refuse_others
from harness.errors import UserError
from harness.files import Document, make_folder, replacing, validate, write_atomic
from harness.importers.slug import slug
from harness.tasks.target_file import TargetFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.importers.corpus import Splits
    from harness.importers.figures import PeopleFigures
    from harness.reading.told import ToldCount
    from harness.tasks.target_file import Provenance

Cells = dict[str, str]
PEOPLE = ("features.csv", "vectors.parquet")
"""Files of people's features."""
HALF = ".target.yaml.tmp"
"""The target's file until all others are written: ``write_atomic`` gives it this name too."""


@dataclass(frozen=True, slots=True)
class ImportedTable:
    """The figures of one attribute."""

    classes: tuple[str, ...]
    rows: Sequence[Cells]
    """Keys: ``context``, the classes, the informative columns."""


@dataclass(frozen=True, slots=True)
class PeopleSource:
    """Features of people's replies, to stand beside the tables."""

    figures: PeopleFigures
    split: str
    splits: Splits
    corpus: str
    told: Mapping[str, ToldCount]


@dataclass(frozen=True, slots=True)
class TargetFolder:
    """What an importer found, before it is written."""

    title: str
    kind: Literal["table", "reference"]
    tables: Mapping[str, ImportedTable]
    provenance: Provenance
    values: Literal["shares", "counts"] = "shares"
    shared: bool = True
    smoothing: str = ""
    informative: tuple[str, ...] = field(default=())
    sample: Mapping[str, str] = field(default_factory=dict)
    """Which columns tell the size of each row's sample, as in ``target.yaml``."""
    people: PeopleSource | None = None


def write_target(target: TargetFolder, out: Path) -> Path:
    """Writes ``target`` into the folder ``out``, whose name becomes the target's name.

    A folder that holds anything but a target, or what a stopped import left of one, is left alone.
    """
    files = _files(target.tables)
    told, half = out / "target.yaml", out / HALF
    if not told.is_file() and not half.is_file():
        refuse_others(
            out, (*files.values(), *PEOPLE, told.name), "this is no target folder, so it is not written into"
        )
    document = _document(target, Path(os.path.realpath(out)).name, files)
    validate(TargetFile, Document(out / "target.yaml", document, {(): 1}))
    texts = {}
    for attribute, table in target.tables.items():
        columns = ["context", *table.classes, *target.sample.values(), *target.informative]
        doubled = sorted({c for c in columns if columns.count(c) > 1})
        if doubled:
            raise UserError(
                "a column would stand twice", where=str(out / files[attribute]), found=", ".join(doubled)
            )
        contexts = [row["context"] for row in table.rows]
        if len(set(contexts)) < len(contexts):
            twice = next(c for c in contexts if contexts.count(c) > 1)
            raise UserError("two rows would be one context", where=str(out / files[attribute]), found=twice)
        texts[files[attribute]] = _csv_text(columns, table.rows)
        if "\0" in texts[files[attribute]]:
            raise UserError("a null byte in the figures", where=str(out / files[attribute]))
    texts["target.yaml"] = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    make_folder(out)
    if told.is_file():
        told.replace(half)  # while its tables change, the old target is none
    if target.people:
        _write_people(target.people, out)
    for name, text in texts.items():
        write_atomic(out / name, text)
    return out


def _write_people(people: PeopleSource, out: Path) -> None:
    import pyarrow.parquet as pq

    quantiles, vectors = PEOPLE
    write_atomic(out / quantiles, people.figures.quantiles)
    with replacing(out / vectors) as file:
        pq.write_table(people.figures.vectors, file)


def _csv_text(columns: Sequence[str], rows: Sequence[Cells]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _files(attributes: Iterable[str]) -> dict[str, str]:
    """Attribute -> a file name that every system takes: an attribute's own name may hold any character."""
    files: dict[str, str] = {}
    for attribute in attributes:
        stem = slug(attribute)[:60] or "attribute"
        while f"{stem}.csv" in files.values():
            stem += "_"
        files[attribute] = f"{stem}.csv"
    return files


def _document(target: TargetFolder, name: str, files: Mapping[str, str]) -> dict[str, object]:
    document: dict[str, object] = {
        "name": name,
        "title": target.title,
        "kind": target.kind,
        "attributes": {attribute: {"file": file} for attribute, file in files.items()},
        "values": target.values,
        "shared": target.shared,
    }
    if target.informative:
        document["informative"] = list(target.informative)
    if target.sample:
        document["sample"] = dict(target.sample)
    if target.people:
        people = target.people
        document["people"] = {
            "quantiles": PEOPLE[0],
            "vectors": PEOPLE[1],
            "split": people.split,
            "shares": [people.splits.train, people.splits.validation],
            "seed": people.splits.seed,
            "corpus": people.corpus,
            "told": {context: list(found) for context, found in people.told.items()},
        }
    if target.smoothing:
        document["smoothing"] = target.smoothing
    document["provenance"] = target.provenance.model_dump(exclude_defaults=True)
    return document
