"""Targets: what a distribution should be, per context, with its provenance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.errors import UserError, nearest
from harness.files import Document, beside, digest, load_yaml, read_csv, validate
from harness.tasks import catalog
from harness.tasks.target_file import TOLERANCE, Provenance, TargetFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.tasks.task import Attribute, Task


@dataclass(frozen=True, slots=True)
class Target:
    """A target as it is used: checked, with the rows of every attribute."""

    name: str
    title: str
    kind: str
    shared: bool
    tables: Mapping[str, Figures]
    provenance: Provenance | None
    smoothing: str
    source: str

    @property
    def hash(self) -> str:
        """sha256 of its figures."""
        tables = sorted(self.tables.items())
        figures: list[object] = [self.kind, {a: {r: dict(v) for r, v in t.rows.items()} for a, t in tables}]
        if any(t.samples for _, t in tables):
            figures.append({a: dict(t.samples) for a, t in tables})
        return digest(figures)

    def row(self, task: Task, attribute: Attribute, context: str) -> dict[str, float]:
        """The share of each class in one context."""
        classes = list(attribute.classes)
        if self.kind == "uniform":
            return {c: 1 / len(classes) for c in classes}
        return dict(self.tables[attribute.name].rows[context])

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
            if context not in table.rows:
                raise UserError(
                    f"target {self.name!r} has no row for a context of task {task.name!r}",
                    where=table.where,
                    found=context,
                    expected="a row for every context",
                    nearest=nearest(context, table.rows),
                )
        ids = {c.id for c in task.contexts}
        if not self.shared:
            for context, line in table.lines.items():
                if context not in ids:
                    raise UserError(
                        f"a row for a context that task {task.name!r} does not have",
                        where=f"{table.where}:{line}",
                        found=context,
                        expected="a context id of the task, or shared: true in target.yaml",
                        nearest=nearest(context, ids),
                    )


class Sample(NamedTuple):
    """How many replies of people a row was counted from, and as how many independent ones they count."""

    replies: float
    independent: float


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one attribute."""

    classes: tuple[str, ...]
    rows: Mapping[str, Mapping[str, float]]
    lines: Mapping[str, int]
    where: str
    samples: Mapping[str, Sample]
    """Of a reference: the size of each row; none where the shares are taken as exact."""


def load_target(
    spec: str | Path | Mapping[str, object], task: Task | None = None, alias: str = "", attribute: str = ""
) -> Target:
    """A target by name, folder or file, or written inline in a task under ``alias``."""
    beside = task.folder if task else None
    if not isinstance(spec, Mapping):
        doc = load_yaml(catalog.find("targets", spec, beside))
        return _build(validate(TargetFile, doc), doc, ())
    if task is None:
        raise UserError("an inline target needs its task")
    loc = (*task.attributes[attribute].loc, "targets", alias)
    data = dict(spec)
    table = {k: data.pop(k) for k in ("rows", "file") if k in data}
    if table:
        data["attributes"] = {attribute: table}
    data.setdefault("name", f"{task.name}.{alias}")
    return _build(validate(TargetFile, task.source, data, loc), task.source, loc)


def resolve(task: Task, attribute: Attribute, name: str) -> Target:
    """The target that ``--target name`` means for this attribute: one of its aliases, or any target's name."""
    for alias, spec in attribute.targets.items():
        if name == alias:
            return load_target(spec, task, alias, attribute.name)
    for alias, spec in attribute.targets.items():
        if name in (spec, f"{task.name}.{alias}"):
            return load_target(spec, task, alias, attribute.name)
    try:
        return load_target(name, task)
    except UserError as err:
        if err.nearest == "" and attribute.targets:
            err.nearest = nearest(name, attribute.targets)
        if not err.where:
            err.expected = (
                f"one of the task's targets ({', '.join(attribute.targets)}), a target's name or its folder"
            )
        raise


def _build(file: TargetFile, doc: Document, loc: tuple[str | int, ...]) -> Target:
    tables = {}
    for attribute, spec in file.attributes.items():
        if spec.file is not None:
            path = beside(doc, spec.file)
            tables[attribute] = _from_csv(file, path)
        else:
            here = (*loc, "attributes", attribute, "rows")
            if here not in doc.lines:
                here = (*loc, "rows")
            tables[attribute] = _from_rows(file, spec.rows or {}, doc, here)
    return Target(
        file.name,
        file.title or file.name,
        file.kind,
        file.shared,
        tables,
        file.provenance,
        file.smoothing,
        str(doc.path),
    )


def _from_csv(file: TargetFile, path: Path) -> Figures:
    sized = file.sample.columns if file.sample else ()
    header, found = read_csv(path, required=["context", *file.informative, *sized])
    classes = tuple(h for h in header if h not in ("context", *file.informative, *sized))
    rows: dict[str, dict[str, float]] = {}
    lines: dict[str, int] = {}
    samples: dict[str, Sample] = {}
    for row in found:
        where = f"{path}:{row.line}"
        context = row.cells["context"]
        if context in rows:
            raise UserError(
                "a context stands twice",
                where=where,
                found=context,
                expected=f"one row each (first on line {lines[context]})",
            )
        cells = {c: _number(row.cells[c], f"{where}:{c}") for c in classes}
        rows[context] = _shares(file.values, cells, where)
        lines[context] = row.line
        if file.kind == "reference":
            sizes = [_number(row.cells[c], f"{where}:{c}") for c in sized]
            samples |= _sample(file, context, cells, sizes, where)
    return _table(classes, rows, lines, str(path), samples)


def _from_rows(
    file: TargetFile, given: Mapping[str, Mapping[str, float]], doc: Document, loc: tuple[str | int, ...]
) -> Figures:
    classes = tuple(dict.fromkeys(c for row in given.values() for c in row))
    rows, lines = {}, {}
    samples: dict[str, Sample] = {}
    if file.sample:
        raise UserError(
            "a reference written into YAML cannot name columns",
            where=doc.where(*loc),
            found=", ".join(file.sample.columns),
            expected="values: counts, or file: NAME.csv",
        )
    for context, cells in given.items():
        where = doc.where(*loc, context)
        missing = [c for c in classes if c not in cells]
        if missing:
            raise UserError(
                "a row that misses a class", where=where, found=", ".join(cells), expected=", ".join(classes)
            )
        rows[context] = _shares(file.values, dict(cells), where)
        lines[context] = doc.lines.get((*loc, context), 1)
        if file.kind == "reference":
            samples |= _sample(file, context, cells, (), where)
    return _table(classes, rows, lines, str(doc.path), samples)


def _sample(
    file: TargetFile, context: str, cells: Mapping[str, float], sizes: Sequence[float], where: str
) -> dict[str, Sample]:
    """The size of a reference's row: from its columns, or the sum of its counts; none where neither is stated."""
    if not sizes and file.values == "counts":
        sizes = [math.fsum(cells.values())]
    if not sizes:
        return {}
    sample = Sample(sizes[0], sizes[-1])
    if not 1 <= sample.independent <= sample.replies < math.inf:
        raise UserError(
            "not the size of a sample",
            where=where,
            found=", ".join(f"{s:g}" for s in sizes),
            expected="a number of replies of 1 or more, of which no more are independent",
        )
    return {context: sample}


def _table(
    classes: tuple[str, ...],
    rows: dict[str, dict[str, float]],
    lines: dict[str, int],
    where: str,
    samples: dict[str, Sample],
) -> Figures:
    if len(classes) < 2:
        raise UserError(
            "fewer than two classes", where=where, found=", ".join(classes), expected="context,CLASS,CLASS,…"
        )
    if not rows:
        raise UserError("no rows", where=where, expected="one row per context")
    return Figures(classes, rows, lines, where, samples)


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(
            "not a number", where=where, found=text, expected="a share such as 0.25, or a count"
        ) from None


def _shares(values: str, cells: dict[str, float], where: str) -> dict[str, float]:
    for name, value in cells.items():
        if not math.isfinite(value) or value < 0:
            raise UserError(
                "a negative or infinite value",
                where=f"{where}:{name}",
                found=value,
                expected="a number of 0 or more",
            )
    total = math.fsum(cells.values())
    if values == "counts":
        if total <= 0:
            raise UserError("a row of zeros", where=where, expected="at least one positive count")
    elif abs(total - 1) > TOLERANCE:
        raise UserError(
            "shares that do not sum to 1", where=where, found=f"{total:.6g}", expected="1 (or values: counts)"
        )
    return {name: value / total for name, value in cells.items()}


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
