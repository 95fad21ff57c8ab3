"""The board's numbers as files: ``leaderboard.csv``, ``leaderboard.json`` and ``counts.csv``."""

from __future__ import annotations

import csv
import io
import json
import math
from functools import cache
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field

from harness import __version__
from harness.metrics import catalog
from harness.metrics.base import OfCounts, OfShares, Ordered
from harness.records import SCHEMA, Number, Record
from harness.scoring.outcomes import KEYS, Certain, Counts
from harness.scoring.table import NOTHING
from reports.board import engine
from reports.standing import sampling
from reports.text import cell as safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.metrics.base import Metric
    from reports.board import Board
    from reports.board import Cell as BoardCell
    from reports.check import Checked

Cell = float | int | str | bool | None
"""What a column may hold."""
PLACE = ("run", "model", "task", *KEYS)
"""The first columns of ``counts.csv`` and ``shares.csv``."""


class BoardRow(Record):
    """One result. Between ``band`` and ``tv_of_valid`` stand the metrics, in columns of their own.

    A distance from the target has its estimate under its key, and under KEY_low, _high, _plugin, _floor, _floor95 and _p what
    belongs to it (W1 also w1_of_valid); another metric its value, _low, _high and _interval (how these limits were found).
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Number | str]
    model: str
    """Name to show."""
    method: str
    """The method that made it, with its arm; '' for none."""
    revision: str
    """Hub commit, '' where there is none."""
    weights: str
    """sha256 over the weight files, '' where they cannot be seen."""
    task: str
    """Name of the task."""
    task_version: str
    """Its version."""
    attribute: str
    """What was read."""
    language: str
    """Language of the task."""
    target: str
    """Name of the target."""
    contexts: int
    """How many contexts."""
    split: str
    """Which contexts."""
    paraphrases: str
    """Which prompts."""
    ranked: bool
    """Whether it is ranked."""
    apart: str
    """Why it is not."""
    rank_low: int | None
    """Best rank that cannot be ruled out; null where it is not ranked."""
    rank_high: int | None
    """Worst rank that cannot be ruled out."""
    band: int | None
    """Results of one band cannot be told apart."""
    tv_of_valid: Number
    """Total variation of the draws that name a class, bias-corrected."""
    tv_best: Number
    """Total variation if the other draws had gone where they serve best."""
    tv_worst: Number
    """Total variation if they had gone where they serve worst."""
    n: int
    """Draws per prompt; 0 where nothing was drawn."""
    draws: int
    """Draws in all."""
    measure: str
    """How the distribution was obtained."""
    engine: str
    """What drew."""
    sampling: str
    """The sampling parameters, as JSON."""
    seed: int | None
    """Seed of the run."""
    tokens: int
    """Tokens drawn."""
    seconds: float
    """Time spent drawing."""
    run: str
    """The run's short hash."""
    checked: Literal["claimed", "counts", "draws"]
    """How far the numbers were computed again."""

    def number(self, key: str) -> float:
        """A metric's column; nan where it has no number."""
        value = (self.__pydantic_extra__ or {}).get(key, math.nan)
        return value if isinstance(value, float) else math.nan

    def text(self, key: str) -> str:
        """A column of text beside a metric; '' where there is none."""
        value = (self.__pydantic_extra__ or {}).get(key, "")
        return value if isinstance(value, str) else ""

    def flat(self) -> dict[str, Cell]:
        """Every column in order, the metrics in their place."""
        data = self.model_dump()
        fixed = list(type(self).model_fields)
        middle = fixed.index("tv_of_valid")
        keys = [*fixed[:middle], *(self.__pydantic_extra__ or {}), *fixed[middle:]]
        return {key: _plain(data[key]) for key in keys}


class Leaderboard(Record):
    """The whole of ``leaderboard.json``."""

    schema_version: Literal[1] = Field(1, alias=SCHEMA)
    """Version of this file's form."""
    distalign: str
    """The package's version."""
    results: tuple[BoardRow, ...]
    """One for each result, ranked ones first, in the board's order."""


def records(board: Board, checked: Mapping[str, Checked]) -> list[BoardRow]:
    """One flat record per result, ranked ones first, in the board's order."""
    ordered = sorted(board.cells, key=lambda c: (bool(c.apart), c.col, c.rank or (0, 0, 0), c.row))
    return [_record(board, c, checked.get(c.entry.run.manifest.run, "claimed")) for c in ordered]


def _record(board: Board, cell: BoardCell, checked: Checked) -> BoardRow:
    entry, person = cell.entry, board.rows[cell.row]
    run, rank, mean = entry.run, cell.rank or (None, None, None), cell.entry.aggregate
    identity = run.identity
    metrics: dict[str, Number | str] = {}
    for metric in catalog.METRICS:
        metrics |= _numbers(cell, metric)
    row = BoardRow(
        model=person.model,
        method="/".join(filter(None, (person.method, person.arm))),
        revision=person.revision,
        weights=person.weights,
        task=identity.task,
        task_version=str(identity.task_version),
        attribute=entry.attribute,
        language=identity.language,
        target=entry.target.name,
        contexts=len(entry.contexts),
        split=identity.split,
        paraphrases=identity.paraphrases,
        ranked=not cell.apart,
        apart="; ".join(f"{kind}: {detail}" if detail else kind for kind, detail in cell.apart),
        rank_low=rank[0],
        rank_high=rank[1],
        band=rank[2],
        tv_of_valid=mean.conditional["tv"].estimate,
        tv_best=mean.best_tv,
        tv_worst=mean.worst_tv,
        n=entry.n,
        draws=entry.draws,
        measure=identity.measure,
        engine=engine(entry),
        sampling=sampling(entry),
        seed=identity.seed,
        tokens=run.manifest.tokens,
        seconds=run.manifest.seconds,
        run=run.manifest.run,
        checked=checked,
    )
    return row.model_copy(update=metrics)


def _numbers(cell: BoardCell, metric: Metric) -> dict[str, Number | str]:
    """The columns of one metric."""
    key = metric.key
    if isinstance(metric, OfShares):
        score = cell.score(key)
        beside = ("low", "high", "plugin", "floor", "floor95", "p")
        columns: dict[str, Number | str] = {f"{key}_{name}": getattr(score, name) for name in beside}
        if isinstance(metric, Ordered):
            columns[f"{key}_of_valid"] = cell.entry.aggregate.conditional.get(key, NOTHING).estimate
        return {key: score.estimate, **columns}
    shown = cell.shown(metric)
    if metric.needs == "model" or (isinstance(metric, OfCounts) and metric.in_table):
        return {key: shown.value}
    found = cell.entry.metrics.get(key)
    how = found.interval if found else math.nan
    return {key: shown.value, f"{key}_low": shown.low, f"{key}_high": shown.high, f"{key}_interval": how}


def _plain(value: Cell) -> Cell:
    return None if isinstance(value, float) and math.isnan(value) else value


def to_csv(rows: Iterable[Mapping[str, Cell]]) -> str:
    """Flat records with the same keys as CSV; text that a spreadsheet would run is disarmed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for i, cells in enumerate(rows):
        if not i:
            writer.writerow(cells)
        writer.writerow([safe(value) for value in cells.values()])
    return out.getvalue()


def to_json(rows: Iterable[Mapping[str, Cell]]) -> str:
    """The same records for programs, as they are."""
    encode = json.JSONEncoder(allow_nan=False, separators=(",\n   ", ": ")).encode
    plain = (encode({k: "inf" if v == math.inf else v for k, v in cells.items()}) for cells in rows)
    results = ",\n  ".join(f"{{\n   {one[1:-1]}\n  }}" for one in plain)
    # json.dumps writes the same with indent=1, which takes its slow encoder: a large board has 10^5 numbers.
    return f'{{\n "{SCHEMA}": 1,\n "distalign": {encode(__version__)},\n "results": [\n  {results}\n ]\n}}\n'


def counts_csv(board: Board, *, counted: bool = True) -> str:
    """Counts of every run on the board: each number can be computed from these rows and the target.

    ``counted=False`` gives the shares of the runs without draws instead; '' where there is none.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*PLACE, *(Counts if counted else Certain).columns])
    done, shown = set(), cache(safe)
    for cell in board.cells:
        entry, table = cell.entry, cell.entry.table
        key = (entry.run.manifest.run, entry.n, entry.attribute)
        if key in done or isinstance(table, Certain) == counted:
            continue
        done.add(key)
        head = [
            key[0],
            *(safe(x) for x in (board.rows[cell.row].model, entry.run.identity.task, entry.attribute)),
        ]
        writer.writerows([*head, *map(shown, place), *values] for place, values in table.lines())
    return out.getvalue() if done else ""
