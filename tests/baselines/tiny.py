"""A random Llama of a few thousand weights, with a tokenizer of its own, and a small task to train it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tests import helpers

if TYPE_CHECKING:
    from pathlib import Path

CHATML = (
    "{%- for m in messages -%}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)
SPECIAL = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
TEXT = [
    "user assistant What do people in Leeds drink? A drink of Porto, please. Tea Coffee tea coffee",
    "0 1 2 3 4 5 6 7 8 9",
    "Which cup stands on a table in Bath? Tell me in a word.",
]
TASK = (
    helpers.TASK.partition("targets:")[0]
    + """\
  - {id: cup, split: train, text: "Which cup stands on a table in {{ context.place }}?"}
  - {id: try, split: validation, text: "{{ context.place }}: tell me a drink."}
sampling: {max_tokens: 6}
targets: {survey: ./survey, even: uniform}
"""
)
CONTEXTS = "id,place,split\nleeds,Leeds,train\nbath,Bath,train\noporto,Porto,test\n"
TABLE = "context,tea,coffee\nleeds,0.8,0.2\nbath,0.35,0.65\noporto,0.1,0.9\n"


def tiny_task(folder: Path) -> Path:
    """The tea task with two training contexts and two training prompts; returns task.yaml."""
    return helpers.write_task(folder, task=TASK, contexts=CONTEXTS, table=TABLE)


def tiny_answers(folder: Path) -> Path:
    """A file of texts for the tea task's classes."""
    path = folder / "answers.csv"
    path.write_text("label,text\ntea,Tea\ncoffee,Coffee\n", encoding="utf-8")
    return path


def tiny_tokenizer(template: str | None = CHATML) -> PreTrainedTokenizerFast:
    """Byte-level BPE with the special tokens of ChatML."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    core.train_from_iterator(TEXT * 4, trainer)
    names = {"eos_token": "<|im_end|>", "pad_token": "<|pad|>"}
    return PreTrainedTokenizerFast(tokenizer_object=core, chat_template=template, **names)  # type: ignore[no-untyped-call]  # not annotated


def tiny_model(tokenizer: PreTrainedTokenizerFast, seed: int = 0, **config: object) -> LlamaForCausalLM:
    """Two layers of width 32, freshly drawn."""
    torch.manual_seed(seed)
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        **config,
    }
    return LlamaForCausalLM(LlamaConfig(**sizes))  # type: ignore[no-untyped-call]  # not annotated


def write_tiny(folder: Path, seed: int = 0, **config: object) -> Path:
    """Save both in a folder that transformers loads."""
    tokenizer = tiny_tokenizer()
    tiny_model(tokenizer, seed, **config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
