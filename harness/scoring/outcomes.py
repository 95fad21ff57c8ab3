"""Tables of outcomes by context and prompt, and their CSV: counts of draws, or shares when nothing was drawn."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import numpy as np

from harness.errors import UserError
from harness.files import csv_lines
from harness.metrics.base import Counted
from harness.plaintext import disarmed, rearmed
from harness.scoring import again, compare, measured, table, wordings
from harness.scoring.certain import score_certain
from harness.terms import INVALID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.metrics.base import About, FloatArray, IntArray

KEYS = ("attribute", "context", "prompt", "outcome")
"""The first columns of both files."""
LONGEST = 15
"""Digits of a count: sums stay far from what 64 bits hold."""
ROUNDING = 1e-3
"""How far above 1 the shares of a row and what is undecided may sum."""
Number = TypeVar("Number", bound=float)
Scalar = TypeVar("Scalar", np.int64, np.float64)


@dataclass(frozen=True, slots=True)
class Outcomes(Generic[Number]):
    """A number for each outcome of one attribute, per context and prompt."""

    columns: ClassVar[tuple[str, ...]]
    """The columns of its CSV after ``KEYS``."""
    attribute: str
    classes: tuple[str, ...]
    cells: Mapping[tuple[str, str], tuple[Number, ...]]
    """(context, prompt) -> numbers in the order of ``outcomes``."""

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Classes first, then the outcomes that are no class."""
        return (*self.classes, *INVALID)

    @property
    def contexts(self) -> list[str]:
        """Contexts in their first order."""
        return list(dict.fromkeys(context for context, _ in self.cells))

    def lines(self) -> Iterator[tuple[tuple[str, str, str], tuple[Number, ...]]]:
        """(context, prompt, outcome) and the values of each line of the CSV."""
        outcomes = self.outcomes
        for place, row in self.cells.items():
            for i, outcome in enumerate(outcomes):
                yield (*place, outcome), (row[i], *row[len(outcomes) :])


@dataclass(frozen=True, slots=True)
class Counts(Outcomes[int]):
    """How often each outcome of one attribute came. Classes + invalid outcomes = draws, on every row."""

    columns: ClassVar[tuple[str, ...]] = ("count",)

    def by_context(self) -> NDArray[np.int64]:
        """Contexts x outcomes, summed over prompts."""
        index = {c: i for i, c in enumerate(self.contexts)}
        summed = np.zeros((len(index), len(self.outcomes)), dtype=np.int64)
        for (context, _), row in self.cells.items():
            summed[index[context]] += np.array(row, dtype=np.int64)
        return summed

    def held(self) -> dict[tuple[str, str], int]:
        """(context, prompt) -> draws that were counted."""
        return {key: sum(row) for key, row in self.cells.items()}

    def folded(self) -> NDArray[np.int64]:
        """Contexts x (classes, no class)."""
        return _folded(self.by_context(), len(self.classes))

    def totals(self) -> dict[str, int]:
        """Each outcome over all contexts."""
        return {o: int(v) for o, v in zip(self.outcomes, self.by_context().sum(axis=0), strict=True)}


@dataclass(frozen=True, slots=True)
class Certain(Outcomes[float]):
    """Lower bounds of every outcome's share, from probabilities. Each row of ``cells`` ends in the undecided mass."""

    columns: ClassVar[tuple[str, ...]] = ("lower", "undecided")

    def held(self) -> dict[tuple[str, str], int]:
        """(context, prompt) -> 1 for each that was computed."""
        return dict.fromkeys(self.cells, 1)

    def by_context(self) -> NDArray[np.float64]:
        """Contexts x (outcomes, undecided): the mean over a context's prompts, each asked equally often."""
        rows: dict[str, list[tuple[float, ...]]] = {}
        for (context, _), row in self.cells.items():
            rows.setdefault(context, []).append(row)
        return np.array([np.mean(r, axis=0) for r in rows.values()])

    def folded(self) -> NDArray[np.float64]:
        """Contexts x (classes, no class), without what is undecided."""
        return _folded(self.by_context()[:, :-1], len(self.classes))


def _folded(rows: NDArray[Scalar], classes: int) -> NDArray[Scalar]:
    return np.concatenate([rows[:, :classes], rows[:, classes:].sum(axis=1, keepdims=True)], axis=1)


def measure_outcomes(
    found: Counts | Certain, target: FloatArray, sizes: FloatArray, about: About
) -> dict[str, measured.Measured]:
    """The metrics of counts that the score table does not have."""
    rows: IntArray | FloatArray = found.folded()
    return measured.of_counts(Counted(rows[:, :-1], rows[:, -1], target), sizes, about)


def by_wording(found: Counts | Certain) -> wordings.Crossed | None:
    """Counts of every context and wording (classes, no class); None of too few wordings, or where nothing was drawn."""
    if isinstance(found, Certain):
        return None
    rows = _folded(np.array(list(found.cells.values()), dtype=np.int64), len(found.classes))
    return wordings.crossed(dict(zip(found.cells, rows, strict=True)))


def over_wordings(
    found: Counts | Certain, target: FloatArray, sizes: FloatArray, tv: table.Score
) -> wordings.OverWordings | None:
    """The mean TV for wordings like these, where there are enough of them."""
    cells = by_wording(found)
    return wordings.over_wordings(cells, with_none(target), sizes, (tv.low, tv.high)) if cells else None


def with_none(target: FloatArray) -> FloatArray:
    """The target with a share of 0 for what is no class."""
    return np.concatenate([target, np.zeros((len(target), 1))], axis=1)


def rescaled(found: Counts | Certain, target: FloatArray, tv: table.Score) -> dict[str, measured.Measured]:
    """Other scales of the mean TV, which is over the contexts that have draws."""
    return measured.of_tv(tv, target[found.folded().sum(axis=1) > 0])


def score_outcomes(
    found: Counts | Certain, target: FloatArray, sizes: FloatArray, positions: FloatArray | None = None
) -> table.TableScore:
    """Scores of counts or of certain shares against target shares, contexts x classes; the rest as in ``table.score``."""
    if isinstance(found, Certain):
        return score_certain(
            found.folded(), found.by_context()[:, -1], target, sizes=sizes, positions=positions
        )
    counts = found.folded()
    return table.score(counts[:, :-1], counts[:, -1], target, sizes=sizes, seed=0, positions=positions)


def score_again(
    found: Sequence[Counts],
    target: FloatArray,
    sizes: FloatArray,
    before: Sequence[table.AggregateScore],
    positions: FloatArray | None = None,
) -> list[table.AggregateScore]:
    """The means over contexts of several tables of one shape, without what rests on simulation; see ``again``."""
    counts = np.stack([one.folded() for one in found])
    return again.again(counts[..., :-1], counts[..., -1], target, sizes, before, positions)


def distances_of(
    found: Counts | Certain, target: FloatArray, sizes: FloatArray, positions: FloatArray | None = None
) -> compare.Distances:
    """TV (of ordered classes, W1) of each context with its chance; what is no class lies outside the target."""
    full = with_none(target)
    if isinstance(found, Certain):
        return compare.certain_distances(found.folded(), found.by_context()[:, -1], full, sizes, positions)
    return compare.distances(found.folded(), full, sizes, positions)


def distances_of_valid(
    found: Counts | Certain, target: FloatArray, sizes: FloatArray, positions: FloatArray | None = None
) -> compare.Distances:
    """The same of the draws that name a class."""
    if isinstance(found, Certain):
        undecided = found.by_context()[:, -1]
        return compare.certain_distances(found.folded()[:, :-1], undecided, target, sizes, positions)
    return compare.distances(found.folded()[:, :-1], target, sizes, positions)


def tally(
    attribute: str,
    classes: Sequence[str],
    keys: Iterable[tuple[str, str]],
    labels: Iterable[tuple[tuple[str, str], str, int]],
) -> Counts:
    """Counts from (key, label, count) triples; ``keys`` fixes the rows and their order."""
    outcomes = (*classes, *INVALID)
    index = {o: i for i, o in enumerate(outcomes)}
    cells = {key: [0] * len(outcomes) for key in keys}
    for key, label, count in labels:
        cells[key][index[label]] += count
    return Counts(attribute, tuple(classes), {k: tuple(v) for k, v in cells.items()})


def to_csv(tables: Sequence[Counts] | Sequence[Certain]) -> str:
    """The long table of ``counts.csv`` or ``shares.csv``: zeros included, every digit kept."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*KEYS, *tables[0].columns])
    for one in tables:
        writer.writerows([*map(disarmed, (one.attribute, *place)), *values] for place, values in one.lines())
    return out.getvalue()


def read_counts(path: Path) -> list[Counts]:
    """Read ``counts.csv`` back; anything but whole numbers of known outcomes is a ``UserError``."""

    def value(cells: Sequence[str], line: int) -> int:
        (count,) = cells
        if not count.isascii() or not count.isdigit() or len(count) > LONGEST:
            raise UserError(
                "not a count",
                where=f"{path}:{line}",
                found=count,
                expected=f"a whole number of 0 or more, of {LONGEST} digits at most",
            )
        return int(count)

    return [
        Counts(attribute, classes, {key: tuple(row) for key, row in cells.items()})
        for attribute, classes, cells in _read(path, Counts.columns, value)
    ]


def read_certain(path: Path) -> list[Certain]:
    """Read ``shares.csv`` back; anything but probabilities of known outcomes is a ``UserError``."""

    def value(cells: Sequence[str], line: int) -> tuple[float, float]:
        lower, undecided = cells
        where = f"{path}:{line}"
        try:
            bounds = (float(lower), float(undecided))
        except ValueError:
            raise UserError("not a probability", where=where, found=f"{lower}, {undecided}") from None
        if not all(0 <= v <= 1 for v in bounds):
            raise UserError("not a probability", where=where, found=bounds, expected="numbers from 0 to 1")
        return bounds

    tables = _read(path, Certain.columns, value)
    for attribute, _, cells in tables:
        for (context, prompt), row in cells.items():
            lower, undecided = [low for low, _ in row], {mass for _, mass in row}
            if len(undecided) > 1 or sum(lower) + max(undecided) > 1 + ROUNDING:
                raise UserError(
                    f"the shares of {attribute}, {context}, {prompt} are of no one distribution",
                    where=str(path),
                    found=f"sum {sum(lower):.6g}, undecided {', '.join(f'{u:.6g}' for u in sorted(undecided))}",
                    expected="one undecided mass, and with it a sum of 1",
                )
    return [
        Certain(
            attribute, classes, {k: (*(lower for lower, _ in row), row[0][1]) for k, row in cells.items()}
        )
        for attribute, classes, cells in tables
    ]


Value = TypeVar("Value")


def _read(
    path: Path, columns: Sequence[str], value: Callable[[Sequence[str], int], Value]
) -> list[tuple[str, tuple[str, ...], dict[tuple[str, str], list[Value]]]]:
    """Attribute, classes, (context, prompt) -> the values in the order of the outcomes."""
    wanted = (*KEYS, *columns)
    header, lines = csv_lines(path, required=wanted)
    pick = itemgetter(*map(header.index, wanted))
    found: dict[str, dict[tuple[str, str], dict[str, Value]]] = {}
    place: tuple[str, ...] = ()
    cell: dict[str, Value] = {}
    for line, cells in lines:
        picked = pick(cells)
        *own, outcome = picked[: len(KEYS)]
        if "" in picked[: len(KEYS)]:
            raise UserError(
                f"a row without {KEYS[picked.index('')]}", where=f"{path}:{line}", expected=", ".join(KEYS)
            )
        if (here := tuple(own)) != place:  # the rows of a cell mostly stand together
            place = here
            attribute, context, prompt = map(rearmed, place)
            cell = found.setdefault(attribute, {}).setdefault((context, prompt), {})
        outcome = rearmed(outcome)
        if outcome in cell:
            raise UserError("an outcome stands twice", where=f"{path}:{line}", found=outcome)
        cell[outcome] = value(picked[len(KEYS) :], line)
    if not found:
        raise UserError("a table without rows", where=str(path), expected="a row for each outcome")
    _same_prompts(found, path)
    return [(attribute, *_ordered(attribute, cells, path)) for attribute, cells in found.items()]


def _same_prompts(found: Mapping[str, Mapping[tuple[str, str], object]], path: Path) -> None:
    """Attributes are read from the same draws, so each has a row for every prompt."""
    every = dict.fromkeys(key for cells in found.values() for key in cells)
    for attribute, cells in found.items():
        if missing := [", ".join(key) for key in every if key not in cells]:
            raise UserError(
                f"{attribute} lacks rows that another attribute has",
                where=str(path),
                found="; ".join(missing[:3]),
                expected="each attribute in every context and prompt",
            )


def _ordered(
    attribute: str, cells: Mapping[tuple[str, str], Mapping[str, Value]], path: Path
) -> tuple[tuple[str, ...], dict[tuple[str, str], list[Value]]]:
    classes = tuple(o for o in next(iter(cells.values())) if o not in INVALID)
    outcomes = (*classes, *INVALID)
    for (context, prompt), cell in cells.items():
        if differing := set(outcomes) ^ set(cell):
            raise UserError(
                f"the outcomes of {attribute}, {context}, {prompt} differ from the first row's",
                where=str(path),
                found=", ".join(sorted(differing)),
                expected=", ".join(outcomes),
            )
    return classes, {key: [cell[o] for o in outcomes] for key, cell in cells.items()}
