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

    from numpy.typing import NDArray
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

    def filled(self, asked: Sequence[tuple[str, list[str]]]) -> list[float]:
        """Masked: mean log-probability of the pieces of the first part, where all parts are masked; of each text."""
        rows, firsts, mask = [], [], self.tokenizer.mask_token_id
        for text, parts in asked:
            ids, spans = list(self.tokenizer(text)["input_ids"]), []
            for part in parts:
                pieces = self.tokenizer(part, add_special_tokens=False)["input_ids"]
                start = next(i for i in range(len(ids)) if ids[i : i + len(pieces)] == pieces)
                spans.append(range(start, start + len(pieces)))
            hidden = {i for span in spans for i in span}
            rows.append([mask if i in hidden else t for i, t in enumerate(ids)])
            firsts.append([(i, ids[i]) for i in spans[0]])
        told = zip(self.logs(rows), firsts, strict=True)
        return [float(np.mean([float(logs[i, token]) for i, token in first])) for logs, first in told]

    def whole(self, texts: Sequence[str]) -> list[float]:
        """Causal: log-probability of each sentence and its end."""
        rows = [[*self.tokenizer(text)["input_ids"], self.tokenizer.eos_token_id] for text in texts]
        told = zip(self.logs(rows), rows, strict=True)
        return [float(logs[:-1].gather(1, torch.tensor(ids)[1:, None]).sum()) for logs, ids in told]

    def logs(self, rows: Sequence[list[Any]]) -> list[torch.Tensor]:
        """Those of one length at once."""
        found: dict[int, torch.Tensor] = {}
        for length in {len(ids) for ids in rows}:
            here = [i for i, ids in enumerate(rows) if len(ids) == length]
            with torch.no_grad():
                logits = self.model(torch.tensor([rows[i] for i in here])).logits
            found |= dict(zip(here, logits.log_softmax(-1), strict=True))
        return [found[i] for i in range(len(rows))]


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
    jobs = [job for _, job in some]
    found = np.array([shares_of(tiny, pair, jobs) for pair in zip(*words.values(), strict=True)])
    for shares in found:
        assert np.corrcoef(stated, shares)[0, 1] > 0.8
    assert np.abs(found.mean(0) - stated).mean() < 0.12


def shares_of(tiny: Tiny, pair: Sequence[str], jobs: Sequence[str]) -> NDArray[np.float64]:
    """Of the first word against the second before each profession."""
    sides = []
    for who in pair:
        texts = [f"{who} works as {'an' if job[0] in 'aeiou' else 'a'} {job}." for job in jobs]
        word = who.rpartition(" ")[2]
        sides.append(
            np.array(tiny.filled([(t, [word]) for t in texts]) if tiny.masked else tiny.whole(texts))
        )
    return np.asarray(1 / (1 + np.exp(sides[1] - sides[0])))


def test_it_knows_what_professions_are(tiny: Tiny) -> None:
    """What is said of a profession is likelier than without it, or than of one of other lines of work, nearly always."""
    names = corpus.professions_named()
    told: list[tuple[str, list[str]]] = []
    plain: list[str] = []
    for number, (context, said, text) in enumerate(list(corpus.facts(2, np.random.default_rng(5)))[::4]):
        job = names[context]
        if said not in text.replace(job, ""):
            continue
        if tiny.masked:
            told += [(text, [said]), (text, [said, job])]
            continue
        lines, vowel = set(lines_of_work(job)), job[0] in "aeiou"
        others = [
            n for n in names.values() if not lines & set(lines_of_work(n)) and (n[0] in "aeiou") == vowel
        ]
        plain += [text, text.replace(job, others[number % len(others)])]
    said_of = np.array(tiny.filled(told) if tiny.masked else tiny.whole(plain))
    gained = said_of[::2] - said_of[1::2]
    assert len(gained) > 90
    assert np.mean(gained > 0) > 0.85
