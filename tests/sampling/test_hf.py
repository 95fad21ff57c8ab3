"""Finding and naming checkpoints, and the messages when that fails."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

import pytest
import torch

from harness.errors import UserError
from harness.sampling.hf import find, load, pick_dtype, weights_digest

if TYPE_CHECKING:
    from pathlib import Path


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
    assert find(str(copy)).contract == {}
    (copy / "distalign.json").write_text(json.dumps({"contract": {"strip": "x"}, "method": "m"}))
    assert find(str(copy)).contract == {"strip": "x"}
    (copy / "distalign.json").write_text(json.dumps({"contract": "x"}))
    with pytest.raises(UserError, match="not a mapping"):
        find(str(copy))
    (copy / "distalign.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read as JSON"):
        find(str(copy))


def test_what_is_no_model_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"no config\.json"):
        find(str(tmp_path))
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="not a model folder"):
        find(str(tmp_path / "file"))
    with pytest.raises(UserError, match="no such model folder"):
        find("./somewhere/that/is/not")
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
