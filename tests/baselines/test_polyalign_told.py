"""Tasks whose prompts tell a length: drawn by people's shares, or that of the held-out reply itself."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from baselines.polyalign.profile import LENGTHS, line
from baselines.polyalign.told import write_told
from harness.errors import UserError
from harness.importers.reference import ReferenceOptions, import_reference
from harness.natural.features import token_count
from harness.reading.style import length_bin
from harness.tasks.target import load_target
from harness.tasks.task import load_task
from tests.baselines.people_corpus import PROVENANCE, corpus, records

if TYPE_CHECKING:
    from pathlib import Path

    from baselines.polyalign.told import Told


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A target of people and the task of those held out."""
    made = tmp_path_factory.mktemp("people")
    source = corpus(made / "people.jsonl", records("en"))
    options = ReferenceOptions("en", PROVENANCE, split="train")
    import_reference(
        [str(source)], made / "targets" / "people", replace(options, task=made / "tasks" / "people")
    )
    return made


@pytest.mark.parametrize("profile", ["drawn", "gold"])
def test_a_prompt_tells_a_length_before_all_else(profile: Told, folder: Path, tmp_path: Path) -> None:
    target = load_target(str(folder / "targets" / "people"))
    before = load_task(str(folder / "tasks" / "people"))
    after = load_task(str(write_told(str(folder / "tasks" / "people"), target, tmp_path / "told", profile)))
    lines = {line(length, "en", profile).content: length for length in LENGTHS}
    told: dict[str, Counter[str]] = {}
    for one, other in zip(before.prompts, after.prompts, strict=True):
        assert one.messages is not None
        assert other.messages is not None
        head, *rest = other.messages
        assert [m.content for m in rest] == [m.content for m in one.messages]
        assert (one.reference, one.contexts) == (other.reference, other.contexts)
        length = lines[head.content]
        assert other.contexts is not None
        told.setdefault(other.contexts[0], Counter())[length] += 1
        if profile == "gold":
            assert length == length_bin(token_count(one.reference or ""))
    if profile == "drawn":
        for context, counts in told.items():
            shares = target.tables["length"].rows[context]
            assert all(abs(counts[n] - shares[n] * counts.total()) <= 1 for n in LENGTHS)
    attribute = after.attributes["length"]
    assert (after.folder / str(attribute.targets["people"]) / "target.yaml").is_file()


def test_what_is_no_task_of_people_s_replies_is_refused(folder: Path, tmp_path: Path) -> None:
    target = load_target(str(folder / "targets" / "people"))
    with pytest.raises(UserError, match="no task of people's replies"):
        write_told("gender_us", target, tmp_path / "told", "drawn")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text(json.dumps("mine"))
    with pytest.raises(UserError, match="holds something"):
        write_told(str(folder / "tasks" / "people"), target, tmp_path / "full", "drawn")
