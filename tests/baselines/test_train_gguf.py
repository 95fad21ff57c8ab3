"""A GGUF file is a base to train from: the record names the file, and what was trained loads again."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("gguf")

from transformers import AutoModelForCausalLM

from baselines.driver import Options, train
from harness.evaluation import evaluate
from harness.sampling.hf.source import find, weights_digest
from harness.settings import Settings
from tests.baselines.tiny import tiny_answers, write_tiny
from tests.sampling.tiny_gguf import write_gguf

if TYPE_CHECKING:
    from pathlib import Path

FEW = ("rows=6", "precision=fp32")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "gguf-trained-cache"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Quantised in blocks of 32 numbers, which every width is a multiple of."""
    folder = tmp_path_factory.mktemp("gguf-base")
    return write_gguf(write_tiny(folder / "model", intermediate_size=64), folder / "tiny.gguf", "Q8_0")


@pytest.mark.parametrize(
    ("method", "adapter"),
    [
        ("sft", "lora"),
        ("sft", "full"),
        pytest.param("dpo", "lora", marks=pytest.mark.slow),
        pytest.param("klkto", "full", marks=pytest.mark.slow),
    ],
)
def test_what_is_trained_names_the_file_and_loads_again(
    file: Path, tea: Path, tmp_path: Path, method: str, adapter: str
) -> None:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    chosen = Options(settings=(*FEW, f"adapter={adapter}"), completions=tiny_answers(tmp_path))
    out = train(method, str(file), str(tea), "survey", tmp_path / "out", chosen)
    record = json.loads((out / "distalign.json").read_text())
    assert record["base"] == {"model": str(file), "revision": "", "weights": sha256}
    assert record["contract"]["base"] == sha256
    found = find(str(out))
    if adapter == "lora":
        assert found.base is not None
        assert found.base.file == file
        assert weights_digest(found.base.folder) == sha256
    else:
        assert found.base is None
        assert weights_digest(out) not in ("", sha256)
        assert not (out / "gguf.json").exists()
        AutoModelForCausalLM.from_pretrained(out)
    run = evaluate(str(out), str(tea), "survey", Settings(n=2, out=tmp_path / "runs"))
    assert run.identity.weights == weights_digest((found.base or found).folder)


def test_a_prompting_arm_has_the_weights_of_the_file(file: Path, tea: Path, tmp_path: Path) -> None:
    """Under a hash of its own: a folder that says of itself which file it is from is not believed."""
    settings = ("arm=target",)
    out = train("prompting", str(file), str(tea), "survey", tmp_path / "out", Options(settings=settings))
    source = find(str(file))
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert weights_digest(source.folder) == sha256
    assert weights_digest(out) not in ("", sha256)
    assert not (out / "gguf.json").exists()
    kept, ours = (
        AutoModelForCausalLM.from_pretrained(folder).state_dict() for folder in (source.folder, out)
    )
    assert all(bool((kept[name] == ours[name]).all()) for name in kept)
    assert find(str(out)).base is None
