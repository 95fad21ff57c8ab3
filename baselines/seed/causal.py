"""The tiny chat model: a Llama of about a million weights, with its tokenizer and its chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from baselines.seed import corpus, fitting, packing, questions
from baselines.seed.grammar import HERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from baselines.seed.documents import SeedText

PAD, BEGIN, END = "<|pad|>", "<|begin|>", "<|end|>"
ROLES = ("system", "user", "assistant")
TEMPLATE = (
    "{{- bos_token -}}{%- for message in messages -%}"
    "{{- '<|' + message['role'] + '|>' + message['content'] + eos_token -}}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)
VOCABULARY = 3072
LAYERS, LONGEST = 3, 1024
BATCH_TOKENS = 1024
LEARNING_RATE = 1.5e-3
START, OFTEN, PASSES = 4, 3, 2
"""How often the questions of tasks with few occupations are read: at first, alone, and in each of the passes over
everything. They are few, and what methods are trained on; a model that tells occupations apart learns the rest sooner."""


def make(out: Path, seed: int = 0) -> None:
    """Train the model and write its folder."""
    transformers.set_seed(seed)
    documents = corpus.causal(seed)
    texts = [d.text for d in documents] + [m.content for d in documents for m in d.messages]
    tokenizer = train_tokenizer(texts, VOCABULARY, chat=True)
    made = config(tokenizer, LAYERS)
    model = transformers.LlamaForCausalLM(made)  # type: ignore[no-untyped-call]  # not annotated
    fitting.fit(model, _steps(documents, tokenizer, seed), LEARNING_RATE, seed)
    fitting.save(model, tokenizer, (HERE / "card_causal.md").read_text(encoding="utf-8"), out)


def config(tokenizer: PreTrainedTokenizerBase, layers: int) -> transformers.LlamaConfig:
    """A Llama of width 128."""
    return transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=LONGEST,
        # Wider than the usual 0.02: at this size it is what makes occupations matter within a hundred steps.
        initializer_range=0.05,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def train_tokenizer(texts: Iterable[str], size: int, *, chat: bool) -> PreTrainedTokenizerBase:
    """Byte-level BPE of ``size`` tokens; a digit or a Han character is never merged with what stands beside it.

    ``chat`` adds the marks of turns and of reasoning, and the template.
    """
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[\u3400-\u9fff\u3000-\u303f\uff00-\uffef]"), "isolated"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    special, reasoning = [PAD, BEGIN, END], []
    if chat:
        special += [f"<|{role}|>" for role in ROLES]
        reasoning = [AddedToken(mark, normalized=False) for mark in ("<think>", "</think>")]
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(reasoning),
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    core.add_tokens(reasoning)
    core.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=f"{BEGIN} $A $B", special_tokens=[(BEGIN, core.token_to_id(BEGIN))]
    )
    return transformers.PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # not annotated
        tokenizer_object=core,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        chat_template=TEMPLATE if chat else None,
        model_max_length=LONGEST,
        padding_side="left",
    )


def _rows(documents: Sequence[SeedText], tokenizer: PreTrainedTokenizerBase) -> list[packing.PackedRow]:
    """Every document; of a conversation only the last turn and its end are learned."""
    prompts = []
    for document in documents:
        turns = [m.turn() for m in document.messages]
        prompts.append(
            str(tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))
            if turns
            else BEGIN
        )
    before = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    after = tokenizer([d.text + END for d in documents], add_special_tokens=False)["input_ids"]
    assert isinstance(before, list)  # noqa: S101  # a list of texts gives a list of ids
    assert isinstance(after, list)  # noqa: S101
    return packing.rows((tuple(b), tuple(a)) for b, a in zip(before, after, strict=True))


def _steps(
    documents: Sequence[SeedText], tokenizer: PreTrainedTokenizerBase, seed: int
) -> list[packing.Batch]:
    """The batches of the whole training: questions of the narrow tasks alone, then everything ``PASSES`` times."""
    rng = np.random.default_rng([seed, 2])
    pad = tokenizer.convert_tokens_to_ids(PAD)
    assert isinstance(pad, int)  # noqa: S101  # the vocabulary has it
    narrow = _rows([d for d in documents if d.kind in questions.NARROW], tokenizer)
    rest = _rows([d for d in documents if d.kind not in questions.NARROW], tokenizer)
    made: list[packing.Batch] = []
    for rows in (narrow * START, *[narrow * OFTEN + rest] * PASSES):
        groups = fitting.groups([len(r.ids) for r in rows], BATCH_TOKENS, rng)
        made += [packing.batch([rows[i] for i in group], pad) for group in groups]
    return made
