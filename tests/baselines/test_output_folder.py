"""Where a training may write: a new folder, an empty one or its own, and never over a model."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from baselines.driver import Options, train
from harness.errors import UserError
from harness.sampling.hf.source import find, weights_digest
from tests.baselines.tiny import tiny_answers

if TYPE_CHECKING:
    from pathlib import Path


def options(folder: Path, *settings: str) -> Options:
    return Options(
        settings=("rows=2", "epochs=1", "adapter=full", *settings), completions=tiny_answers(folder)
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def own(model: Path, tmp_path: Path) -> Path:
    """A copy of the model that a test may lose."""
    return shutil.copytree(model, tmp_path / "own")


@pytest.mark.parametrize("method", ["sft", "prompting"])
@pytest.mark.parametrize("link", ["", "out", "model"])
def test_a_model_is_not_written_over(own: Path, tea: Path, tmp_path: Path, method: str, link: str) -> None:
    (tmp_path / "link").symlink_to(own)
    names = {end: tmp_path / "link" if link == end else own for end in ("out", "model")}
    before = files(own)
    chosen = Options() if method == "prompting" else options(tmp_path)
    with pytest.raises(UserError, match="the model's own folder"):
        train(method, str(names["model"]), str(tea), "survey", names["out"], chosen)
    assert files(own) == before


@pytest.mark.parametrize("linked", [False, True])
def test_nor_is_another_model(model: Path, own: Path, tea: Path, tmp_path: Path, linked: bool) -> None:
    (tmp_path / "link").symlink_to(own)
    before = files(own)
    out = tmp_path / "link" if linked else own
    with pytest.raises(UserError, match="not a folder of this training") as caught:
        train("sft", str(model), str(tea), "survey", out, options(tmp_path))
    assert "config.json" in str(caught.value.found)
    assert files(own) == before


def test_nor_is_anything_else(model: Path, tea: Path, tmp_path: Path) -> None:
    chosen = options(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary.txt").write_text("Monday", encoding="utf-8")
    with pytest.raises(UserError, match="not a folder of this training"):
        train("sft", str(model), str(tea), "survey", tmp_path / "notes", chosen)
    assert files(tmp_path / "notes") == {"diary.txt": b"Monday"}
    with pytest.raises(UserError, match="a file stands"):
        train("sft", str(model), str(tea), "survey", tmp_path / "notes" / "diary.txt", chosen)


def test_nor_is_a_model_with_a_folder_called_stages(
    model: Path, own: Path, tea: Path, tmp_path: Path
) -> None:
    (own / "stages").mkdir()
    (own / "stages" / "job.json").write_text("{}", encoding="utf-8")
    before = files(own)
    with pytest.raises(UserError, match="not a folder of this training"):
        train("sft", str(model), str(tea), "survey", own, options(tmp_path))
    assert files(own) == before


def test_a_checkpoint_that_an_adapter_stands_on_stays(model: Path, tea: Path, tmp_path: Path) -> None:
    base = train("sft", str(model), str(tea), "survey", tmp_path / "base", options(tmp_path))
    adapter = Options(settings=("rows=2", "epochs=1"), completions=tiny_answers(tmp_path))
    top = train("sft", str(base), str(tea), "survey", tmp_path / "top", adapter)
    weights = weights_digest(base)
    with pytest.raises(UserError, match="other settings"):
        train("sft", str(model), str(tea), "even", base, options(tmp_path))
    with pytest.raises(UserError, match="the model's own folder"):
        train("sft", str(base), str(tea), "survey", base, options(tmp_path))
    assert weights_digest(base) == weights
    stands_on = find(str(top)).base
    assert stands_on is not None
    assert stands_on.folder == base


def test_a_stopped_training_goes_on_and_an_empty_folder_is_taken(
    model: Path, tea: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    out.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("baselines.checkpoint.model_card", stop)
        with pytest.raises(KeyboardInterrupt):
            train("sft", str(model), str(tea), "survey", out, options(tmp_path))
    assert (out / "model.safetensors").is_file()
    assert not (out / "distalign.json").exists()
    train("sft", str(model), str(tea), "survey", out, options(tmp_path))
    assert (out / "distalign.json").is_file()
