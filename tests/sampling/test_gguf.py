"""GGUF files as models: what transformers gets is what the file holds, and every mistake is one message."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.errors import UserError
from harness.sampling.hf.chat import Chat
from harness.sampling.hf.checkpoint import load
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.sampling.hf.source import find
from harness.terms import Message, Request, Sampling
from tests.sampling.tiny import question
from tests.sampling.tiny_gguf import write_gguf
from tests.test_writing import full

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = (
    "Is the nurse female or male?",
    "<|user|>a man<think>hm</think>she</s>",
    "2024 is  12345.\n\n\tdon't 左手 café 😀",
    "",
)


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "gguf-cache"))


@pytest.fixture(scope="session")
def tiny_gguf(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tiny_model, tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def _logits(folder: Path, ids: list[int]) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        found: torch.Tensor = model(torch.tensor([ids])).logits[0]
    return found


def test_the_file_is_the_checkpoint_it_was_made_from(tiny_model: Path, tiny_gguf: Path) -> None:
    source = find(str(tiny_gguf))
    old, new = AutoTokenizer.from_pretrained(tiny_model), AutoTokenizer.from_pretrained(source.folder)
    for text in TEXTS:
        for special in (True, False):
            told = [t(text, add_special_tokens=special)["input_ids"] for t in (old, new)]
            assert told[0] == told[1]
    assert len(old) == len(new)
    assert old.chat_template == new.chat_template
    ids = old(TEXTS[0])["input_ids"]
    torch.testing.assert_close(_logits(source.folder, ids), _logits(tiny_model, ids))
    loaded = load(source)
    assert Chat(loaded.tokenizer).ends(loaded.model) == {2}
    assert "quantization_config" not in json.loads((source.folder / "config.json").read_text())


def test_quantised_weights_are_the_files_numbers(tiny_model: Path, tmp_path: Path) -> None:
    import gguf

    path = write_gguf(tiny_model, tmp_path / "tiny-q8.gguf", "Q8_0")
    source = find(str(path))
    old, new = (AutoModelForCausalLM.from_pretrained(f).state_dict() for f in (tiny_model, source.folder))
    assert old.keys() == new.keys()
    kind = gguf.GGMLQuantizationType.Q8_0
    for name, weight in old.items():
        held = weight.numpy()
        if weight.ndim == 2:
            held = gguf.quants.dequantize(gguf.quants.quantize(held, kind), kind)
        torch.testing.assert_close(new[name], torch.from_numpy(held), rtol=0, atol=0)


def test_identity_is_the_files(tiny_model: Path, tmp_path: Path) -> None:
    path = write_gguf(tiny_model, tmp_path / "tiny-q8.gguf", "Q8_0")
    card = CollapsedEngine(str(path)).card()
    assert card.model == str(path)
    assert card.weights == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card.engine["quantisation"] == "Q8_0"


def test_draws(tiny_gguf: Path, tiny_model: Path) -> None:
    request = Request("nurse", "p", 0, 200, 7, (Message("user", question("nurse")),))
    ways = [CollapsedEngine(str(p)) for p in (tiny_gguf, tiny_model)]
    drawn = [next(iter(e.draw([request], Sampling(max_tokens=16))))[1] for e in ways]
    assert drawn[0] == drawn[1]


def test_a_folder_of_one_model(tiny_gguf: Path, tiny_model: Path, tmp_path: Path) -> None:
    one = tmp_path / "one"
    one.mkdir()
    (one / "a.gguf").symlink_to(tiny_gguf)
    (one / "mmproj-a.gguf").write_bytes(b"")
    assert find(str(one)).file == one / "a.gguf"
    (one / "b.gguf").symlink_to(tiny_gguf)
    with pytest.raises(UserError, match="several GGUF models") as caught:
        find(str(one))
    assert caught.value.found == "a.gguf, b.gguf"


def test_a_split_model_is_one(tiny_model: Path, tiny_gguf: Path, tmp_path: Path) -> None:
    first = write_gguf(tiny_model, tmp_path / "t-00001-of-00002.gguf", only=slice(0, 9))
    second = write_gguf(tiny_model, tmp_path / "t-00002-of-00002.gguf", only=slice(9, None))
    whole = AutoModelForCausalLM.from_pretrained(find(str(tiny_gguf)).folder).state_dict()
    for given in (tmp_path, first, second):
        joined = AutoModelForCausalLM.from_pretrained(find(str(given)).folder).state_dict()
        assert all(torch.equal(joined[name], weight) for name, weight in whole.items())
    second.unlink()
    with pytest.raises(UserError, match="a part of the split GGUF model is missing"):
        find(str(first))


def test_files_that_cannot_be_read(tiny_gguf: Path, tmp_path: Path) -> None:
    data = tiny_gguf.read_bytes()
    wrong = {
        b"": "not a GGUF file",
        b"GGML" + data[4:]: "not a GGUF file",
        b"GGUF" + (9).to_bytes(4, "little") + data[8:]: "of a version that is not known",
        data[:2000]: "the header cannot be read|header cannot be read",
        data[:-100]: "the GGUF file is cut off",
        data[:24] + b"\xff" * 8 + data[32:]: "header cannot be read",
    }
    for number, (content, message) in enumerate(wrong.items()):
        path = tmp_path / f"{number}.gguf"
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            find(str(path))
    (tmp_path / "model.bin").write_bytes(data)
    with pytest.raises(UserError, match="not a model"):
        find(str(tmp_path / "model.bin"))


def test_what_would_be_left_out_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    path = write_gguf(tiny_model, tmp_path / "cut.gguf", pre="nobody-knows")
    with pytest.raises(UserError, match="a rule that is not known here"):
        find(str(path))
    path = write_gguf(tiny_model, tmp_path / "rope.gguf", more={"llama.rope.scaling.type": "yarn"})
    with pytest.raises(UserError, match="stretches positions"):
        find(str(path))


def test_digits_are_cut_as_the_file_says(tiny_model: Path, tmp_path: Path) -> None:
    path = write_gguf(tiny_model, tmp_path / "digits.gguf", pre="smollm")
    tokenizer = AutoTokenizer.from_pretrained(find(str(path), weights=False).folder)
    pieces = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("in 2024 it's")
    assert [piece for piece, _ in pieces] == ["in", "Ġ", "2", "0", "2", "4", "Ġit", "'s"]


def test_an_adapter_on_a_gguf_base(tiny_gguf: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    base = AutoModelForCausalLM.from_pretrained(find(str(tiny_gguf)).folder)
    adapter = peft.get_peft_model(
        base, peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    )
    adapter.save_pretrained(tmp_path)
    config = tmp_path / "adapter_config.json"
    settings = json.loads(config.read_text()) | {"base_model_name_or_path": str(tiny_gguf)}
    config.write_text(json.dumps(settings))
    source = find(str(tmp_path))
    assert source.base is not None
    assert source.base.file == tiny_gguf
    ids = [1, 40, 41, 42]
    with torch.no_grad():
        expected = adapter(torch.tensor([ids])).logits
        torch.testing.assert_close(load(source).model(torch.tensor([ids])).logits, expected)
    card = load(source).card("")
    assert card.weights == hashlib.sha256(tiny_gguf.read_bytes()).hexdigest()


def test_a_disk_that_is_full_before_all_is_unpacked(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes first beyond it: the tokenizer, ourselves or safetensors."""
    file = write_gguf(tiny_model, tmp_path / "tiny-q8.gguf", "Q8_0")
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    for room in (8_000, 50_000, 1_000_000):
        with full(room), pytest.raises(UserError, match="too little room") as err:
            find(str(file))
        assert "XDG_CACHE_HOME" in err.value.hint
        assert not list(cache.rglob(".making-*"))
    assert find(str(file)).folder.is_relative_to(cache)
