"""What a method cost its model, of what ``distalign utility`` left beside the runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.metrics.base import OfModel
from harness.metrics.catalog import of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.retained.record import PerplexityRecord, Utility
    from reports.board import Board


def utilities(board: Board) -> list[list[Utility]]:
    """For each row of the board what lies beside its runs, each once."""
    found: list[dict[int, Utility]] = [{} for _ in board.rows]
    for cell in board.cells:
        if cell.entry.utility is not None:
            found[cell.row][id(cell.entry.utility)] = cell.entry.utility
    return [list(each.values()) for each in found]


def numbers(found: Iterable[Utility]) -> dict[str, float]:
    """Every number of a model, the headline first."""
    made: dict[str, float] = {}
    for one in found:
        predicted = one.perplexity.model_dump() if one.perplexity else {}
        made |= {key: predicted[key] for key in of(OfModel) if key in predicted}
        for task, metrics in one.lm_eval.tasks.items() if one.lm_eval else ():
            made |= {f"{task} {name}": value for name, value in metrics.items()}
    return made


def ratios(board: Board) -> dict[int, float]:
    """Row -> its perplexity over that of its untuned model, where both predicted the same text."""
    texts = [_perplexity(found) for found in utilities(board)]
    untuned = {
        who.base: record for who, record in zip(board.rows, texts, strict=True) if who.untuned and record
    }
    found = {}
    for row, (who, own) in enumerate(zip(board.rows, texts, strict=True)):
        base = untuned.get(who.base)
        if own and base and not who.untuned and _same(own, base) and 0 < base.perplexity < float("inf"):
            found[row] = own.perplexity / base.perplexity
    return found


def cost_sentence(found: Sequence[float], words: Mapping[str, str]) -> str:
    """What it cost the models that lead, least first, in words; '' where nothing was measured."""
    if not found:
        return ""
    least, most = (f"{ratio:.2f}" for ratio in (found[0], found[-1]))
    return words["cost_says"].format(x=least if least == most else words["to"].format(lo=least, hi=most))


def _perplexity(found: Iterable[Utility]) -> PerplexityRecord | None:
    return next((one.perplexity for one in found if one.perplexity), None)


def _same(one: PerplexityRecord, other: PerplexityRecord) -> bool:
    """Whether both predicted the same tokens, seen alike."""
    return all(getattr(one, key) == getattr(other, key) for key in ("text", "tokens", "window", "stride"))
