"""The demo runs from one end to the other, and once finished does nothing again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import torch

from baselines import demo, dpo, sft
from baselines.processes import processes
from baselines.recipe import TINY
from harness.runs.folder import find_runs

if TYPE_CHECKING:
    from pathlib import Path

TRAINED = (*demo.TRAINED, "walf", *(f"polyalign-{arm}" for arm in demo.ALIGNED))


def test_dpo_begins_with_what_sft_trained() -> None:
    """The demo does not train it twice, so it must be the same."""
    first = sft.METHOD.read_recipe(sft.METHOD.folder / TINY).model_dump()
    both = dpo.METHOD.read_recipe(dpo.METHOD.folder / TINY).model_dump()
    own = {"learning_rate", "epochs", "batch_size"}
    assert {k: both[f"sft_{k}"] for k in own} == {k: first[k] for k in own}
    shared = first.keys() - own
    assert {k: both[k] for k in shared} == {k: first[k] for k in shared}


def test_a_caller_keeps_its_environment_and_its_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is the demo's to change for good: what a process does afterwards would be slow."""
    monkeypatch.setattr(demo, "STATED", False)
    seen = []

    def stop(*_: object, **__: object) -> None:
        seen.append(torch.get_num_threads())
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_trained", stop)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        processes()  # what every training sets, here or elsewhere
        environment = dict(os.environ)
        with pytest.raises(KeyboardInterrupt):
            demo.demo(tmp_path / "demo")
        assert dict(os.environ) == environment
        assert torch.get_num_threads() == 3
        assert seen == [1]
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_every_method_is_trained_evaluated_and_published_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "DRAWS", 10)
    monkeypatch.setattr(demo, "SHORTER", "rows=2")  # the path, not how near it comes
    monkeypatch.setattr(demo, "SMALLER", ("rows=40", "epochs=1", "critic_epochs=1"))
    page = demo.demo(tmp_path / "demo")
    text = page.read_text(encoding="utf-8")
    for method in TRAINED:
        assert (tmp_path / "demo" / method / "distalign.json").is_file()
        assert method in text
    runs = find_runs([str(tmp_path / "demo" / "runs")])
    people = [run for run in runs if run.identity.task == "people_en"]
    assert len(people) == 1 + len(demo.ALIGNED)
    chat = [run for run in runs if run.identity.task not in (demo.ASSOCIATIONS, "people_en")]
    assert len(chat) == (1 + len(demo.PROMPTED) + len(demo.TRAINED)) * (1 + len(demo.ALSO))
    assert all((run.folder / "utility.json").is_file() for run in chat)
    assert len(runs) == len(chat) + len(people) + 2
    before = {p: p.stat().st_mtime_ns for p in sorted((tmp_path / "demo").rglob("*.parquet"))}
    weights = {m: (tmp_path / "demo" / m / "distalign.json").stat().st_mtime_ns for m in TRAINED}
    capsys.readouterr()
    assert demo.demo(tmp_path / "demo") == page
    assert "trained already" in capsys.readouterr().err
    assert before == {p: p.stat().st_mtime_ns for p in sorted((tmp_path / "demo").rglob("*.parquet"))}
    assert weights == {m: (tmp_path / "demo" / m / "distalign.json").stat().st_mtime_ns for m in TRAINED}
    assert page.read_text(encoding="utf-8") == text
