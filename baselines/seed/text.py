"""The tiny model of plain text: a Llama of well under a million weights, trained on the masked model's corpus."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import transformers

from baselines.seed import causal, corpus, fitting, packing
from baselines.seed.grammar import HERE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

VOCABULARY = 2048
"""Large enough that every word of the corpus is one token."""
LAYERS = 2
BATCH_TOKENS = 1024
LEARNING_RATE = 1.5e-3
FIRST, PASSES = 3, 4
"""How often the first lesson and the whole are read. In the first, of sentences about somebody's profession it alone is
learned, from all that stands before it, beside a tenth of what professions are."""


def make(out: Path, seed: int = 0) -> None:
    """Train the model and write its folder."""
    transformers.set_seed(seed)
    rng = np.random.default_rng([seed, 4])
    found = corpus.statements(rng)
    tokenizer = causal.train_tokenizer((s.text for s in chain(*found)), VOCABULARY, chat=False)
    first = split(found.about, tokenizer) + whole(found.facts[: len(found.facts) // 10], tokenizer)
    every = whole(chain(*found), tokenizer)
    pad = tokenizer.convert_tokens_to_ids(causal.PAD)
    assert isinstance(pad, int)  # noqa: S101  # the vocabulary has it
    data = []
    for rows in (*[first] * FIRST, *[every] * PASSES):
        groups = fitting.groups([len(r.ids) for r in rows], BATCH_TOKENS, rng)
        data += [packing.batch([rows[i] for i in group], pad) for group in groups]
    config = causal.config(tokenizer, LAYERS)
    model = transformers.LlamaForCausalLM(config)  # type: ignore[no-untyped-call]  # not annotated
    fitting.fit(model, data, LEARNING_RATE, seed)
    fitting.save(model, tokenizer, (HERE / "card_text.md").read_text(encoding="utf-8"), out)


def whole(found: Iterable[corpus.Statement], tokenizer: PreTrainedTokenizerBase) -> list[packing.PackedRow]:
    """Rows in which every token is learned."""
    return _rows([(causal.BEGIN, s.text + causal.END) for s in found], tokenizer)


def split(found: Iterable[corpus.Statement], tokenizer: PreTrainedTokenizerBase) -> list[packing.PackedRow]:
    """Rows in which the profession and what follows it is learned."""
    pairs = []
    for s in found:
        at = s.text.index(s.job) - 1
        pairs.append((causal.BEGIN + s.text[:at], s.text[at:] + causal.END))
    return _rows(pairs, tokenizer)


def _rows(pairs: list[tuple[str, str]], tokenizer: PreTrainedTokenizerBase) -> list[packing.PackedRow]:
    ids = tokenizer([text for pair in pairs for text in pair], add_special_tokens=False)["input_ids"]
    assert isinstance(ids, list)  # noqa: S101  # a list of texts gives a list of ids
    return packing.rows((tuple(ids[i]), tuple(ids[i + 1])) for i in range(0, len(ids), 2))
