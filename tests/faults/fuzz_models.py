"""Mutated files of a model's folder, and of a GGUF model: the model draws, or one message says why it cannot."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from harness.sampling.hf.choices import ChoicesEngine
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.terms import Message, Request, Sampling
from tests.faults.fuzzing import Entry
from tests.sampling.reference import from_config
from tests.sampling.tiny_gguf import write_gguf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
OF_MODEL = (
    *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"),
    *("special_tokens_map.json", "chat_template.jinja", "model.safetensors"),
)
SHARDS, ADAPTER, WEIGHTS = "model.safetensors.index.json", "adapter_config.json", "adapter_model.safetensors"
ASKED = (
    Request("c", "chat", 0, 2, 1, messages=(Message("user", "A or b?"),)),
    Request("c", "text", 0, 2, 1, text="A or b? \u00e9"),
)


def drawn(model: Path) -> None:
    """Draw from a model, and weigh two wordings with it."""
    engine = CollapsedEngine(str(model), device="cpu")
    engine.card()
    for _, draws in engine.draw(ASKED, Sampling(max_tokens=3)):
        assert sum(draw.count for draw in draws) == 2
    chosen = ChoicesEngine(str(model), device="cpu")
    for _, shares in chosen.choices(ASKED, lambda _: {"a": ("A",), "b": ("b",)}):
        assert 0.99 < sum(shares.lower.values()) < 1.01


def unpacked(file: Path) -> None:
    """Draw from a GGUF model, unpacked into a cache of its own."""
    cache = file.parent / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": str(cache)}):
        drawn(file)


def tokenizer_of(folder: Path) -> int:
    """Write a small tokenizer with a chat template; how many tokens it has."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    marks = ["<pad>", "<s>", "<|end|>", "<|user|>", "<|assistant|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=270, special_tokens=marks, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(["a or b, b or a"] * 9, trainer)
    fast: Any = PreTrainedTokenizerFast  # its signature is too narrow
    ends = {"bos_token": "<s>", "eos_token": "<|end|>", "pad_token": "<pad>"}
    tokenizer = fast(tokenizer_object=core, **ends)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    told = {"bos_token": "<s>", "eos_token": {"content": "<|end|>", "lstrip": False}}
    (folder / "special_tokens_map.json").write_text(json.dumps(told), encoding="utf-8")
    return len(tokenizer)


def write_all(folder: Path) -> None:
    """A whole model, one in shards, an adapter, and a GGUF file."""
    from peft import LoraConfig, get_peft_model

    whole = folder / "whole"
    size = tokenizer_of(whole)
    model = from_config(
        "llama",
        vocab_size=size,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    model.save_pretrained(whole)
    for kind in ("sharded", "adapter"):
        shutil.copytree(whole, folder / kind, ignore=shutil.ignore_patterns("*.safetensors"))
    model.save_pretrained(folder / "sharded", max_shard_size="6KB")
    (folder / "adapter" / "config.json").unlink()
    base = AutoModelForCausalLM.from_pretrained(whole)
    wrapped = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"]))
    torch.manual_seed(0)
    wrapped.peft_config["default"].base_model_name_or_path = "../whole"
    wrapped.save_pretrained(folder / "adapter")
    write_gguf(whole, folder / "whole.gguf")


def entries(folder: Path) -> Mapping[str, Entry]:
    """Every file, with what reads it."""
    files = {folder / "whole" / name: folder / "whole" for name in OF_MODEL}
    files[folder / "sharded" / SHARDS] = folder / "sharded"
    files |= {folder / "adapter" / name: folder / "adapter" for name in (ADAPTER, WEIGHTS)}
    found = {file.name: Entry(file, partial(drawn, model)) for file, model in files.items()}
    gguf = folder / "whole.gguf"
    return {**found, gguf.name: Entry(gguf, partial(unpacked, gguf))}


NAMES = (*OF_MODEL, SHARDS, ADAPTER, WEIGHTS, "whole.gguf")
