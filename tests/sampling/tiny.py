"""A chat model of 0.5 million parameters that answers in one or two words, made in a few seconds on a CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WORDS = ("female", "male", "a woman", "a man", "either one", "<think>hm</think>she")
PEOPLE = ("nurse", "plumber", "pilot", "teacher", "cook", "clerk")
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '<|' + m.role + '|>' + m.content }}"
    "{% if not loop.last or add_generation_prompt or m.role != 'assistant' %}{{ eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def question(person: str) -> str:
    return f"Is the {person} female or male? Answer in one word."


def make_tiny(path: Path, *, steps: int = 60, seed: int = 0) -> Path:
    """Write the checkpoint to ``path``; the shares of its answers differ from person to person."""
    import numpy as np
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([*WORDS, *map(question, PEOPLE)], trainer)
    core.add_tokens([AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False)])
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    named = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    make: Callable[..., PreTrainedTokenizerBase] = PreTrainedTokenizerFast
    tokenizer = make(tokenizer_object=core, chat_template=TEMPLATE, **named)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    build: Callable[[LlamaConfig], PreTrainedModel] = LlamaForCausalLM
    model = build(config)
    rng = np.random.default_rng(seed)
    shares = {p: rng.dirichlet(np.full(len(WORDS), 0.8)) for p in PEOPLE}
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps):
        rows = [_row(tokenizer, p, str(rng.choice(WORDS, p=shares[p]))) for p in rng.choice(PEOPLE, 32)]
        longest = max(len(r) for r in rows)
        ids = torch.tensor([r + [0] * (longest - len(r)) for r in rows])
        labels = torch.where(ids == 0, -100, ids)
        loss = model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def _row(tokenizer: PreTrainedTokenizerBase, person: str, answer: str) -> list[int]:
    turns = [{"role": "user", "content": question(person)}, {"role": "assistant", "content": answer}]
    text = str(tokenizer.apply_chat_template(turns, tokenize=False)) + "</s>"
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
