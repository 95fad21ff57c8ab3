"""The generated corpus of people keeps to the law that it states."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from baselines.seed.people import TEST, TRAIN, answer, corpus, kinds, shorten
from harness.importers.reference import shape_readers

if TYPE_CHECKING:
    from pathlib import Path

    from harness.importers.reference import Language


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh"])
def test_people_reply_by_the_law(language: Language) -> None:
    records = list(corpus(language))
    train = [r for r in records if r["split"] == "train"]
    assert len(train) == TRAIN
    assert {r["track"] for r in train} == {"single", "multi"}
    for kind in kinds(language):
        own = [r for r in records if (r["track"], r["family"], r["style"]) == kind[:3]]
        assert sum(r["split"] == "test" for r in own) == TEST
        replies = [str(r["reply"]) for r in own if r["split"] == "train"]
        assert len(replies) == pytest.approx(kind.share * TRAIN)
        shapes = shape_readers(language)(replies)
        lengths = Counter(s["length"] for s in shapes)
        for length, share in kind.lengths.items():
            assert lengths[length] == pytest.approx(share * len(replies), abs=1 + 0.01 * len(replies))
            within = [s for s in shapes if s["length"] == length]
            for attribute in ("act", "list"):
                for name, part in kind.shapes[length][attribute].items():
                    found = sum(s[attribute] == name for s in within)
                    assert found == pytest.approx(part * len(within), abs=2 + 0.03 * len(within)), (
                        length,
                        name,
                    )


def test_a_conversation_keeps_to_its_subject_and_its_split() -> None:
    talks: dict[object, set[object]] = {}
    for record in corpus("en"):
        talks.setdefault(record["conversation"], set()).add(record["split"])
    assert all(len(splits) == 1 for splits in talks.values())
    kind = kinds("en")[2]
    rng = np.random.default_rng(0)
    said = [answer(kind, "en", {"subject": "rye bread"}, rng) for _ in range(40)]
    assert sum("rye bread" in text.lower() for text in said) > 30


def test_a_shortened_task_keeps_the_first_prompts_of_each_context(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    lines = [json.dumps({"id": f"{c}{i}", "contexts": [c]}) for i in range(3) for c in ("chat", "help")]
    file.write_text("\n".join(lines), encoding="utf-8")
    shorten(file, 2)
    assert sorted(json.loads(line)["id"] for line in file.read_text().splitlines()) == [
        *("chat0", "chat1", "help0", "help1")
    ]
