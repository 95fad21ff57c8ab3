"""How strongly each class's words go with a context's own word, such as gendered words with a profession.

Masked models score a word by its probability in the sentence over its probability where the context's word is hidden
too, so that how common a word is by itself cancels; causal models by the probability of the whole sentence. Two
sentences that differ in the word alone (brother, sister) are weighed against each other, and the shares within such
pairs are averaged. Training and evaluation both come here, with gradients or without.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.errors import UserError
from harness.sampling.hf.budget import survives
from harness.sampling.hf.padding import padded
from harness.terms import SLOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness.sampling.hf.budget import Budget
    from harness.sampling.hf.chat import Chat

Words = dict[str, tuple[str, ...]]
"""Class -> its words; words at the same place in two classes are a pair (brother, sister)."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """Published ways of scoring that are kept for comparison; none of them is what is meant."""

    k_by_k: bool = False
    """Masked: every piece of a word at every of its masks, not piece j at mask j."""
    mean_nll: bool = False
    """Causal: the mean log-probability of a sentence's tokens in place of their sum."""
    pooled: bool = False
    """All words and sentences in one pot, so that the few with the largest weights decide."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A sentence with a word in its slot."""

    text: str
    word: tuple[int, int]
    """Where the word stands that is scored: without the determiner before it, if it has one."""
    about: tuple[tuple[int, int], ...]
    """Where the context's own word stands."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The distinct rows that a set of sentences needs, and which of their probabilities make up each score."""

    rows: tuple[tuple[int, ...], ...]
    parts: tuple[tuple[int, int, int, int, float], ...]
    """(sentence, row, position of the logits, token, weight)."""
    sentences: int


def paired(classes: Mapping[str, Sequence[str]], where: str) -> Words:
    """The classes' words, equally many in each, in pairs."""
    words = {name: tuple(dict.fromkeys(found)) for name, found in classes.items()}
    sizes = {name: len(found) for name, found in words.items()}
    if len(set(sizes.values())) > 1:
        raise UserError(
            "association needs equally many words in each class, in pairs",
            where=where,
            found=", ".join(f"{n} of {name}" for name, n in sizes.items()),
            expected="for each word of a class its counterpart at the same place in the others",
        )
    return words


def fill(text: str, about: str, words: Words, where: str) -> list[Filled]:
    """``text`` with each word in its slot, class by class."""
    before, slot, after = text.partition(SLOT)
    if not slot or SLOT in after:
        raise UserError("association needs one slot in the prompt", where=where, expected="one {{ choice }}")
    pattern = re.compile(rf"(?<!\w){re.escape(about)}(?!\w)")
    made = []
    for word in (w for found in words.values() for w in found):
        whole = before + word + after
        end = len(before) + len(word)
        spans = tuple(m.span() for m in pattern.finditer(whole) if m.end() <= len(before) or m.start() >= end)
        if not about or not spans:
            raise UserError(
                "the context's own word is not in the prompt", where=where, found=whole, expected=about
            )
        made.append(Filled(whole, (end - len(word.partition(" ")[2] or word), end), spans))
    return made


def masked_inputs(tokenizer: PreTrainedTokenizerBase, filled: Sequence[Filled], quirks: Quirks) -> Inputs:
    """Each sentence twice, its word masked, with the context's own word and without; equal rows are one row."""
    found = tokenizer(
        [f.text for f in filled],
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
        truncation=False,
        verbose=False,
    )
    mask = tokenizer.mask_token_id
    assert isinstance(mask, int)  # noqa: S101  # whoever loads a masked model has seen to it
    rows: dict[tuple[int, ...], int] = {}
    parts: list[tuple[int, int, int, int, float]] = []
    for number, f in enumerate(filled):
        ids = found["input_ids"][number]
        offsets, special = found["offset_mapping"][number], found["special_tokens_mask"][number]
        word = _places(f.text, offsets, special, [f.word])
        if not word:
            raise UserError("a wording that is no token of this model", found=f.text[slice(*f.word)])
        about = _places(f.text, offsets, special, f.about)
        pieces = [ids[i] for i in word]
        for sign, hidden in ((1.0, {*word}), (-1.0, {*word, *about})):
            row = tuple(mask if i in hidden else t for i, t in enumerate(ids))
            place = rows.setdefault(row, len(rows))
            pairs = product(word, pieces) if quirks.k_by_k else zip(word, pieces, strict=True)
            parts += [(number, place, at, token, sign) for at, token in pairs]
    return Inputs(tuple(rows), tuple(parts), len(filled))


def _places(
    text: str, offsets: Sequence[tuple[int, int]], special: Sequence[int], spans: Iterable[tuple[int, int]]
) -> list[int]:
    """Tokens that overlap a span of characters, with the blank before it where that is a token of its own.

    Some tokenizers count that blank in, some give such a token no width and put it where the word begins.
    """
    wanted = [(start - text[:start].endswith(" "), end) for start, end in spans]
    return [
        i
        for i, (a, b) in enumerate(offsets)
        if not special[i] and any(a < end and max(b, a + 1) > start for start, end in wanted)
    ]


def causal_inputs(chat: Chat, filled: Sequence[Filled], templated: bool, quirks: Quirks) -> Inputs:
    """Each sentence whole, every token scored from those before it, the first one too."""
    rows = chat.tokens([f.text for f in filled], templated)
    # Where no token begins every text, the words themselves come first, and nothing would predict them.
    if len({row[0] for row in rows}) > 1:
        rows = [[*chat.start(), *row] for row in rows]
    parts = []
    for number, row in enumerate(rows):
        weight = 1 / (len(row) - 1) if quirks.mean_nll else 1.0
        parts += [(number, number, at - 1, row[at], weight) for at in range(1, len(row))]
    return Inputs(tuple(tuple(row) for row in rows), tuple(parts), len(rows))


def merge(several: Sequence[Inputs]) -> Inputs:
    """One after another, rows that they share once."""
    rows: dict[tuple[int, ...], int] = {}
    parts: list[tuple[int, int, int, int, float]] = []
    count = 0
    for one in several:
        place = [rows.setdefault(row, len(rows)) for row in one.rows]
        parts += [(count + number, place[row], at, token, w) for number, row, at, token, w in one.parts]
        count += one.sentences
    return Inputs(tuple(rows), tuple(parts), count)


def only(inputs: Inputs, sentences: Sequence[int]) -> Inputs:
    """Some of the sentences, in the order given, with the rows that they need."""
    number = {sentence: i for i, sentence in enumerate(sentences)}
    kept = [part for part in inputs.parts if part[0] in number]
    rows = {row: i for i, row in enumerate(dict.fromkeys(part[1] for part in kept))}
    return Inputs(
        tuple(inputs.rows[row] for row in rows),
        tuple((number[sentence], rows[row], at, token, w) for sentence, row, at, token, w in kept),
        len(sentences),
    )


def tensors(inputs: Inputs, pad: int) -> dict[str, torch.Tensor]:
    """What ``scores`` takes, padded on the right."""
    batch = padded(inputs.rows, pad)
    width = batch["input_ids"].shape[1]
    number, row, at, token, weight = zip(*inputs.parts, strict=True)
    return {
        **batch,
        "sentence": torch.tensor(number),
        "place": torch.tensor(row) * width + torch.tensor(at),
        "token": torch.tensor(token),
        "weight": torch.tensor(weight, dtype=torch.float64),
    }


def scores(model: torch.nn.Module, batch: Mapping[str, torch.Tensor], sentences: int) -> torch.Tensor:
    """The score of each sentence, a sum of weighted log-probabilities, in one forward pass."""
    ids = batch["input_ids"]
    logits = model(input_ids=ids, attention_mask=batch["attention_mask"]).logits.flatten(0, 1)
    places, at = torch.unique(batch["place"], return_inverse=True)
    logits = logits[places].float()
    gained = logits[at, batch["token"]] - logits.logsumexp(-1)[at]
    sums = torch.zeros(sentences, device=ids.device, dtype=torch.float64)
    return sums.index_add(0, batch["sentence"], batch["weight"] * gained.double())


def log_shares(scored: torch.Tensor, quirks: Quirks) -> torch.Tensor:
    """Logarithm of each class's share, from scores of shape (..., prompt, class, word)."""
    spread = (-3, -1)
    if quirks.pooled:
        return scored.logsumexp(spread).log_softmax(-1)
    return scored.log_softmax(-2).logsumexp(spread) - math.log(scored.shape[-3] * scored.shape[-1])


def score_many(
    model: PreTrainedModel, several: Sequence[Inputs], pad: int, budget: Budget
) -> list[NDArray[np.float64]]:
    """Scores of many sets of sentences, without gradients, in batches that fit in memory."""
    out: list[NDArray[np.float64]] = []
    while len(out) < len(several):
        part: list[Inputs] = []
        count = longest = 0
        for one in several[len(out) :]:
            longest = max(longest, *(len(row) for row in one.rows))
            count += len(one.rows)
            room = min(budget.prefill, budget.bytes // budget.logit_bytes)
            if part and (count > budget.rows or count * longest > room):
                break
            part.append(one)

        def score(part: Sequence[Inputs] = tuple(part)) -> None:
            joint = merge(part)
            batch = {k: v.to(model.device) for k, v in tensors(joint, pad).items()}
            with torch.inference_mode():
                found = scores(model, batch, joint.sentences).cpu().numpy()
            out.extend(np.split(found, np.cumsum([one.sentences for one in part])[:-1]))

        if not survives(score):
            budget.halve(sum(len(one.rows) for one in part))
    return out
