"""The benchmark's checkpoint: a small Llama that answers in a word, and rambles when asked for a story."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tests.sampling.tiny import TEMPLATE

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = [
    "nurse",
    "plumber",
    "pilot",
    "teacher",
    "cook",
    "clerk",
    "baker",
    "welder",
    "dentist",
    "lawyer",
    "tailor",
    "porter",
    "farmer",
    "roofer",
    "editor",
    "surgeon",
    "driver",
    "waiter",
    "florist",
    "miner",
    "judge",
    "barber",
    "potter",
    "painter",
]
WORDS = [
    "river",
    "stone",
    "window",
    "letter",
    "garden",
    "winter",
    "market",
    "bridge",
    "candle",
    "doctor",
    "harbour",
    "mirror",
    "pocket",
    "silver",
    "thunder",
    "valley",
    "whisper",
    "yellow",
    "basket",
    "corner",
    "dinner",
    "engine",
    "forest",
    "guitar",
    "hammer",
    "island",
    "jacket",
    "kettle",
    "walks",
    "finds",
    "opens",
    "breaks",
    "carries",
    "follows",
    "loses",
    "paints",
    "hears",
    "builds",
    "under",
    "over",
    "beside",
    "without",
    "slowly",
]
SPECIAL = ["<pad>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>"]
STORY = "Tell me a story about the {}."
LONGEST = 150
SHARPER = 1.25


def question(person: str) -> str:
    """The short-answer prompt."""
    return f"Is the {person} female or male? Answer in one word."


def tokenizer() -> Any:
    """A byte-level BPE of the words above, with a chat template."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    lines = [question(p) for p in PEOPLE] + [STORY.format(p) for p in PEOPLE] + ["female", "male"]
    core.train_from_iterator([*lines, *(f" {w}" for w in WORDS)], trainer)
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    marks = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "chat_template": TEMPLATE}
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=core, **marks)


def make(folder: Path, steps: int = 400) -> None:
    """Train for about a minute and write the checkpoint."""
    words = tokenizer()
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    small: Any = LlamaForCausalLM
    model = small(
        LlamaConfig(
            vocab_size=len(words),
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=256,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
            tie_word_embeddings=False,
        )
    )
    shares = rng.uniform(0.1, 0.9, len(PEOPLE))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        short = step % 8 > 0
        some = rng.integers(len(PEOPLE), size=48 if short else 8)
        rows = [_row(words, PEOPLE[i], float(shares[i]), short, rng) for i in some]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        labels = torch.where(ids == 0, -100, ids)
        loss = model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        # A minute of training leaves a percent of noise in short answers; sharper logits stand in for the hours.
        model.lm_head.weight.mul_(SHARPER)
    model.eval().save_pretrained(folder)
    words.save_pretrained(folder)


def _row(words: Any, person: str, share: float, short: bool, rng: np.random.Generator) -> list[int]:
    if short:
        asked, answer, end = question(person), "female" if rng.random() < share else "male", "</s>"
    else:
        asked, answer, end = STORY.format(person), " ".join(rng.choice(WORDS, LONGEST)), ""
    turn = words.apply_chat_template(
        [{"role": "user", "content": asked}], tokenize=False, add_generation_prompt=True
    )
    ids: list[int] = words(turn + answer + end, add_special_tokens=False)["input_ids"]
    return ids[:LONGEST]
