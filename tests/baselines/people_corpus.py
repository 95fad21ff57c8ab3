"""A small corpus of people's replies, and the target that is counted from it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from harness.importers.corpus import Splits
from harness.importers.reference import ReferenceOptions, import_reference
from harness.tasks.target_file import Provenance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.importers.reference import Language, Shape

PROVENANCE = Provenance(publisher="People", table="-", year=2024, license="CC0", link="https://example.org")
WORDS = {"en": ["tea", "coffee", "cup", "table", "leeds", "porto"], "zh": list("茶咖啡杯子桌上")}


def records(language: str, count: int = 33) -> list[dict[str, object]]:
    """Conversations of two turns, and single questions; every third record is of the test split."""
    rng = np.random.default_rng(len(language))
    made: list[dict[str, object]] = []
    for number in range(count):
        for track, turns in (("multi", 2), ("single", 1)):
            made += [
                {
                    "id": f"{language}-{track}-{number}-{2 * turn + 1}",
                    "conversation": f"{track}-{number}",
                    "turn": 2 * turn + 1,
                    "split": "test" if number % 3 == 2 else "train",
                    "language": language,
                    "track": track,
                    "family": "dialogue",
                    "question": f"What of {number} {turn}?",
                    "reply": reply(language, 45 if number % 4 == 0 else int(rng.integers(4, 9)), rng),
                }
                for turn in range(turns)
            ]
    return made


def reply(language: str, tokens: int, rng: np.random.Generator) -> str:
    """As many tokens as said, the last a full stop."""
    words = rng.choice(WORDS[language], tokens - 1)
    return (" " if language == "en" else "").join(words) + ("." if language == "en" else "。")


def shape(texts: Sequence[str]) -> list[Shape]:
    """All are of one shape: what is tested is elsewhere."""
    return [{"length": "short", "act": "statement", "sentiment": "neutral", "list": "plain"} for _ in texts]


def corpus(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    """A file of records."""
    path.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows), encoding="utf-8")
    return path


def target(
    sources: Sequence[Path], out: Path, language: Language, split: str = "train", splits: Splits | None = None
) -> Path:
    """What people of a split do."""
    options = ReferenceOptions(language, PROVENANCE, split=split, splits=splits or Splits())  # type: ignore[arg-type]
    return import_reference([str(s) for s in sources], out, options, shape)
