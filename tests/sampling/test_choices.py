"""The choices measure against probabilities worked out one token at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from harness.errors import UserError
from harness.sampling.hf.choices import ChoicesEngine
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.sampling.hf.wordings import masked_row
from harness.terms import SLOT, Message, Request, Sampling
from tests.sampling.reference import loaded, logits_after
from tests.sampling.tiny import PEOPLE, question

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = {"female": ["female", "a woman"], "male": ["male", "a man", "father"]}


def classes(_: Request) -> dict[str, list[str]]:
    return CLASSES


def log_probability(folder: Path, tokens: list[int], start: int) -> float:
    """Of the tokens from ``start``, one forward pass per token."""
    model = loaded(folder)
    return sum(
        float(logits_after(model, tokens[:i]).double().log_softmax(-1)[tokens[i]])
        for i in range(start, len(tokens))
    )


def shares_of(logs: dict[str, list[float]]) -> dict[str, float]:
    total = sum(math.exp(x) for xs in logs.values() for x in xs)
    return {name: sum(math.exp(x) for x in xs) / total for name, xs in logs.items()}


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> ChoicesEngine:
    return ChoicesEngine(str(tiny_model), device="cpu")


def test_wordings_in_a_slot_have_the_probability_of_the_filled_text(
    tiny_model: Path, engine: ChoicesEngine
) -> None:
    requests = [Request(p, "p", 0, 1, 0, text=f"The {p} is {SLOT}, I think.") for p in PEOPLE]
    tokenize: Any = engine.checkpoint.tokenizer
    found = {r.context: s for r, s in engine.choices(requests, classes)}
    for person in PEOPLE:
        logs = {
            name: [
                log_probability(tiny_model, tokenize(f"The {person} is {w}, I think.")["input_ids"], 1)
                for w in wordings
            ]
            for name, wordings in CLASSES.items()
        }
        assert found[person].lower == pytest.approx(shares_of(logs), rel=1e-4)
        assert found[person].undecided == 0


def test_replies_have_the_probability_that_sampling_gives_them(
    tiny_model: Path, engine: ChoicesEngine
) -> None:
    requests = [Request(p, "p", 0, 1, 0, (Message("user", question(p)),)) for p in PEOPLE]
    (prompt,) = engine.chat.encode(requests[:1])
    tokenize: Any = engine.checkpoint.tokenizer
    logs = {
        name: [
            log_probability(
                tiny_model, prompt + tokenize(w, add_special_tokens=False)["input_ids"], len(prompt)
            )
            for w in wordings
        ]
        for name, wordings in CLASSES.items()
    }
    found = {r.context: s.lower for r, s in engine.choices(requests, classes)}
    assert found[PEOPLE[0]] == pytest.approx(shares_of(logs), rel=1e-4)
    sampler = CollapsedEngine(str(tiny_model), device="cpu")
    sampled = dict(sampler.draw([Request(PEOPLE[0], "p", 0, 50_000, 1, requests[0].messages)], Sampling()))
    counts = dict.fromkeys(CLASSES, 0)
    for draw in next(iter(sampled.values())):
        for name, wordings in CLASSES.items():
            counts[name] += draw.count if draw.text.startswith(tuple(wordings)) else 0
    n = sum(counts.values())
    for name, share in found[PEOPLE[0]].items():
        assert counts[name] / n == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / n))


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("The cook said", ("The cook said she", "The cook said男")),
        ("It is ", ("It is she", "It is 男")),
    ],
)
def test_a_completion_gets_the_blank_that_writing_has(
    tiny_model: Path, engine: ChoicesEngine, prompt: str, texts: tuple[str, str]
) -> None:
    tokenize: Any = engine.checkpoint.tokenizer
    request = Request("c", "p", 0, 1, 0, text=prompt)
    ((_, shares),) = engine.choices([request], lambda _: {"a": ["she"], "b": ["男"]})
    logs = {
        name: [log_probability(tiny_model, tokenize(text)["input_ids"], 1)]
        for name, text in zip("ab", texts, strict=True)
    }
    assert shares.lower == pytest.approx(shares_of(logs), rel=1e-4)


def test_a_prompt_beyond_the_window_fails_alone(engine: ChoicesEngine) -> None:
    requests = [
        Request("long", "p", 0, 1, 0, text="male " * 400 + SLOT),
        Request("ok", "p", 0, 1, 0, text="A "),
    ]
    found = {r.context: s.lower for r, s in engine.choices(requests, classes)}
    assert found["long"] == {"failed": 1.0}
    assert sum(found["ok"].values()) == pytest.approx(1)


@pytest.fixture(scope="module")
def masked_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT with a word-piece vocabulary in which some words are several pieces."""
    folder = tmp_path_factory.mktemp("masked")
    names = {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]"}
    marks = {f"{k}_token": v for k, v in names.items()}
    core = Tokenizer(models.WordPiece(unk_token=names["unk"]))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=60, special_tokens=special, show_progress=False)
    core.train_from_iterator(
        ["she he is a nurse cook works as my brother sister grandmother . , the"] * 5, trainer
    )
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast: Any = PreTrainedTokenizerFast
    tokenizer = fast(tokenizer_object=core, **marks)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    masked: Any = BertForMaskedLM
    masked(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_masked_model_multiplies_piece_j_at_mask_j(masked_model: Path) -> None:
    engine = ChoicesEngine(str(masked_model), device="cpu")
    assert engine.kind == "masked"
    model: Any = engine.checkpoint.model
    tokenize: Any = engine.checkpoint.tokenizer
    words = {"female": ["she", "my grandmother"], "male": ["he", "my brother"]}
    logs: dict[str, list[float]] = {}
    most = 0
    for name, wordings in words.items():
        logs[name] = []
        for word in wordings:
            pieces = tokenize(word, add_special_tokens=False)["input_ids"]
            most = max(most, len(pieces))
            text = " ".join(["[MASK]"] * len(pieces)) + " works as a nurse."
            ids = torch.tensor([tokenize(text)["input_ids"]])
            with torch.no_grad():
                rows = model(input_ids=ids).logits[0].double().log_softmax(-1)
            places = (ids[0] == tokenize.mask_token_id).nonzero()[:, 0].tolist()
            logs[name].append(sum(float(rows[p, t]) for p, t in zip(places, pieces, strict=True)))
    assert most >= 3
    request = Request("c", "p", 0, 1, 0, text=f"{SLOT} works as a nurse.")
    ((_, shares),) = engine.choices([request], lambda _: words)
    assert shares.lower == pytest.approx(shares_of(logs), rel=1e-4)
    with pytest.raises(UserError, match="needs a slot"):
        list(engine.choices([Request("c", "p", 0, 1, 0, text="no slot")], lambda _: words))


def test_other_words_can_be_hidden_without_a_score(masked_model: Path) -> None:
    engine = ChoicesEngine(str(masked_model), device="cpu")
    text = "she works as a nurse."
    tokenizer = engine.checkpoint.tokenizer
    row = masked_row(tokenizer, text, (0, 3), [(text.index("nurse"), text.index("nurse") + 5)])
    masks = np.array(row.ids) == tokenizer.mask_token_id
    scored = np.array(row.targets) >= 0
    assert scored.sum() == len(tokenizer.tokenize("she"))
    assert masks.sum() == scored.sum() + len(tokenizer.tokenize("nurse"))
    assert (scored <= masks).all()
