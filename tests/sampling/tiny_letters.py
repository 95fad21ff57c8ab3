"""A random model whose outputs are strings of six letters, and all of them with their probabilities."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from tests.sampling.reference import from_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LETTERS = "abcdef"
BOS, EOS = 1, 2


def make_letters(folder: Path, architecture: str = "llama", **settings: object) -> Path:
    """Write the checkpoint; weights are scaled up so that its distributions are far from uniform."""
    core = Tokenizer(
        models.WordLevel({t: i for i, t in enumerate(["<pad>", "<s>", "</s>", *LETTERS])}, "<pad>")
    )
    core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    core.decoder = decoders.Fuse()
    marks = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    fast: Any = PreTrainedTokenizerFast
    tokenizer = fast(tokenizer_object=core, **marks)
    model = from_config(
        architecture,
        vocab_size=3 + len(LETTERS),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=32,
        bos_token_id=BOS,
        eos_token_id=EOS,
        pad_token_id=0,
        **settings,
    )
    with torch.no_grad():
        model.get_parameter("lm_head.weight").mul_(12.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def every_output(
    folder: Path, prompt: list[int], length: int, warp: Callable[[torch.Tensor], torch.Tensor] = lambda x: x
) -> Iterator[tuple[tuple[int, ...], float]]:
    """All token sequences of up to ``length`` tokens with their probabilities, read without a cache.

    A sequence ends with the end token or at ``length``. ``warp`` changes logits [rows, vocabulary] as filters do.
    """
    model = AutoModelForCausalLM.from_pretrained(folder)
    vocabulary = range(3 + len(LETTERS))
    masses: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(length):
        open_ = [t for t in masses if not t or t[-1] != EOS]
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *t] for t in open_])).logits[:, -1]
        rows = warp(logits.double()).softmax(-1).tolist()
        grown = {t: m for t, m in masses.items() if t and t[-1] == EOS}
        for (prefix, row), token in itertools.product(zip(open_, rows, strict=True), vocabulary):
            grown[*prefix, token] = masses[prefix] * row[token]
        masses = grown
    yield from masses.items()
