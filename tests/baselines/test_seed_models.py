"""The shipped tiny chat model loads, speaks the formats that the rest needs, and holds the distributions stated."""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from baselines.klkto.steering import steering_tokens
from baselines.rows import Row
from baselines.seed import causal_path, corpus, distributions, questions
from harness.tasks.prompts import render, select
from harness.tasks.target import load_target
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness.tasks.prompts import Rendered
    from harness.tasks.task import Task

MOST_BYTES = 4_000_000


@cache
def tokenizer(path: Path) -> PreTrainedTokenizerBase:
    found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(path)
    return found


@cache
def causal() -> PreTrainedModel:
    found: PreTrainedModel = AutoModelForCausalLM.from_pretrained(causal_path())
    return found


def test_the_folder_is_small_and_whole() -> None:
    path = causal_path()
    assert sum(p.stat().st_size for p in path.iterdir()) < MOST_BYTES
    assert json.loads((path / "config.json").read_text())["dtype"] == "float32"
    assert not list(path.glob("*.bin"))
    assert "no evidence about real models" in (path / "README.md").read_text(encoding="utf-8")


def test_it_loads_in_float32_and_is_finite() -> None:
    assert all(p.dtype == torch.float32 and bool(p.isfinite().all()) for p in causal().parameters())


def test_the_chat_template_and_the_tokenizer_go_round() -> None:
    tok = tokenizer(causal_path())
    turns = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "护士是男性还是女性？ Answer <think>so</think>  twice\n- in 2 lines."},
        {"role": "assistant", "content": "0女性。"},
    ]
    text = str(tok.apply_chat_template(turns, tokenize=False))
    assert text == "<|begin|>" + "".join(f"<|{t['role']}|>{t['content']}<|end|>" for t in turns)
    ids = tok(text, add_special_tokens=False)["input_ids"]
    assert tok.decode(ids, clean_up_tokenization_spaces=False) == text
    asked = str(tok.apply_chat_template(turns[:2], tokenize=False, add_generation_prompt=True))
    assert text.startswith(asked)
    before = tok(asked, add_special_tokens=False)["input_ids"]
    assert ids[: len(before)] == before
    assert ids[-1] == tok.eos_token_id
    assert ids.count(tok.bos_token_id) == 1


def test_plain_text_gets_its_beginning() -> None:
    tok = tokenizer(causal_path())
    assert tok("he is a plumber.")["input_ids"][0] == tok.bos_token_id


def test_every_digit_is_one_token_at_the_head_of_an_answer() -> None:
    row = Row("", "p", (("user", "Male or female?"),), "", "male", "Male")
    texts = ["Male", "女性", "0", " 1", "<think>", "A story. She"]
    ids = steering_tokens(tokenizer(causal_path()), row, 10, texts)
    assert len(set(ids)) == 10


def short_answers(task: Task, asked: Sequence[Rendered]) -> np.ndarray:
    """Exact probability of each class by all its wordings in the corpus; one row per prompt."""
    model, tok = causal(), tokenizer(causal_path())
    labels = list(next(iter(task.attributes.values())).classes)
    rng = np.random.default_rng(0)
    said = [sorted({questions.said(label, task.language, rng) for _ in range(200)}) for label in labels]
    found = np.zeros((len(asked), len(labels)))
    for i, question in enumerate(asked):
        turns = [{"role": m.role, "content": m.content} for m in question.messages]
        text = str(tok.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        before = tok(text, add_special_tokens=False)["input_ids"]
        for j, wordings in enumerate(said):
            for wording in wordings:
                after = [*tok(wording, add_special_tokens=False)["input_ids"], tok.eos_token_id]
                with torch.no_grad():
                    logits = model(torch.tensor([before + after])).logits[0, len(before) - 1 : -1]
                logs = logits.log_softmax(-1)[torch.arange(len(after)), torch.tensor(after)]
                found[i, j] += float(logs.sum().exp())
    return found


@pytest.mark.parametrize("name", ["gender_us", "race_us", "sentiment_us", "gender_zh"])
def test_short_answers_are_valid_and_near_the_stated_distribution(name: str) -> None:
    task = load_task(name)
    attribute = next(iter(task.attributes))
    asked = render(task, *select(task, "all", "test"))[::2]
    found = short_answers(task, asked)
    assert found.sum(1).mean() > 0.97
    stated = np.array([list(distributions.occupation(attribute, r.context).values()) for r in asked])
    shares = found / found.sum(1, keepdims=True)
    assert np.abs(shares - stated).sum(1).mean() / 2 < 0.05
    if "labor" in task.attributes[attribute].targets:
        contexts = [r.context for r in asked]
        labour = load_target(str(task.attributes[attribute].targets["labor"]))
        target = labour.matrix(task, task.attributes[attribute], contexts)
        assert np.abs(shares - target).sum(1).mean() / 2 > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["causal", "masked", "text"])
def test_training_is_the_same_twice(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module(f"baselines.seed.{name}")
    some = corpus.causal(0)[:400]
    monkeypatch.setattr(corpus, "causal", lambda seed: some)
    for number in ("STATED", "KNOWN", "AGREEING", "PLAIN_EN"):
        monkeypatch.setattr(corpus, number, 2)
    monkeypatch.setattr(module, "VOCABULARY", 600)
    for folder in ("first", "second"):
        torch.rand(3)  # the state that the caller leaves must not matter
        module.make(tmp_path / folder, seed=1)
    for file in sorted((tmp_path / "first").iterdir()):
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes(), file.name


@pytest.mark.vllm
def test_vllm_gives_the_same_distribution() -> None:
    from vllm import LLM, SamplingParams

    tok = tokenizer(causal_path())
    turns = [{"role": "user", "content": "Registered nurses: male or female?"}]
    text = str(tok.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    ids = tok(text, add_special_tokens=False)["input_ids"]
    engine = LLM(str(causal_path()), dtype="float32", enforce_eager=True, max_model_len=512)
    settings = SamplingParams(max_tokens=1, logprobs=5)
    first = engine.generate([{"prompt_token_ids": ids}], settings)[0].outputs[0].logprobs[0]
    with torch.no_grad():
        logs = causal()(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    for token, found in first.items():
        assert found.logprob == pytest.approx(float(logs[token]), abs=1e-3)
