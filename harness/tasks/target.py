"""Targets: the distribution that a model should have in each context, with its provenance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UserError, nearest
from harness.files import Document, digest, load_yaml, validate
from harness.tasks import catalog, people
from harness.tasks.catalog import beside
from harness.tasks.figures import ALL, Figures, Sample, from_csv, from_rows
from harness.tasks.target_file import Provenance, TargetFile, TargetKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from harness.tasks.people import People
    from harness.tasks.task import Attribute, Task


@dataclass(frozen=True, slots=True)
class Target:
    """A target as it is used: checked, with the rows of every attribute."""

    name: str
    title: str
    kind: TargetKind
    shared: bool
    tables: Mapping[str, Figures]
    provenance: Provenance | None
    smoothing: str
    source: str
    people: People | None = None

    @property
    def hash(self) -> str:
        """sha256 of its figures."""
        tables = sorted(self.tables.items())
        figures: list[object] = [self.kind, {a: {r: dict(v) for r, v in t.rows.items()} for a, t in tables}]
        if any(t.samples for _, t in tables):
            figures.append({a: dict(t.samples) for a, t in tables})
        if self.people:
            figures.append(self.people.digest)
        return digest(figures)

    def row(self, task: Task, attribute: Attribute, context: str) -> dict[str, float]:
        """The share of each class in one context."""
        classes = list(attribute.classes)
        if self.kind == "uniform":
            return {c: 1 / len(classes) for c in classes}
        table = self.tables[attribute.name]
        return dict(table.rows[table.key(context) or context])

    def matrix(self, task: Task, attribute: Attribute, contexts: Sequence[str]) -> NDArray[np.float64]:
        """Shares as an array, contexts x classes in the attribute's order."""
        self.check(task, attribute, contexts)
        rows = [self.row(task, attribute, c) for c in contexts]
        return np.array([[r[c] for c in attribute.classes] for r in rows])

    def samples(self, attribute: Attribute, contexts: Sequence[str]) -> list[Sample]:
        """How large a sample of people each row is; empty where its shares are taken as exact."""
        table = self.tables.get(attribute.name)
        return [table.samples[c] for c in contexts] if table and table.samples else []

    def sizes(self, attribute: Attribute, contexts: Sequence[str]) -> NDArray[np.float64]:
        """As how many independent replies each row counts; infinite where its shares are taken as exact."""
        sizes = [s.independent for s in self.samples(attribute, contexts)]
        return np.array(sizes or [math.inf] * len(contexts))

    def check(self, task: Task, attribute: Attribute, contexts: Iterable[str]) -> None:
        """Refuse a target that does not fit the task's attribute, classes or contexts."""
        if self.kind == "uniform":
            return
        self._check_people(task)
        table = self.tables.get(attribute.name)
        if table is None:
            raise UserError(
                f"target {self.name!r} has no figures for attribute {attribute.name!r}",
                where=self.source,
                found=", ".join(self.tables),
                expected=attribute.name,
                nearest=nearest(attribute.name, self.tables),
            )
        for name in sorted(set(table.classes) ^ set(attribute.classes)):
            known = list(attribute.classes)
            problem = (
                "misses the column"
                if name in attribute.classes
                else "has a column that is no class of the task"
            )
            raise UserError(
                f"target {self.name!r} {problem}",
                where=table.where,
                found=", ".join(table.classes),
                expected=", ".join(known),
                nearest=nearest(name, table.classes if name in known else known),
            )
        for context in contexts:
            if table.key(context) is None:
                raise UserError(
                    f"target {self.name!r} has no row for a context of task {task.name!r}",
                    where=table.where,
                    found=context,
                    expected=f"a row for every context, or one for all others whose context is {ALL}",
                    nearest=nearest(context, table.rows),
                )
        ids = {c.id for c in task.contexts}
        if not self.shared:
            for context, line in table.lines.items():
                if context not in ids and context != ALL:
                    raise UserError(
                        f"a row for a context that task {task.name!r} does not have",
                        where=f"{table.where}:{line}",
                        found=context,
                        expected="a context id of the task, or shared: true in target.yaml",
                        nearest=nearest(context, ids),
                    )

    def _check_people(self, task: Task) -> None:
        """Refuse figures of the people whom the task holds out."""
        own, held = self.people, task.people
        if own is None or held is None or own.corpus != held.corpus:
            return
        if own.split in ("all", held.split) or own.seed != held.seed:
            raise UserError(
                f"target {self.name!r} counts people whose replies task {task.name!r} holds out",
                where=self.source,
                found=f"split {own.split}, seed {own.seed}, of the task's corpus",
                expected=f"split train, seed {held.seed}",
                hint=f"distalign target import reference … --split train --seed {held.seed}",
            )


def load_target(
    spec: str | Path | Mapping[str, object], task: Task | None = None, alias: str = "", attribute: str = ""
) -> Target:
    """A target by name, folder or file, or written inline in a task under ``alias``."""
    if not isinstance(spec, Mapping):
        doc = load_yaml(_file(spec, task, alias, attribute))
        return _build(validate(TargetFile, doc), doc, ())
    if task is None:
        raise UserError("an inline target needs its task")
    loc = (*task.attributes[attribute].loc, "targets", alias)
    data = dict(spec)
    table = {k: data.pop(k) for k in ("rows", "file") if k in data}
    if table:
        data["attributes"] = {attribute: table}
    data.setdefault("name", f"{task.name}.{alias}")
    unwritten = ("attributes", attribute) if table else ()
    return _build(validate(TargetFile, task.source, data, loc, unwritten), task.source, loc)


def _file(spec: str | Path, task: Task | None, alias: str, attribute: str) -> Path:
    """The YAML file of a target."""
    path = catalog.find("targets", spec, task.folder if task else None)
    if task and alias:  # named by the task, not by the user
        beside_it = [task.folder.parent] if path.name == "target.yaml" else []
        homes = [task.folder, *beside_it, task.folder.parent.parent / "targets"]
        catalog.within(path, homes, task.source.where(*task.attributes[attribute].loc, "targets", alias))
    return path


def _meant(task: Task, attribute: Attribute, name: str) -> tuple[str | Mapping[str, object], str]:
    """What a target's name stands for, and the alias that it is or that lists it; the name itself where none does."""
    for alias, spec in attribute.targets.items():
        if name == alias:
            return spec, alias
    for alias, spec in attribute.targets.items():
        if name in (spec, f"{task.name}.{alias}"):
            return spec, alias
    return name, ""


def resolve(task: Task, attribute: Attribute, name: str) -> Target:
    """The target that ``--target name`` means for this attribute: one of its aliases, or any target's name."""
    spec, alias = _meant(task, attribute, name)
    if alias:
        return load_target(spec, task, alias, attribute.name)
    try:
        return load_target(name, task)
    except UserError as err:
        err.nearest = nearest(name, attribute.targets) or err.nearest
        if not err.where:
            err.expected = (
                f"one of the task's targets ({', '.join(attribute.targets)}), a target's name or its folder"
            )
        raise


def spelled(target: Target, task: Task, attribute: Attribute) -> str:
    """What ``resolve`` finds this very target by: its name, an alias of the task, or its file where neither does."""
    for name in (target.name, *attribute.targets):
        spec, alias = _meant(task, attribute, name)
        with suppress(UserError):
            if (
                not isinstance(spec, Mapping)
                and str(_file(spec, task, alias, attribute.name)) == target.source
            ):
                return name  # it was read from this file
            if resolve(task, attribute, name).hash == target.hash:
                return name
    return str(Path(target.source).resolve())


def _build(file: TargetFile, doc: Document, loc: tuple[str | int, ...]) -> Target:
    tables = {}
    for attribute, spec in file.attributes.items():
        if spec.file is not None:
            path = beside(doc, spec.file)
            tables[attribute] = from_csv(file, path)
        else:
            here = (*loc, "attributes", attribute, "rows")
            if here not in doc.lines:
                here = (*loc, "rows")
            tables[attribute] = from_rows(file, spec.rows or {}, doc, here)
    return Target(
        file.name,
        file.title or file.name,
        file.kind,
        file.shared,
        tables,
        file.provenance,
        file.smoothing,
        str(doc.path),
        people.load(file.people, doc) if file.people else None,
    )


def check_names(names: Sequence[str]) -> None:
    """Refuse what is no list of target names."""
    if not isinstance(names, list | tuple) or not all(isinstance(n, str) and n for n in names):
        raise UserError("not target names", found=repr(names), expected="a list of names, such as ['labor']")


def targets_of(task: Task, names: Sequence[str]) -> dict[str, list[Target]]:
    """Attribute -> targets for ``--target`` names; ``all`` or nothing is every target the task lists."""
    check_names(names)
    found: dict[str, list[Target]] = {}
    for attribute in task.attributes.values():
        wanted = list(names)
        if not wanted or wanted == ["all"]:
            wanted = list(attribute.targets)
        if not wanted:
            raise UserError(
                f"task {task.name!r} lists no target for {attribute.name!r}",
                where=task.source.where(*attribute.loc),
                expected="targets: {ALIAS: NAME} in the task, or --target NAME",
                hint="distalign list targets",
            )
        found[attribute.name] = [resolve(task, attribute, name) for name in wanted]
    return found
