"""Reads the distribution that a model states in words. It is not the distribution of the model's draws."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from baselines.prompting.trainer import class_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.runs.folder import Run
    from harness.tasks.task import Attribute, Task

_NUMBER = r"(\d{1,3}(?:[.,]\d+)?)\s*[%％]"
TOLERANCE = 5.0
"""How far from 100 the percentages of one answer may add up before it counts as none."""


def stated_shares(text: str, wordings: Mapping[str, tuple[str, ...]]) -> dict[str, float] | None:
    """The shares that one answer states, scaled to sum to 1; None when it does not state one for each class.

    A class takes the last percentage written right behind one of its wordings; the longest wording wins
    where one contains another.
    """
    owner = {w.casefold(): label for label, found in wordings.items() for w in found}
    names = "|".join(re.escape(w) for w in sorted(owner, key=len, reverse=True))
    pattern = re.compile(rf"(?<![^\W_])({names})(?![^\W_])[\s\"'*”’]*[:：=\-–—]*\s*{_NUMBER}", re.IGNORECASE)
    found = {owner[m[1].casefold()]: float(m[2].replace(",", ".")) for m in pattern.finditer(text)}
    total = sum(found.values())
    if set(found) != set(wordings) or abs(total - 100) > TOLERANCE:
        return None
    return {label: found[label] / total for label in wordings}


def stated_by_run(run: Run, task: Task, attribute: Attribute) -> dict[str, tuple[dict[str, float], float]]:
    """Context -> (mean of the stated shares, share of answers that state none), over all draws of a run.

    Drawing a class from each answer's shares would give, in expectation, the mean that stands here.
    """
    named = class_names(task, attribute)
    wordings = {label: (named[label], *found) for label, found in attribute.classes.items()}
    sums: dict[str, dict[str, float]] = {}
    valid: dict[str, int] = {}
    total: dict[str, int] = {}
    for chunk in run.chunks():
        for draw in chunk.draws:
            total[chunk.context] = total.get(chunk.context, 0) + draw.count
            shares = stated_shares(draw.text, wordings)
            if shares is not None:
                valid[chunk.context] = valid.get(chunk.context, 0) + draw.count
                into = sums.setdefault(chunk.context, dict.fromkeys(wordings, 0.0))
                for label, share in shares.items():
                    into[label] += share * draw.count
    return {
        context: (
            {label: s / valid[context] for label, s in sums[context].items()} if context in sums else {},
            1 - valid.get(context, 0) / n,
        )
        for context, n in total.items()
    }
