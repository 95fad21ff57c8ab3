"""The page's words, in each of its languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from harness.metrics import catalog
from harness.metrics.base import OfCounts, OfTexts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.standing import Reason

TEMPLATES = Path(__file__).parent / "templates"


def all_words() -> dict[str, dict[str, str]]:
    """The page's words by language; those of the metrics come from their list."""
    words: dict[str, dict[str, str]] = json.loads((TEMPLATES / "i18n.json").read_text(encoding="utf-8"))
    for metric in catalog.METRICS:
        for kind, texts in (("metric", metric.title), ("under", metric.under), ("about", metric.about)):
            for language, text in texts._asdict().items():
                drawn = isinstance(metric, OfTexts) or (isinstance(metric, OfCounts) and not metric.in_table)
                more = words[language]["bootstrap"] if drawn and kind == "about" else ""
                words[language][f"{kind}_{metric.key}"] = text + more
    return words


def method_name(method: str, words: Mapping[str, str]) -> str:
    """A method in words: ``prompting/persona`` is "prompting: persona"."""
    name, _, arm = method.partition("/")
    known = words.get(f"method_{name}", name)
    return f"{known}: {arm}" if arm else known


def reason(why: Reason, words: Mapping[str, str]) -> str:
    """Why a result is shown apart, in words."""
    return words[f"apart_{why.kind}"].replace("{detail}", why.detail)
