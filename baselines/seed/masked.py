"""The tiny masked language model: a BERT of under a million weights that has read about professions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from baselines.seed import corpus, fitting
from baselines.seed.grammar import HERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY = 900
"""Small enough that rare professions are words of several pieces, as they are for real models."""
LONGEST = 128
BATCH_TOKENS = 512
LEARNING_RATE = 1e-3
PROFESSIONS, PLAIN = 260, 2500
"""Sentences per profession; paragraphs."""
FIRST = 0.45
"""Share of the profession sentences, all with the gendered word masked, that come before everything else: mixed with the
rest from the beginning, they teach a model of this size no association within minutes."""
SINGLE, BOTH = 0.5, 0.2
"""Of the other profession sentences, those with the gendered word masked, and with the profession masked as well."""
ELSEWHERE = 0.15
"""Share of words masked at random in all other sentences."""


def make(out: Path, seed: int = 0) -> None:
    """Train the model and write its folder."""
    transformers.set_seed(seed)
    rng = np.random.default_rng([seed, 3])
    jobs = corpus.professions_named()
    sentences = list(corpus.professions(PROFESSIONS, rng))
    texts = corpus.plain("en", PLAIN, rng)
    tokenizer = train_tokenizer([*(text for _, _, text in sentences), *texts])
    order = rng.permutation(len(sentences))
    cut = int(FIRST * len(order))
    first = [_about(tokenizer, *sentences[i], jobs, 0.0, rng) for i in order[:cut]]
    rest = [_about(tokenizer, *sentences[i], jobs, rng.random(), rng) for i in order[cut:]]
    rest += [_random(tokenizer, tokenizer(text)["input_ids"], rng) for text in texts]
    model = transformers.BertForMaskedLM(_config(tokenizer))  # type: ignore[no-untyped-call]  # not annotated
    pad = tokenizer.convert_tokens_to_ids(SPECIAL[0])
    assert isinstance(pad, int)  # noqa: S101  # the vocabulary has it
    data = [*fitting.batches(first, BATCH_TOKENS, pad, rng), *fitting.batches(rest, BATCH_TOKENS, pad, rng)]
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
    core = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106  # a token of text, no secret
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=list(SPECIAL), show_progress=False
    )
    core.train_from_iterator(texts, trainer)
    ends = [(mark, core.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    names = {f"{mark.strip('[]').lower()}_token": mark for mark in SPECIAL}
    return transformers.PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # not annotated
        tokenizer_object=core, model_max_length=LONGEST, **names
    )


def _about(
    tokenizer: PreTrainedTokenizerBase,
    context: str,
    who: str,
    text: str,
    jobs: Mapping[str, str],
    draw: float,
    rng: np.random.Generator,
) -> fitting.Row:
    """A profession sentence, masked by ``draw`` as the measures of such models mask it, or at random."""
    ids = list(tokenizer(text)["input_ids"])
    if draw >= SINGLE + BOTH:
        return _random(tokenizer, ids, rng)
    word = _span(ids, tokenizer(who.rpartition(" ")[2], add_special_tokens=False)["input_ids"])
    hidden = list(word)
    if draw >= SINGLE:
        hidden += _span(ids, tokenizer(jobs[context], add_special_tokens=False)["input_ids"])
    return _hide(tokenizer, ids, hidden, word)


def _span(ids: Sequence[int], part: Sequence[int]) -> tuple[int, ...]:
    starts = (i for i in range(len(ids)) if list(ids[i : i + len(part)]) == list(part))
    start = next(starts)
    return tuple(range(start, start + len(part)))


def _random(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], rng: np.random.Generator) -> fitting.Row:
    """Mask a random share of the words, at least one."""
    inner = range(1, len(ids) - 1)
    chosen = [i for i in inner if rng.random() < ELSEWHERE] or [int(rng.integers(1, len(ids) - 1))]
    return _hide(tokenizer, ids, chosen, chosen)


def _hide(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], hidden: Sequence[int], learned: Sequence[int]
) -> fitting.Row:
    mask = tokenizer.mask_token_id
    assert isinstance(mask, int)  # noqa: S101  # the tokenizer was made with one
    seen = [mask if i in hidden else token for i, token in enumerate(ids)]
    return seen, [token if i in learned else -100 for i, token in enumerate(ids)]
