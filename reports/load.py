"""Reads scored runs from their folders, for the board. No model and no draw is read here."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
from pydantic_core import from_json

from harness.errors import UserError
from harness.metrics.base import OfModel, OfTexts
from harness.metrics.catalog import of
from harness.runs.folder import Run, run_folders
from harness.runs.manifest import PROMPTS
from harness.runs.plan import lacking, told
from harness.scoring.outcomes import Certain, read_certain, read_counts
from reports.samples import texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.scoring.outcomes import Counts
    from reports.samples import Texts

Json = dict[str, object]
FILE = "utility.json"
"""What ``distalign utility`` leaves beside a run."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One attribute of one run, scored against one target."""

    run: Run
    attribute: str
    classes: tuple[str, ...]
    contexts: tuple[str, ...]
    target: Json
    shares: NDArray[np.float64]
    """Target shares, contexts x classes."""
    sizes: NDArray[np.float64]
    """As how many independent replies of people each row of the target counts; inf where it is exact."""
    table: Counts | Certain
    rows: NDArray[np.int64] | NDArray[np.float64]
    """Contexts x outcomes: the classes, then what is no class. Counts; or, of a run without draws, shares that
    are certain, with the undecided mass as a last column."""
    aggregate: Json
    """Scores over all contexts, as in ``scores.json``."""
    metrics: Json
    """Metrics that the score table does not have, as in ``scores.json``; of the model itself, and of texts of a run
    that was scored before these were, as in ``utility.json``."""
    task_hash: str
    """The task's files when the run was scored."""
    readers: int | None = None
    """Version of the readers when the run was scored; None where it was not noted."""
    lacks: str = ""
    """What of its plan a run does not hold; '' for nothing."""
    reader: tuple[float, int] | None = None
    """Accuracy of the reader on the task's labelled examples, and how many these are."""
    texts: Texts | None = None
    """Some of the texts that were drawn, by class; None where none were read."""

    @property
    def certain(self) -> bool:
        """Whether shares were computed, not drawn (the exact and choices measures)."""
        return isinstance(self.table, Certain)

    @property
    def read_by(self) -> tuple[str, int | None]:
        """What decided which class a text is: the task's files and the readers' version."""
        return self.task_hash, self.readers

    @property
    def n(self) -> int:
        """Draws per prompt; 0 where nothing was drawn."""
        return 0 if self.certain else self.run.n

    @property
    def draws(self) -> int:
        """Draws in all."""
        return 0 if self.certain else int(self.rows.sum())

    @property
    def valid(self) -> float:
        """Share of draws that gave a class."""
        return number(part(self.aggregate, "valid"), "value")


def entries(
    folders: Sequence[str], seed: int | None = None, damaged: list[UserError] | None = None
) -> tuple[list[Entry], list[Run]]:
    """Every scored result under the folders, and the runs that hold no score yet.

    Args:
        folders: run folders, or folders of them.
        seed: also read some of the texts that were drawn, chosen by this seed.
        damaged: takes why runs could not be read, and these are left out; without it the first one is raised.
    """
    runs = _once(list(_readable(Run.open, run_folders(list(folders)), damaged)))
    scored = [run for run in runs if (run.folder / "scores.json").is_file()]
    unscored = [run for run in runs if run not in scored] if len(scored) < len(runs) else []
    found = _readable(lambda run: _entries(run, seed), scored, damaged)
    return [entry for group in found for entry in group], unscored


Given = TypeVar("Given")
Read = TypeVar("Read")


def _readable(
    read: Callable[[Given], Read], given: Iterable[Given], damaged: list[UserError] | None
) -> Iterator[Read]:
    for one in given:
        try:
            yield read(one)
        except UserError as err:
            if damaged is None:
                raise
            damaged.append(err)


def _once(runs: list[Run]) -> list[Run]:
    """Runs in an order of their own, so that the page does not depend on where they lie; copies count once."""
    seen: dict[tuple[str, int], Run] = {}
    for run in runs:
        seen.setdefault((run.manifest.run, run.n), run)
    return [seen[key] for key in sorted(seen)]


def _entries(run: Run, seed: int | None) -> list[Entry]:
    scores = _parsed(run.folder / "scores.json")
    drawn = run.identity.measure == "draws"
    made: Sequence[Counts | Certain] = (
        read_counts(run.folder / "counts.csv") if drawn else read_certain(run.folder / "shares.csv")
    )
    tables = {table.attribute: table for table in made}
    results = scores.get("results")
    where = str(run.folder / "scores.json")
    beside = _beside(run)
    if not isinstance(results, list):
        raise UserError("scores without results", where=where, hint=f"distalign score {run.folder}")
    version = scores.get("reader_version")
    read_by = str(scores.get("task_hash", "")), version if isinstance(version, int) else None
    lacks = {name: _lacks(run, found) for name, found in tables.items()}
    read = [_entry(run, result, beside, tables, read_by, where) for result in results]
    read = [replace(entry, lacks=lacks[entry.attribute]) for entry in read]
    if seed is None:
        return read
    pools = {attribute: texts(run, attribute, seed) for attribute in {entry.attribute for entry in read}}
    return [replace(entry, texts=pools[entry.attribute]) for entry in read]


def _beside(run: Run) -> Json:
    """What ``distalign utility`` left beside a run, by metric."""
    if not (run.folder / FILE).is_file():
        return {}
    found = run.load(FILE)
    numbers: Json = {}
    for block in ("draws", "perplexity"):
        numbers |= cast("Json", found.get(block) or {})
    return {k: {"value": numbers[k]} for k in (*of(OfTexts), *of(OfModel)) if numbers.get(k) is not None}


def _lacks(run: Run, table: Counts | Certain) -> str:
    """Counts are held against the plan: a table that lost rows is told, and so is a run that lost draws."""
    keys = run.prompts().keys() if (run.folder / PROMPTS).is_file() else list(table.cells)
    lacks = lacking(keys, run.planned, table.held())
    return told(lacks) if lacks else ""


def _parsed(path: Path) -> Json:
    """A large JSON file: pydantic's parser takes less than half the time of Python's own."""
    try:
        data = from_json(path.read_bytes(), cache_strings="keys")
    except ValueError as err:
        raise UserError(
            f"not valid JSON: {err}", where=str(path), hint=f"distalign score {path.parent}"
        ) from None
    if not isinstance(data, dict):
        raise UserError("not a JSON object", where=str(path))
    return data


def _entry(
    run: Run,
    result: Json,
    beside: Json,
    tables: Mapping[str, Counts | Certain],
    read_by: tuple[str, int | None],
    where: str,
) -> Entry:
    try:
        attribute = str(result["attribute"])
        classes = tuple(map(str, cast("list[object]", result["classes"])))
        contexts = tuple(map(str, cast("list[object]", result["context_ids"])))
        target = cast("Json", result["target"])
        wanted = np.array(target["shares"], dtype=np.float64).reshape(len(contexts), len(classes))
        sample = cast("Json", target.get("sample") or {})
        sizes = np.array(sample.get("independent", [math.inf] * len(contexts)), dtype=np.float64)
        aggregate = part(cast("Json", result["table"]), "aggregate")
        number(part(part(aggregate, "scores"), "tv"), "estimate")
        metrics = beside | cast("Json", result.get("metrics") or {})
    except (KeyError, TypeError, ValueError) as err:
        raise UserError(
            f"scores of another layout: {err}", where=where, hint=f"distalign score {run.folder}"
        ) from None
    table = tables.get(attribute)
    if table is None or table.classes != classes or tuple(table.contexts) != contexts:
        raise UserError(
            f"the counts of {attribute!r} are not those that were scored",
            where=str(run.folder / "counts.csv"),
            hint=f"distalign score {run.folder}",
        )
    return Entry(
        run,
        attribute,
        classes,
        contexts,
        target,
        wanted,
        sizes.reshape(len(contexts)),
        table,
        table.by_context(),
        aggregate,
        metrics,
        *read_by,
        reader=_accuracy(result.get("reader")),
    )


def _accuracy(reader: object) -> tuple[float, int] | None:
    if not isinstance(reader, dict) or not isinstance(reader.get("n"), int) or not reader["n"]:
        return None
    return number(reader, "accuracy"), reader["n"]


def part(tree: Json, key: str) -> Json:
    """A branch of a JSON tree; KeyError where it is no branch."""
    branch = tree[key]
    if not isinstance(branch, dict):
        raise KeyError(key)
    return branch


def number(tree: Json, key: str) -> float:
    """A number of a JSON tree: null is nan, the string "inf" is infinite."""
    value = tree.get(key)
    if value is None:
        return math.nan
    return float(cast("float | str", value))
