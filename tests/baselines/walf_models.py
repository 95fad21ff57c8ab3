"""Random masked and causal models whose words are several pieces, some of them with the blank before them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
)

from tests.helpers import write_task

if TYPE_CHECKING:
    from pathlib import Path

WORDS: dict[str, tuple[str, ...]] = {
    "male": ("he", "my brother", "this grandfather"),
    "female": ("she", "my sister", "this grandmother"),
}
TASK = """\
name: jobs
version: 1
attribute: gender
measure: choices
association: job
classes:
  male: [he, my brother, this grandfather]
  female: [she, my sister, this grandmother]
contexts: contexts.csv
prompts:
  - {id: works, split: train, completion: "{{ choice }} works as {{ context.article }} {{ context.job }}."}
  - {id: was, split: train, completion: "{{ choice }} was {{ context.article }} {{ context.job }} here."}
  - {id: spent, split: test, completion: "In May {{ choice }} spent a day as {{ context.job }}."}
targets: {survey: ./survey, even: uniform}
"""
JOBS = ["cook", "nurse", "brick mason", "editor", "plumber", "engineer"]
SPLITS = ["train", "train", "train", "train", "validation", "test"]
CONTEXTS = "id,job,article,band,split\n" + "".join(
    f"{job.replace(' ', '_')},{job},{'an' if job[0] in 'aeiou' else 'a'},{'ab'[i % 2]},{split}\n"
    for i, (job, split) in enumerate(zip(JOBS, SPLITS, strict=True))
)
TABLE = "context,male,female\n" + "".join(
    f"{job.replace(' ', '_')},{(i + 2) / 10},{(8 - i) / 10}\n" for i, job in enumerate(JOBS)
)
TARGET = """\
name: survey
kind: table
attributes: {gender: {file: table.csv}}
provenance: {publisher: Board, table: Jobs, year: 2020, license: CC0-1.0, link: "https://example.org/jobs"}
"""
GROUPS = "{a: [0.95, 0.8, 1.5, 1.0e-6], b: [1.2, 1.0, 1.5, 1.0e-5]}"
TEXT = ["he she my this brother sister works was here In May spent a day as an cook nurse brick . ,"] * 4
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 80,
    "initializer_range": 0.3,
}


def write_jobs(folder: Path) -> Path:
    """A task of associations with four training contexts in two groups."""
    return write_task(folder, task=TASK, contexts=CONTEXTS, table=TABLE, target=TARGET)


def write_bert(folder: Path) -> Path:
    """Word pieces, lower case."""
    names = {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]"}
    marks = {f"{k}_token": v for k, v in names.items()}
    core = Tokenizer(models.WordPiece(unk_token=names["unk"]))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [" ".join("abcdefghijklmnopqrstuvwxyz"), "abcdefghijklmnopqrstuvwxyz"]
    core.train_from_iterator(
        TEXT + letters, trainers.WordPieceTrainer(vocab_size=110, special_tokens=special, show_progress=False)
    )
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = _fast(core, marks)
    torch.manual_seed(0)
    masked: Any = BertForMaskedLM
    return _save(
        folder, masked(BertConfig(hidden_dropout_prob=0, vocab_size=len(tokenizer), **SIZES)), tokenizer
    )


def write_roberta(folder: Path) -> Path:
    """Byte-level BPE: a word after a blank is another token than at the beginning."""
    core = _byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    core.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    names = {
        "bos": "<s>",
        "cls": "<s>",
        "pad": "<pad>",
        "eos": "</s>",
        "sep": "</s>",
        "unk": "<unk>",
        "mask": "<mask>",
    }
    tokenizer = _fast(core, {f"{k}_token": v for k, v in names.items()})
    torch.manual_seed(1)
    masked: Any = RobertaForMaskedLM
    config = RobertaConfig(
        hidden_dropout_prob=0,
        vocab_size=len(tokenizer),
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        **SIZES,
    )
    return _save(folder, masked(config), tokenizer)


def write_llama(folder: Path) -> Path:
    """A causal model whose tokenizer puts nothing before a text, as Qwen's does."""
    tokenizer = _fast(_byte_level(["<pad>", "<end>"]), {"eos_token": "<end>", "pad_token": "<pad>"})
    torch.manual_seed(2)
    causal: Any = LlamaForCausalLM
    config = LlamaConfig(
        vocab_size=len(tokenizer), pad_token_id=0, bos_token_id=None, eos_token_id=1, **SIZES
    )
    return _save(folder, causal(config), tokenizer)


def _byte_level(special: list[str]) -> Tokenizer:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(TEXT, trainer)
    return core


def _fast(core: Tokenizer, names: dict[str, str]) -> Any:
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=core, **names)


def _save(folder: Path, model: Any, tokenizer: Any) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


WRITE = {"bert": write_bert, "roberta": write_roberta, "llama": write_llama}
