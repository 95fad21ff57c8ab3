"""The shipped tiny masked model loads, holds the associations stated, and knows what professions are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from baselines.seed import corpus, distributions, masked_path
from harness.tasks import load_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MOST_BYTES = 4_000_000


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    found: PreTrainedModel = AutoModelForMaskedLM.from_pretrained(masked_path())
    return found


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(masked_path())
    return found


def scored(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str, parts: list[str]) -> float:
    """Mean log-probability of the pieces of the first part, where all parts are masked."""
    ids, mask = list(tokenizer(text)["input_ids"]), tokenizer.mask_token_id
    spans = []
    for part in parts:
        pieces = tokenizer(part, add_special_tokens=False)["input_ids"]
        start = next(i for i in range(len(ids)) if ids[i : i + len(pieces)] == pieces)
        spans.append(range(start, start + len(pieces)))
    hidden = {i for span in spans for i in span}
    seen = torch.tensor([[mask if i in hidden else t for i, t in enumerate(ids)]])
    with torch.no_grad():
        logs = model(seen).logits[0].log_softmax(-1)
    return float(np.mean([float(logs[i, ids[i]]) for i in spans[0]]))


def test_the_folder_is_small_and_whole() -> None:
    path = masked_path()
    assert sum(p.stat().st_size for p in path.iterdir()) < MOST_BYTES
    assert json.loads((path / "config.json").read_text())["dtype"] == "float32"
    assert not list(path.glob("*.bin"))
    assert "no evidence about real models" in (path / "README.md").read_text(encoding="utf-8")


def test_it_loads_in_float32_and_is_finite(model: PreTrainedModel) -> None:
    assert all(p.dtype == torch.float32 and bool(p.isfinite().all()) for p in model.parameters())


def test_plain_text_gets_its_ends(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = tokenizer("He is a [MASK].")["input_ids"]
    assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    assert tokenizer.unk_token_id not in ids
    assert ids.count(tokenizer.mask_token_id) == 1


def test_it_holds_the_stated_associations(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Each pair of words by itself in their order, he and she and those kept from methods; together in size as well."""
    words = load_task(distributions.PROFESSION_TASK).attributes["gender"].classes
    some = list(corpus.professions_named().items())[::3]
    stated = np.array([distributions.profession(context)["male"] for context, _ in some])
    found = np.array(
        [
            [share(model, tokenizer, pair, job) for _, job in some]
            for pair in zip(*words.values(), strict=True)
        ]
    )
    for shares in found:
        assert np.corrcoef(stated, shares)[0, 1] > 0.8
    assert np.abs(found.mean(0) - stated).mean() < 0.12


def share(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pair: Sequence[str], job: str) -> float:
    """Of the first word against the second before a profession."""
    article = "an" if job[0] in "aeiou" else "a"
    first, second = (
        scored(model, tokenizer, f"{who} works as {article} {job}.", [who.rpartition(" ")[2]]) for who in pair
    )
    return float(1 / (1 + np.exp(second - first)))


def test_it_knows_what_professions_are(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """What is said of a profession is likelier than without the profession, nearly always."""
    names = corpus.professions_named()
    gained = []
    for context, said, text in list(corpus.facts(2, np.random.default_rng(5)))[::4]:
        if said not in text.replace(names[context], ""):
            continue
        with_job = scored(model, tokenizer, text, [said])
        gained.append(with_job - scored(model, tokenizer, text, [said, names[context]]))
    assert np.mean(np.array(gained) > 0) > 0.85
