"""The part of the page's data that is about runs: their settings, counts and texts, each text stored once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.plaintext import show
from harness.reading.quality import DOUBTFUL, error_rate
from reports.command import command

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.runs.manifest import IndependenceRecord
    from harness.scoring.labelled import Labelled
    from harness.scoring.wordings import OverWordings
    from reports.board import Board, Cell
    from reports.load import Entry
    from reports.samples import Texts

TEXT_BUDGET = 1_500_000
"""Characters of sample texts on a page, at most: a large board shows shorter and fewer ones."""
LONGEST_TEXT = 1_200


class Strings:
    """Texts by number: each is written once, however often it is shown."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {}

    def add(self, text: object, limit: int = LONGEST_TEXT) -> int:
        """The number of a text."""
        return self.found.setdefault(show(text, limit), len(self.found))


def short(value: float) -> float | str | None:
    """A number to five significant digits, a whole one as it is; JSON knows neither nan nor inf."""
    if isinstance(value, int):
        return value
    if math.isnan(value):
        return None
    return float(f"{value:.5g}") if math.isfinite(value) else "inf"


def key(cell: Cell) -> tuple[str, int]:
    """What tells a run on the page from every other one."""
    return cell.entry.run.manifest.run, cell.entry.n


def runs_of(board: Board, strings: Strings) -> tuple[list[dict[str, object]], dict[tuple[str, int], int]]:
    """Every run of a board, and the number of each by its key."""
    groups: dict[tuple[str, int], list[Entry]] = {}
    for cell in board.cells:
        groups.setdefault(key(cell), []).append(cell.entry)
    runs = [_run(entries, strings) for entries in groups.values()]
    samples = [
        {attribute: e.texts for attribute, e in _of_attributes(entries).items() if e.texts is not None}
        for entries in groups.values()
    ]
    limit, kept = _affordable(samples)
    for run, sample in zip(runs, samples, strict=True):
        run["texts"] = {
            a: {
                show(label): [[strings.add(t, limit), n] for t, n in pool[:kept]]
                for label, pool in pools.items()
            }
            for a, pools in sample.items()
        }
    return runs, {each: i for i, each in enumerate(groups)}


def _of_attributes(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The first result of each attribute: its counts are the same against every target."""
    found: dict[str, Entry] = {}
    for entry in entries:
        found.setdefault(entry.attribute, entry)
    return found


def _affordable(samples: list[dict[str, Texts]]) -> tuple[int, int]:
    """Characters per text and texts per class that keep the page within its budget."""
    pools = [pool for sample in samples for found in sample.values() for pool in found.values()]
    for limit, kept in ((LONGEST_TEXT, 12), (600, 12), (300, 8), (160, 5), (80, 5)):
        shown = {text[:limit] for pool in pools for text, _ in pool[:kept]}
        if sum(map(len, shown)) <= TEXT_BUDGET:
            return limit, kept
    return 80, 1


def _run(entries: Sequence[Entry], strings: Strings) -> dict[str, object]:
    entry, first = entries[0], _of_attributes(entries)
    run, certain = entry.run, entry.certain
    manifest, identity = run.manifest, run.identity
    shown = identity.model_dump(mode="json")
    settings: dict[str, object] = {
        k: shown[k] for k in ("model", "adapter", "revision", "weights", "template")
    }
    settings |= identity.sampling.model_dump(mode="json")
    settings |= {k: shown[k] for k in ("measure", "split", "paraphrases", "seed", "task_hash")}
    settings |= {
        k: _line(v.model_dump()) for k, v in (("engine", manifest.engine), ("git", manifest.git)) if v
    }
    if manifest.server:
        settings["server"] = manifest.server.told()
    settings["versions"] = _line(manifest.versions)
    settings |= {"independence": _verdict(manifest.independence), "state": run.state}
    return {
        "id": show(manifest.run, 40),
        "n": None if certain else run.n,
        "certain": certain,
        "engine": strings.add(_line(manifest.engine.model_dump())),
        "tokens": round(float(manifest.tokens), 1),
        "seconds": round(manifest.seconds, 1),
        "settings": [[k, strings.add(v, 600)] for k, v in settings.items() if v not in (None, "", [], {})],
        "first": None if entry.first is None else strings.add(entry.first, 4_000),
        "command": strings.add(command(run, list(dict.fromkeys(e.target.name for e in entries))), 2_000),
        "counts": {attribute: [short(x) for x in e.rows.ravel().tolist()] for attribute, e in first.items()},
        "readers": {attribute: e.reader for attribute, e in first.items() if e.reader is not None},
        "blind": {attribute: _blind(e, *e.blind) for attribute, e in first.items() if e.blind},
        "hand": {f"{e.attribute}/{e.target.name}": _by_hand(e.labelled) for e in entries if e.labelled},
        "wordings": {f"{e.attribute}/{e.target.name}": _wordings(e.wordings) for e in entries if e.wordings},
    }


def _blind(entry: Entry, accuracy: float, n: int) -> list[float | str | None]:
    """The reader's error on texts it was not written on, with limits; how many these are; 1 where it is doubtful."""
    wrong, low, high = error_rate(accuracy, n)
    doubtful = 1 - accuracy > DOUBTFUL and not entry.labelled
    return [*map(short, (wrong / n, low, high)), n, int(doubtful)]


def _wordings(found: OverWordings) -> list[object]:
    """The limits for wordings like these, and how many were asked."""
    return [short(found.low), short(found.high), len(found.each)]


def _by_hand(found: Labelled) -> list[float | str | None]:
    """Labelled texts, the reader's error, and the TV with this error: each with its limits."""
    return [short(x) for i in (found.error, found.tv) for x in (i.value, i.low, i.high)] + [
        found.texts,
        found.judged,
    ]


def _line(value: object) -> object:
    return ", ".join(f"{k} {v}" for k, v in value.items() if v != "") if isinstance(value, dict) else value


def _verdict(found: IndependenceRecord | None) -> str:
    """The test of independence in a line that needs no language."""
    if found is None:
        return ""
    p = "" if found.p is None else f"p = {found.p}"
    return " · ".join(filter(None, ("✓" if found.ok else "✗", p, found.reason)))
