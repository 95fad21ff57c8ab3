"""The shipped tiny models of plain text load, hold the associations stated, and know what professions are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

from baselines.seed import corpus, distributions, masked_path, text_path
from baselines.seed.distributions import lines_of_work
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MOST_BYTES = {"masked": 4_000_000, "text": 1_700_000}


@dataclass(frozen=True)
class Tiny:
    path: Path
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def masked(self) -> bool:
        return self.tokenizer.mask_token_id is not None

    def filled(self, text: str, parts: list[str]) -> float:
        """Masked: mean log-probability of the pieces of the first part, where all parts are masked."""
        ids, mask = list(self.tokenizer(text)["input_ids"]), self.tokenizer.mask_token_id
        spans = []
        for part in parts:
            pieces = self.tokenizer(part, add_special_tokens=False)["input_ids"]
            start = next(i for i in range(len(ids)) if ids[i : i + len(pieces)] == pieces)
            spans.append(range(start, start + len(pieces)))
        hidden = {i for span in spans for i in span}
        logs = self.logs([mask if i in hidden else t for i, t in enumerate(ids)])
        return float(np.mean([float(logs[i, ids[i]]) for i in spans[0]]))

    def whole(self, text: str) -> float:
        """Causal: log-probability of the sentence and its end."""
        ids = [*self.tokenizer(text)["input_ids"], self.tokenizer.eos_token_id]
        return float(self.logs(ids)[:-1].gather(1, torch.tensor(ids)[1:, None]).sum())

    def logs(self, ids: Sequence[Any]) -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = self.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        return found


@pytest.fixture(scope="module", params=[masked_path(), text_path()], ids=lambda path: str(path.name))
def tiny(request: pytest.FixtureRequest) -> Tiny:
    auto: Any = AutoModelForMaskedLM if request.param == masked_path() else AutoModelForCausalLM
    return Tiny(
        request.param, auto.from_pretrained(request.param), AutoTokenizer.from_pretrained(request.param)
    )


def test_the_folder_is_small_and_whole(tiny: Tiny) -> None:
    assert sum(p.stat().st_size for p in tiny.path.iterdir()) < MOST_BYTES[tiny.path.name]
    assert json.loads((tiny.path / "config.json").read_text())["dtype"] == "float32"
    assert not list(tiny.path.glob("*.bin"))
    assert "no evidence about real models" in (tiny.path / "README.md").read_text(encoding="utf-8")


def test_it_loads_in_float32_and_is_finite(tiny: Tiny) -> None:
    assert all(p.dtype == torch.float32 and bool(p.isfinite().all()) for p in tiny.model.parameters())


def test_plain_text_gets_its_ends(tiny: Tiny) -> None:
    tokenizer = tiny.tokenizer
    if tiny.masked:
        ids = tokenizer("He is a [MASK].")["input_ids"]
        assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
        assert tokenizer.unk_token_id not in ids
        assert ids.count(tokenizer.mask_token_id) == 1
    else:
        ids = tokenizer("He is Zoë, 42.")["input_ids"]
        assert ids[0] == tokenizer.bos_token_id
        assert tokenizer.decode(ids, skip_special_tokens=True) == "He is Zoë, 42."
        assert tokenizer.chat_template is None


def test_every_word_of_a_profession_is_one_token(tiny: Tiny) -> None:
    """What two professions have in common is then their words, and a word is one embedding."""
    words = {word for job in corpus.professions_named().values() for word in job.split() if "-" not in word}
    pieces = [tiny.tokenizer(" " + word, add_special_tokens=False)["input_ids"] for word in words]
    assert len(pieces) > 200
    assert {len(ids) for ids in pieces} == {1}


def test_it_holds_the_stated_associations(tiny: Tiny) -> None:
    """Each pair of words by itself in their order, he and she and those kept from methods; together in size as well."""
    words = load_task(distributions.PROFESSION_TASK).attributes["gender"].classes
    some = list(corpus.professions_named().items())[::6]
    stated = np.array([distributions.profession(context)["male"] for context, _ in some])
    found = np.array(
        [[share(tiny, pair, job) for _, job in some] for pair in zip(*words.values(), strict=True)]
    )
    for shares in found:
        assert np.corrcoef(stated, shares)[0, 1] > 0.8
    assert np.abs(found.mean(0) - stated).mean() < 0.12


def share(tiny: Tiny, pair: Sequence[str], job: str) -> float:
    """Of the first word against the second before a profession."""
    article = "an" if job[0] in "aeiou" else "a"
    texts = [f"{who} works as {article} {job}." for who in pair]
    if tiny.masked:
        first, second = (tiny.filled(t, [who.rpartition(" ")[2]]) for t, who in zip(texts, pair, strict=True))
    else:
        first, second = map(tiny.whole, texts)
    return float(1 / (1 + np.exp(second - first)))


def test_it_knows_what_professions_are(tiny: Tiny) -> None:
    """What is said of a profession is likelier than without it, or than of one of other lines of work, nearly always."""
    names = corpus.professions_named()
    gained = []
    for number, (context, said, text) in enumerate(list(corpus.facts(2, np.random.default_rng(5)))[::4]):
        job = names[context]
        if said not in text.replace(job, ""):
            continue
        if tiny.masked:
            gained.append(tiny.filled(text, [said]) - tiny.filled(text, [said, job]))
            continue
        lines, vowel = set(lines_of_work(job)), job[0] in "aeiou"
        others = [
            n for n in names.values() if not lines & set(lines_of_work(n)) and (n[0] in "aeiou") == vowel
        ]
        other = text.replace(job, others[number % len(others)])
        gained.append(tiny.whole(text) - tiny.whole(other))
    assert len(gained) > 90
    assert np.mean(np.array(gained) > 0) > 0.85
