"""Finding and naming checkpoints, and the messages when that fails."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.contract import FILE, Contract
from harness.errors import UserError
from harness.sampling.hf.card import card_of
from harness.sampling.hf.checkpoint import load, pick_dtype
from harness.sampling.hf.source import find, law_digest, weights_digest
from tests.sampling.reference import logits_after

if TYPE_CHECKING:
    from harness.sampling.base import ModelCard


def test_weights_are_named_by_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "b.safetensors").write_bytes(b"two")
    (tmp_path / "a.safetensors").write_bytes(b"one")
    (tmp_path / "training_args.bin").write_bytes(b"not weights")
    lines = "".join(
        f"{n}.safetensors {hashlib.sha256(c).hexdigest()}\n" for n, c in (("a", b"one"), ("b", b"two"))
    )
    assert weights_digest(tmp_path) == hashlib.sha256(lines.encode()).hexdigest()
    (tmp_path / "a.safetensors").write_bytes(b"1ne")
    before = weights_digest(tmp_path)
    assert before != hashlib.sha256(lines.encode()).hexdigest()
    (tmp_path / "a.safetensors").rename(tmp_path / "c.safetensors")
    assert weights_digest(tmp_path) != before
    assert weights_digest(tmp_path / "missing") == ""


def test_a_file_of_the_hubs_cache_is_named_without_reading_it(tmp_path: Path) -> None:
    blobs, plain = tmp_path / "blobs", tmp_path / "plain"
    snapshot = tmp_path / "snapshots" / "x"
    for folder in (blobs, plain, snapshot):
        folder.mkdir(parents=True)
    blob = blobs / hashlib.sha256(b"weights").hexdigest()
    blob.write_bytes(b"weights")
    (plain / "model.safetensors").write_bytes(b"weights")
    (snapshot / "model.safetensors").symlink_to(blob)
    assert weights_digest(snapshot) == weights_digest(plain)


def test_the_contract_travels_with_the_checkpoint(tiny_model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_model, tmp_path / "copy")
    assert find(str(copy)).contract == Contract()
    (copy / FILE).write_text(json.dumps({"contract": {"strip_leading": ["0"]}, "method": "m"}))
    assert find(str(copy)).contract == Contract(strip_leading=("0",))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not valid JSON"),
        ('{"contract": "x"}', "contract"),
        ('{"contract": {"strip_leading": 3}}', "contract.strip_leading"),
        ('{"contract": {"strip_leadin": ["0"]}}', "nearest:  strip_leading"),
        ('{"schema": 7}', "newer schema"),
    ],
)
def test_a_contract_that_cannot_be_read_is_one_message(
    tiny_model: Path, tmp_path: Path, text: str, told: str
) -> None:
    copy = shutil.copytree(tiny_model, tmp_path / "copy")
    (copy / FILE).write_text(text)
    with pytest.raises(UserError) as error:
        find(str(copy))
    assert told in str(error.value)
    assert str(copy / FILE) in str(error.value)


def test_what_is_no_model_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"no config\.json"):
        find(str(tmp_path))
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="not a model"):
        find(str(tmp_path / "file"))
    with pytest.raises(UserError, match="no such model folder"):
        find("./somewhere/that/is/not")
    (tmp_path / "causal").mkdir()
    for near in ("casual", "causal.gguf"):
        with pytest.raises(UserError, match="no such") as missing:
            find(str(tmp_path / near))
        assert missing.value.nearest == "causal"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no such model folder") as missing:
        find("baselines/seed/causal")
    assert (Path(missing.value.nearest) / "config.json").is_file()
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="a revision is for hub ids"):
        find(str(tmp_path), "main")
    with pytest.raises(UserError, match="neither a folder here nor a model") as caught:
        find("nobody/nothing")
    assert caught.value.hint


def test_a_folder_that_transformers_refuses_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "nothing-like-it"}))
    with pytest.raises(UserError, match="cannot load this as a causal"):
        load(find(str(tmp_path)), device="cpu")


def test_weights_that_the_files_do_not_hold_are_never_made_up(letters_model: Path, tmp_path: Path) -> None:
    headless = shutil.copytree(letters_model, tmp_path / "headless")
    tensors = load_file(headless / "model.safetensors")
    save_file({k: v for k, v in tensors.items() if k != "lm_head.weight"}, headless / "model.safetensors")
    with pytest.raises(UserError, match="do not hold all weights") as missing:
        load(find(str(headless)), device="cpu")
    assert missing.value.found == "1 missing, 0 of another shape: lm_head.weight"
    wider = shutil.copytree(letters_model, tmp_path / "wider")
    config = json.loads((wider / "config.json").read_text())
    (wider / "config.json").write_text(json.dumps({**config, "vocab_size": 17}))
    with pytest.raises(UserError, match="do not hold all weights") as mismatch:
        load(find(str(wider)), device="cpu")
    assert "lm_head.weight (9, 32) for (17, 32)" in str(mismatch.value.found)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_torn_file_is_one_message(letters_model: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(letters_model, tmp_path / "torn")
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cannot load this"):
        load(find(str(folder)), device="cpu")


def test_an_adapter_brings_tokens_of_its_own_and_is_refused_when_half_empty(
    tiny_model: Path, tmp_path: Path
) -> None:
    from peft import LoraConfig, get_peft_model

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_tokens(["<one>", "<two>"], special_tokens=True)
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    base.resize_token_embeddings(len(tokenizer))
    settings = LoraConfig(
        r=2, target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"], init_lora_weights=False
    )
    wrapped = get_peft_model(base, settings)
    wrapped.peft_config["default"].base_model_name_or_path = str(tiny_model)
    wrapped.save_pretrained(tmp_path / "adapter")
    tokenizer.save_pretrained(tmp_path / "adapter")
    adapted = load(find(str(tmp_path / "adapter")), device="cpu")
    prompt = [1, 5, len(tokenizer) - 1]
    torch.testing.assert_close(logits_after(adapted.model, prompt), logits_after(wrapped.eval(), prompt))
    weights = tmp_path / "adapter" / "adapter_model.safetensors"
    kept = {k: v for k, v in load_file(weights).items() if "layers.1" not in k}
    save_file(kept, weights)
    with pytest.raises(UserError, match="does not fit its base") as torn:
        load(find(str(tmp_path / "adapter")), device="cpu")
    assert "layers.1.self_attn.q_proj.lora_A" in str(torn.value.found)


@pytest.mark.parametrize(("dtype", "apart"), [("float32", False), ("bfloat16", True)])
def test_an_adapter_is_merged_where_rounding_loses_nothing(
    tiny_model: Path, tmp_path: Path, dtype: str, apart: bool
) -> None:
    import peft

    torch.manual_seed(0)
    base = load(find(str(tiny_model)), device="cpu").model
    settings = peft.LoraConfig(target_modules="all-linear", r=2, init_lora_weights=False)
    wrapped = peft.get_peft_model(base, settings)
    wrapped.peft_config["default"].base_model_name_or_path = str(tiny_model)
    wrapped.save_pretrained(tmp_path)
    ids = torch.arange(3, 9)[None]
    with torch.no_grad():
        adapted, found = wrapped(ids).logits, load(find(str(tmp_path)), device="cpu", dtype=dtype)
        with wrapped.disable_adapter():
            plain = wrapped(ids).logits
        logits = found.model(ids).logits
    assert any("lora" in name for name, _ in found.model.named_parameters()) == apart
    assert (adapted - plain).abs().max() > 0.1
    assert torch.allclose(adapted, logits.float(), atol=1e-4 if dtype == "float32" else 0.2)


def test_an_adapter_that_names_no_base_is_said(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="does not say which model"):
        find(str(tmp_path))


def test_an_adapters_base_may_lie_beside_it(tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "base")
    (tmp_path / "adapter").mkdir()
    settings = {"base_model_name_or_path": "../base"}
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(settings))
    base = find(str(tmp_path / "adapter")).base
    assert base is not None
    assert base.folder == tmp_path / "base"


def test_dtypes() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert pick_dtype("auto", torch.bfloat16, cpu) is torch.float32
    assert pick_dtype("auto", torch.bfloat16, gpu) is torch.bfloat16
    assert pick_dtype("bfloat16", torch.float32, cpu) is torch.bfloat16
    with pytest.raises(UserError, match="unknown dtype"):
        pick_dtype("int3", None, cpu)


@pytest.mark.parametrize(
    ("name", "decides"),
    [
        ("config.json", True),
        ("generation_config.json", True),
        ("tokenizer.json", True),
        ("tokenizer_config.json", True),
        ("modeling_own.py", True),
        ("README.md", False),
        ("utility.json", False),
        ("distalign.json", False),
        ("trainer_state.json", False),
    ],
)
def test_files_that_decide_the_law_are_in_the_card(
    tiny_model: Path, tmp_path: Path, name: str, decides: bool
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))

    def card() -> ModelCard:
        return card_of(find(str(folder)), template="", engine={})

    before = card()
    path = folder / name
    path.write_bytes((path.read_bytes() if path.is_file() else b"{}") + b" ")
    assert (card().files != before.files) is decides
    assert replace(card(), files="") == replace(before, files="")


def test_an_edit_of_the_base_shows_in_the_card_of_its_adapter(tiny_model: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(tiny_model, tmp_path / "base"))
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    digests = [law_digest(find(str(adapter)))]
    for edited in (base / "config.json", adapter / "adapter_config.json"):
        edited.write_text(edited.read_text() + " ")
        digests.append(law_digest(find(str(adapter))))
    assert len(set(digests)) == 3
