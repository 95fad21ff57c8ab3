"""Reads scored runs from their folders, for the board. No model and no draw is read here."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from harness.errors import UserError
from harness.metrics.base import OfModel, OfTexts
from harness.metrics.catalog import of
from harness.metrics.retained import REPLY_BITS
from harness.retained.record import utility_of
from harness.runs.folder import Run, run_folders
from harness.runs.manifest import PROMPTS
from harness.runs.plan import lacking, told
from harness.scores import SCORES, scores_of
from harness.scoring.measured import Measured
from harness.scoring.outcomes import Certain, read_certain, read_counts, rescaled
from harness.scoring.ratio import OF_PEOPLE
from reports.samples import texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.retained.record import Utility
    from harness.runs.manifest import Prompts
    from harness.scores import ReaderRecord, Result, ScoredTarget, ToldRecord
    from harness.scoring.labelled import Labelled
    from harness.scoring.outcomes import Counts
    from harness.scoring.table import AggregateScore
    from harness.scoring.wordings import OverWordings
    from reports.samples import Texts


@dataclass(frozen=True, slots=True)
class Entry:
    """One attribute of one run, scored against one target."""

    run: Run
    attribute: str
    classes: tuple[str, ...]
    positions: NDArray[np.float64] | None
    """Of the classes, from 0 to 1; None where they have no order."""
    contexts: tuple[str, ...]
    target: ScoredTarget
    shares: NDArray[np.float64]
    """Target shares, contexts x classes."""
    sizes: NDArray[np.float64]
    """As how many independent replies of people each row of the target counts; inf where it is exact."""
    table: Counts | Certain
    rows: NDArray[np.int64] | NDArray[np.float64]
    """Contexts x outcomes: the classes, then what is no class. Counts; or, of a run without draws, shares that
    are certain, with the undecided mass as a last column."""
    aggregate: AggregateScore
    """Scores over all contexts, as in ``scores.json``."""
    metrics: Mapping[str, Measured]
    """Metrics that the score table does not have, as in ``scores.json``."""
    utility: Utility | None
    """What ``distalign utility`` left beside the run."""
    beside: Mapping[str, float]
    """Metrics of the model itself, and of texts of a run that was scored before these were, as in ``utility.json``."""
    task_hash: str
    """The task's files when the run was scored."""
    readers: int | None = None
    """Version of the readers when the run was scored; None where it was not noted."""
    lacks: str = ""
    """What of its plan a run does not hold; '' for nothing."""
    first: str | None = None
    """The run's first prompt, as the model saw it; None where the run keeps no prompts."""
    told: tuple[ToldRecord, ...] = ()
    """What the run's prompts tell of people's replies."""
    reader: tuple[float, int] | None = None
    """Accuracy of the reader on the task's labelled examples, and how many these are."""
    blind: tuple[float, int] | None = None
    """The same of texts that the reader was not written on."""
    labelled: Labelled | None = None
    """Scores with hand labels; None where nobody labelled texts of the run."""
    place: int = 0
    """Which of the run's results it is: a task names its main target first."""
    wordings: OverWordings | None = None
    """The TV for wordings like these; None where too few were asked."""
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
        return self.aggregate.valid.value


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
    scored = [run for run in runs if (run.folder / SCORES).is_file()]
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
    scores = scores_of(run)
    drawn = run.identity.measure == "draws"
    made: Sequence[Counts | Certain] = (
        read_counts(run.folder / "counts.csv") if drawn else read_certain(run.folder / "shares.csv")
    )
    tables = {table.attribute: table for table in made}
    utility = utility_of(run.folder)
    prompts = run.prompts() if (run.folder / PROMPTS).is_file() else None
    lacks = {name: _lacks(run, prompts, found) for name, found in tables.items()}
    read_by = scores.task_hash, scores.reader_version
    scored = [_entry(run, result, utility, tables, read_by) for result in scores.results]
    attributes = {entry.attribute for entry in scored}
    pools = {} if seed is None else {attribute: texts(run, attribute, seed) for attribute in attributes}
    return [
        replace(
            entry,
            place=place,
            lacks=lacks[entry.attribute],
            told=scores.told,
            first=prompts.first_rendered if prompts else None,
            texts=pools.get(entry.attribute),
        )
        for place, entry in enumerate(scored)
    ]


def _beside(found: Utility | None) -> dict[str, float]:
    """The metrics in what ``distalign utility`` left."""
    if found is None:
        return {}
    predicted = found.perplexity.model_dump() if found.perplexity else {}
    numbers = {**(found.draws or {}), **predicted}
    return {k: numbers[k] for k in (*of(OfTexts), *of(OfModel)) if numbers.get(k) is not None}


def _replies(found: Utility | None) -> dict[str, Measured]:
    """What ``distalign utility`` left beside people's replies: bits of these, and meanings by an encoder."""
    if found is None:
        return {}
    measured = dict(found.encoded.metrics) if found.encoded else {}
    if found.replies is not None:
        mean = found.replies.mean
        measured[REPLY_BITS.key] = Measured(mean.bits, mean.low, mean.high, OF_PEOPLE, mean.bits, math.nan)
    return measured


def _accuracy(found: ReaderRecord | None) -> tuple[float, int] | None:
    return (found.accuracy, found.n) if found and found.n else None


def _lacks(run: Run, prompts: Prompts | None, table: Counts | Certain) -> str:
    """Counts are held against the plan: a table that lost rows is told, and so is a run that lost draws."""
    keys = prompts.keys() if prompts else list(table.cells)
    lacks = lacking(keys, run.planned, table.held())
    return told(lacks) if lacks else ""


def _entry(
    run: Run,
    result: Result,
    utility: Utility | None,
    tables: Mapping[str, Counts | Certain],
    read_by: tuple[str, int | None],
) -> Entry:
    table, contexts = tables.get(result.attribute), len(result.context_ids)
    if table is None or table.classes != result.classes or tuple(table.contexts) != result.context_ids:
        raise UserError(
            f"the counts of {result.attribute!r} are not those that were scored",
            where=str(run.folder / "counts.csv"),
            hint=f"distalign score {run.folder}",
        )
    sample = result.target.sample
    shares = np.array(result.target.shares, dtype=np.float64).reshape(contexts, len(result.classes))
    mean = result.table.aggregate
    return Entry(
        run,
        result.attribute,
        result.classes,
        np.array(result.positions) if result.positions else None,
        result.context_ids,
        result.target,
        shares,
        np.array(sample.independent) if sample else np.full(contexts, np.inf),
        table,
        table.by_context(),
        mean,
        {**rescaled(table, shares, mean.scores["tv"]), **result.metrics, **_replies(utility)},
        utility,
        _beside(utility),
        *read_by,
        reader=_accuracy(result.reader),
        blind=_accuracy(result.blind),
        labelled=result.labelled,
        wordings=result.wordings,
    )
