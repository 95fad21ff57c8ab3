"""The tiny masked model: a BERT of under a million weights, trained on sentences about professions."""

from __future__ import annotations

from itertools import chain
from string import ascii_lowercase, digits
from typing import TYPE_CHECKING

import numpy as np
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from baselines.seed import corpus, fitting
from baselines.seed.grammar import HERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

UNKNOWN = "[UNK]"
SPECIAL = ("[PAD]", UNKNOWN, "[CLS]", "[SEP]", "[MASK]")
VOCABULARY = 1400
"""Large enough that every word of the corpus is one piece."""
LONGEST = 128
BATCH_TOKENS = 512
LEARNING_RATE = 1.5e-3
LESSONS = ((0.0, 0.7), (0.65, 0.1))
"""Shares of the sentences about somebody's profession, and of what professions are, in the first two lessons, which hold
nothing else and mask one thing each; the third is everything. Mixed with all the rest from the beginning, they teach a model
of this size hardly anything within minutes."""
SINGLE, BOTH = 0.6, 0.2
"""Of sentences with something to learn, those with it masked, and with the profession masked as well."""
ELSEWHERE = 0.15
"""Share of words masked at random in all other sentences."""


def make(out: Path, seed: int = 0) -> None:
    """Train the model and write its folder."""
    transformers.set_seed(seed)
    rng = np.random.default_rng([seed, 3])
    found = corpus.statements(rng)
    every = list(chain(*found))
    tokenizer = train_tokenizer(s.text for s in every)
    lessons = []
    for shares in LESSONS:
        taken = chain(*map(corpus.take, found, (*shares, 0.2, 0.0)))
        lessons.append([_row(tokenizer, s.text, [s.part], rng) for s in taken])
    lessons.append([_masked(tokenizer, s, rng) for s in every])
    model = transformers.BertForMaskedLM(_config(tokenizer))  # type: ignore[no-untyped-call]  # not annotated
    pad = tokenizer.convert_tokens_to_ids(SPECIAL[0])
    assert isinstance(pad, int)  # noqa: S101  # the vocabulary has it
    data = [batch for rows in lessons for batch in fitting.batches(rows, BATCH_TOKENS, pad, rng)]
    fitting.fit(model, data, LEARNING_RATE, seed)
    fitting.save(model, tokenizer, (HERE / "card_masked.md").read_text(encoding="utf-8"), out)


def _config(tokenizer: PreTrainedTokenizerBase) -> transformers.BertConfig:
    return transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=384,
        max_position_embeddings=LONGEST,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.05,
        pad_token_id=tokenizer.pad_token_id,
    )


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerBase:
    """Word pieces in lower case, between [CLS] and [SEP]."""
    learner, core = Tokenizer(models.WordPiece(unk_token=UNKNOWN)), Tokenizer(models.WordPiece({}))
    for one in (learner, core):
        one.normalizer = normalizers.BertNormalizer(lowercase=True)
        one.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    # Named in order: the trainer would number pieces of one character as a hash table gives them, and break ties by that.
    first = [*SPECIAL, *(f"##{c}" for c in sorted(ascii_lowercase + digits))]
    learner.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=first, show_progress=False)
    )
    core.model = models.WordPiece(learner.get_vocab(), unk_token=UNKNOWN)
    core.add_special_tokens(list(SPECIAL))
    core.decoder = decoders.WordPiece()
    ends = [(mark, core.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    names = {f"{mark.strip('[]').lower()}_token": mark for mark in SPECIAL}
    return transformers.PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # not annotated
        tokenizer_object=core, model_max_length=LONGEST, **names
    )


def _masked(
    tokenizer: PreTrainedTokenizerBase, statement: corpus.Statement, rng: np.random.Generator
) -> fitting.Labelled:
    """A sentence with its part masked, the profession as well, or the profession alone, or words at random."""
    text, part, job = statement.text, statement.part, statement.job
    draw = rng.random() if part else 1.0
    if draw < SINGLE:
        return _row(tokenizer, text, [part], rng)
    if draw < SINGLE + BOTH and job:
        return _row(tokenizer, text, [part, job] if rng.random() < 0.5 else [job], rng)
    return _row(tokenizer, text, [], rng)


def _row(
    tokenizer: PreTrainedTokenizerBase, text: str, parts: Sequence[str], rng: np.random.Generator
) -> fitting.Labelled:
    """Hide all parts and learn the first; without parts, a random share of the words, at least one."""
    ids, mask = list(tokenizer(text)["input_ids"]), tokenizer.mask_token_id
    assert isinstance(mask, int)  # noqa: S101  # the tokenizer was made with one
    inner = range(1, len(ids) - 1)
    spans = [_span(ids, tokenizer(part, add_special_tokens=False)["input_ids"]) for part in parts]
    spans = spans or [[i for i in inner if rng.random() < ELSEWHERE] or [int(rng.integers(1, len(ids) - 1))]]
    hidden = {i for span in spans for i in span}
    seen = [mask if i in hidden else token for i, token in enumerate(ids)]
    return seen, [token if i in spans[0] else -100 for i, token in enumerate(ids)]


def _span(ids: Sequence[int], part: Sequence[int]) -> list[int]:
    start = next(i for i in range(len(ids)) if list(ids[i : i + len(part)]) == list(part))
    return list(range(start, start + len(part)))
