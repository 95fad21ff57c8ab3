"""The board: rows, columns and cells, with ranks, from scored runs."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.metrics import catalog
from harness.metrics.base import Counted, Divergence, OfCounts, OfShares, OfTv, Ordered
from harness.metrics.skill import SKILL, nothing_known
from harness.metrics.tv import tv
from harness.scoring.compare import Distances
from harness.scoring.table import NOTHING, Score
from reports.distances import each_distance
from reports.ranks import joint, rank
from reports.standing import Reason, Who, column_key, reasons, who

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from harness.metrics.base import Metric
    from reports.load import Entry
    from reports.ranks import Ranking


class Shown(NamedTuple):
    """A number of a result with its 95% interval; nan where there is none."""

    value: float
    low: float
    high: float


def page_metrics() -> list[Metric]:
    """The metrics that the page can show for a task, in the list's order."""
    return [m for m in catalog.METRICS if m.place != "files" and m.needs != "model"]


@dataclass(slots=True)
class Cell:
    """One result in its place."""

    row: int
    col: int
    entry: Entry
    apart: list[Reason]
    distances: Distances
    """TV of each of its contexts, with its chance."""
    rank: tuple[int, int, int] | None = None
    """Least and greatest rank, and band."""

    def score(self, metric: str) -> Score:
        """A divergence of the result, in the mean over contexts; nothing where it was scored before that was one."""
        return self.entry.aggregate.scores.get(metric, NOTHING)

    def shown(self, metric: Metric) -> Shown:
        """What the page shows of a metric."""
        if isinstance(metric, OfShares):
            if metric.as_drawn:
                return Shown(self.score(metric.key).plugin, math.nan, math.nan)
            score = self.score(metric.key)
            return Shown(score.estimate, score.low, score.high)
        if isinstance(metric, OfCounts) and metric.in_table:
            return Shown(self.entry.valid, math.nan, math.nan)
        found = self.entry.metrics.get(metric.key)
        if found is not None:
            return Shown(found.value, found.low, found.high)
        return Shown(self.entry.beside.get(metric.key, math.nan), math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Column:
    """One task's attribute against one target."""

    key: tuple[str, ...]
    entry: Entry
    """The result that speaks for the column: of those ranked, one with the commonest n."""
    uniform: Mapping[str, float]
    """Metrics of a model that gives every class equally often."""
    ideal: Mapping[str, float]
    """Metrics of a model that is the target."""
    people: Mapping[str, float]
    """Metrics of people, one half against the other; empty where the target keeps no replies."""
    floor: float
    """Mean TV of a perfect model, as drawn."""
    perfect: float
    """What a perfect model's corrected TV stays under in 95 of 100 measurements."""


@dataclass(slots=True)
class Board:
    """Everything that the page shows."""

    rows: list[Who]
    columns: list[Column]
    cells: list[Cell]
    rankings: dict[int, Ranking] = field(default_factory=dict)
    """Column -> the ranking of its ranked cells, in their order."""
    shared: tuple[int, ...] = ()
    """The columns that the overall mean is over; empty where no two rows share two."""
    overall: dict[int, tuple[float, float, float]] = field(default_factory=dict)
    """Row -> mean of its skills over these with its 95% interval, for rows that are ranked in all of them."""
    overall_rank: dict[int, tuple[int, int, int]] = field(default_factory=dict)

    def ranked(self, col: int) -> list[Cell]:
        """The ranked cells of a column."""
        return [c for c in self.cells if c.col == col and not c.apart]


def build(entries: Sequence[Entry], mismatches: Mapping[str, str] | None = None) -> Board:
    """Put results in their places and rank them.

    Args:
        entries: scored results.
        mismatches: run -> how its numbers fail to follow from its counts, as ``--check`` found.
    """
    people = [who(entry) for entry in entries]
    rows = sorted(
        set(people), key=lambda w: (w.model.casefold(), w.model, w.method, w.arm, w.step or 0, w.id)
    )
    row_of = {w: i for i, w in enumerate(rows)}
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, entry in enumerate(entries):
        groups.setdefault(column_key(entry), []).append(i)
    away = each_distance(entries)
    cells: list[Cell] = []
    columns: list[Column] = []
    for col, key in enumerate(sorted(groups)):
        members = groups[key]
        found = reasons([entries[i] for i in members])
        group = [
            Cell(row_of[people[i]], col, entries[i], why, away[i])
            for i, why in zip(members, found, strict=True)
        ]
        for cell in group:
            wrong = (mismatches or {}).get(cell.entry.run.manifest.run)
            if wrong:
                cell.apart.append(Reason("mismatch", wrong))
        _only_one_per_row(group)
        columns.append(_column(key, group))
        cells.extend(group)
    cells.sort(key=lambda c: (c.col, c.row, bool(c.apart), c.entry.run.manifest.run))
    board = Board(rows, columns, cells)
    _rank(board)
    return board


def _only_one_per_row(group: list[Cell]) -> None:
    """Of several runs of one row, one without draws stands for it, else the one with most."""
    best: dict[int, Cell] = {}
    for cell in sorted(group, key=lambda c: (not c.entry.certain, -c.entry.n, c.entry.run.manifest.run)):
        if cell.apart:
            continue
        if cell.row in best:
            cell.apart.append(Reason("again", f"n = {cell.entry.n}, {engine(cell.entry)}"))
        else:
            best[cell.row] = cell


def engine(entry: Entry) -> str:
    """Name of the engine that drew."""
    return entry.run.manifest.engine.name


def _column(key: tuple[str, ...], group: list[Cell]) -> Column:
    pool = [c for c in group if not c.apart] or group
    usual = Counter(c.entry.n for c in pool).most_common()
    n = min(usual, key=lambda item: (-item[1], -item[0]))[0]
    speaker = next(c for c in pool if c.entry.n == n)
    entry, perfect = speaker.entry, speaker.score("tv")
    even = np.full_like(entry.shares, 1 / len(entry.classes))
    uniform, ideal = (
        {m.key: _of_shares(m, shares, entry) for m in page_metrics() if m.needs == "counts"}
        for shares in (even, entry.shares)
    )
    people = {k: m.people for k, m in entry.metrics.items() if not math.isnan(m.people)}
    return Column(
        key, entry, uniform, ideal, people, perfect.floor, max(perfect.floor95 - perfect.floor, 0.0)
    )


def _of_shares(metric: Metric, model: NDArray[np.float64], entry: Entry) -> float:
    """A metric of counts, of a model whose every answer has a class."""
    target = entry.shares
    if isinstance(metric, Ordered):
        return (
            math.nan
            if entry.positions is None
            else float(metric.value(model, target, entry.positions).mean())
        )
    if isinstance(metric, OfTv):
        return float(metric.compute(tv(model, target).mean(), target))
    if isinstance(metric, Divergence):
        return float(metric.value(model, target).mean())
    if isinstance(metric, OfCounts):
        return float(np.nanmean(metric.compute(Counted(model, np.zeros(len(model)), target))))
    return math.nan


def first_column(board: Board) -> int:
    """The column that most models share; of several one with a target that is not even, then a task's main target."""

    def order(col: int) -> tuple[int, bool, int, int]:
        entry = board.columns[col].entry
        return -len(board.ranked(col)), entry.target.kind == "uniform", entry.place, col

    return min(range(len(board.columns)), key=order)


def _rank(board: Board) -> None:
    for col in range(len(board.columns)):
        cells = board.ranked(col)
        if not cells:
            continue
        found = rank([[c.distances for c in cells]], np.array([c.score("tv").estimate for c in cells]))
        for i, cell in enumerate(cells):
            cell.rank = (int(found.low[i]), int(found.high[i]), int(found.band[i]))
        board.rankings[col] = found
    _rank_overall(board)


def _rank_overall(board: Board) -> None:
    """Rank the rows that share most columns by the mean over these."""
    of: dict[int, dict[int, Cell]] = {}
    for cell in board.cells:
        if not cell.apart:
            of.setdefault(cell.row, {})[cell.col] = cell
    board.shared = _shared([frozenset(cells) for cells in of.values()])
    if not board.shared:
        return
    complete = [row for row in sorted(of) if of[row].keys() >= set(board.shared)]
    for row in complete:
        skills = [of[row][col].shown(SKILL) for col in board.shared]
        off = np.array([[1 - one.high, 1 - one.value, 1 - one.low] for one in skills])
        value, low, high = joint(*off.T)
        board.overall[row] = 1 - value, 1 - high, 1 - low
    found = rank(
        [[_scaled(of[row][col]) for row in complete] for col in board.shared],
        np.array([-board.overall[row][0] for row in complete]),
    )
    for i, row in enumerate(complete):
        board.overall_rank[row] = (int(found.low[i]), int(found.high[i]), int(found.band[i]))


def _scaled(cell: Cell) -> Distances:
    """Distances on the scale of the skill, as shares of the way that a model has to go that knows nothing."""
    way = nothing_known(cell.entry.shares)
    value, variance, shift = cell.distances
    return Distances(value / way, variance / way**2, None if shift is None else shift / way)


def _shared(ran: Sequence[frozenset[int]]) -> tuple[int, ...]:
    """Two columns or more that at least two rows share, so that rows times columns is greatest."""
    distinct = Counter(ran)
    candidates = {a & b for a in distinct for b in distinct}
    best: tuple[int, int, list[int]] = (0, 0, [])
    for columns in candidates:
        rows = sum(often for one, often in distinct.items() if one >= columns)
        if len(columns) > 1 and rows > 1:
            best = min(best, (-rows * len(columns), -len(columns), sorted(columns)))
    return tuple(best[2])
