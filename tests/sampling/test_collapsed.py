"""Collapsed sampling: the law of separate draws, whatever shares the batch, and every way to end."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy import stats
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.errors import UserError
from harness.sampling.hf.budget import Budget, cpu_bytes
from harness.sampling.hf.cache import Forward
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.terms import Draw, Message, Request, Sampling
from tests.sampling.reference import generate
from tests.sampling.tiny import PEOPLE, question
from tests.sampling.tiny_letters import every_output, make_letters

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SAMPLING = Sampling(max_tokens=12)


def ask(person: str, n: int = 200, seed: int = 1, begun: str = "") -> Request:
    messages = [Message("user", question(person))]
    if begun:
        messages.append(Message("assistant", begun))
    return Request(person, "p", 0, n, seed, tuple(messages))


def everyone(n: int = 200, seed: int = 1) -> list[Request]:
    return [ask(p, n, seed * 100 + i) for i, p in enumerate(PEOPLE)]


def drawn(engine: CollapsedEngine, requests: Sequence[Request], *args: object) -> dict[str, list[Draw]]:
    """Draws by context, every request once."""
    out = {r.context: d for r, d in engine.draw(requests, *(args or (SAMPLING,)))}  # type: ignore[arg-type]  # args are draw's
    assert set(out) == {r.context for r in requests}
    for request in requests:
        assert sum(d.count for d in out[request.context]) == request.n
    return out


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> CollapsedEngine:
    made = CollapsedEngine(str(tiny_model), device="cpu")
    _ = made.checkpoint
    return made


@pytest.fixture(scope="module")
def by_generate(tiny_model: Path, engine: CollapsedEngine) -> dict[int, Counter[str]]:
    """Texts of 400 draws by transformers' own generate, per seed, for one prompt."""
    (prompt,) = engine.chat.encode([ask("nurse")])
    return {
        seed: Counter(
            engine.chat.decode(generate(tiny_model, prompt, 400, seed, max_new_tokens=12), engine.ends)
        )
        for seed in range(20)
    }


def homogeneity(a: Counter[str], b: Counter[str]) -> float:
    """p-value that two samples share a law; outputs pooled until each is expected five times."""
    texts = [t for t, c in (a + b).items() if c >= 10]
    table = np.array([[s[t] for t in texts] + [s.total() - sum(s[t] for t in texts)] for s in (a, b)])
    return float(stats.chi2_contingency(table[:, table.sum(0) >= 10]).pvalue)


def test_outputs_have_the_law_of_generate(
    engine: CollapsedEngine, by_generate: dict[int, Counter[str]]
) -> None:
    p_values = []
    for seed, theirs in by_generate.items():
        draws = drawn(engine, [ask("nurse", 400, seed)])["nurse"]
        p_values.append(homogeneity(Counter({d.text: d.count for d in draws}), theirs))
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("mistral", {"sliding_window": 3, "num_key_value_heads": 1}),
        ("mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2, "num_key_value_heads": 2}),
        ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 32}),
    ],
)
def test_outputs_have_the_probabilities_of_the_model_read_whole(
    tmp_path: Path, architecture: str, settings: dict[str, object]
) -> None:
    folder = make_letters(tmp_path, architecture, **settings)
    engine = CollapsedEngine(str(folder), device="cpu", batch=64)
    prompts = ("cdeab", "f")
    n, length = 20_000, 3
    requests = [Request(t, "p", 0, n, i, text=t) for i, t in enumerate(prompts)]
    draws = drawn(engine, requests, Sampling(max_tokens=length))
    for text, tokens in zip(prompts, engine.chat.encode(requests), strict=True):
        truth: dict[str, float] = defaultdict(float)
        for ids, mass in every_output(folder, tokens, length):
            (words,) = engine.chat.decode([ids], engine.ends)
            truth[words] += mass
        seen: Counter[str] = Counter()
        for draw in draws[text]:
            seen[draw.text] += draw.count
        often = [w for w, mass in truth.items() if mass * n >= 5]
        observed = [seen[w] for w in often]
        expected = [truth[w] * n for w in often]
        rest = n - sum(expected)
        assert stats.chisquare([*observed, n - sum(observed)], [*expected, rest]).pvalue > 1e-3


def test_draws_do_not_depend_on_what_shares_the_batch(tiny_model: Path, engine: CollapsedEngine) -> None:
    together = drawn(engine, [*everyone(), Request("raw", "p", 0, 100, 5, text="Is the")])
    small = CollapsedEngine(str(tiny_model), device="cpu", batch=3)
    assert drawn(small, [*everyone(), Request("raw", "p", 0, 100, 5, text="Is the")]) == together
    for request in everyone():
        assert drawn(engine, [request])[request.context] == together[request.context]


def test_the_same_seed_repeats_and_another_differs(engine: CollapsedEngine) -> None:
    first, again, other = (drawn(engine, [ask("cook", 300, s)]) for s in (7, 7, 8))
    assert first == again != other


def test_no_draw_is_lost_when_memory_runs_out(
    tiny_model: Path, engine: CollapsedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = drawn(engine, everyone())
    poor = CollapsedEngine(str(tiny_model), device="cpu")
    _ = poor.checkpoint
    run = Forward._run
    refused = []

    def limited(self: Forward, ids: torch.Tensor) -> torch.Tensor:
        if len(ids) > 5:
            refused.append(len(ids))
            raise torch.OutOfMemoryError
        return run(self, ids)

    monkeypatch.setattr(Forward, "_run", limited)
    assert drawn(poor, everyone()) == expected
    assert refused
    assert poor.budget.rows <= 5


def test_out_of_memory_with_one_row_is_said(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poor = CollapsedEngine(str(tiny_model), device="cpu")
    _ = poor.checkpoint

    def never(self: Forward, ids: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Forward, "_run", never)
    with pytest.raises(UserError, match="out of memory with a single sequence"):
        list(poor.draw(everyone(), SAMPLING))


def first_word(text: str) -> str:
    return next((w for w in ("female", "woman", "she", "male", "man") if w in text), "none")


def test_settled_draws_have_the_classes_of_unsettled_ones(engine: CollapsedEngine) -> None:
    def settled(text: str) -> bool:
        # Once "female" or "she" is there, nothing that follows changes first_word.
        return "female" in text

    def classes(draws: list[Draw]) -> Counter[str]:
        out: Counter[str] = Counter()
        for draw in draws:
            out[first_word(draw.text)] += draw.count
        return out

    early, late = drawn(engine, everyone(), SAMPLING, settled), drawn(engine, everyone(), SAMPLING)
    for context, draws in early.items():
        assert classes(draws) == classes(late[context])
    assert any(d.finish == "settled" for draws in early.values() for d in draws)


def test_settling_saves_forwards(tiny_model: Path) -> None:
    engine = CollapsedEngine(str(tiny_model), device="cpu")
    counts = []
    for settled in (None, lambda _: True):
        before = engine.forwards
        drawn(engine, everyone(), SAMPLING, settled)
        counts.append(engine.forwards - before)
    assert counts[1] < counts[0] / 3


@pytest.mark.parametrize("stop", [("e",), ("man", "ale"), ("one ", "zzz")])
def test_stop_strings_cut_the_text_where_they_begin(engine: CollapsedEngine, stop: tuple[str, ...]) -> None:
    cut: dict[str, Counter[str]] = {}
    for context, draws in drawn(engine, everyone(), SAMPLING).items():
        cut[context] = Counter()
        for draw in draws:
            at = min((i for i in map(draw.text.find, stop) if i >= 0), default=len(draw.text))
            cut[context][draw.text[:at]] += draw.count
    stopped = drawn(engine, everyone(), Sampling(max_tokens=12, stop=stop))
    for context, draws in stopped.items():
        assert {d.text: 0 for d in draws}.keys() == cut[context].keys()
        got: Counter[str] = Counter()
        for draw in draws:
            got[draw.text] += draw.count
            assert not any(s in draw.text for s in stop)
        assert got == cut[context]


def test_the_token_cap_is_length_and_the_end_is_stop(engine: CollapsedEngine) -> None:
    draws = drawn(engine, [ask("pilot", 500)], Sampling(max_tokens=2))["pilot"]
    assert {d.finish for d in draws} == {"stop", "length"}
    assert all(d.tokens <= 2 for d in draws)
    longer = drawn(engine, [ask("pilot", 500)], Sampling(max_tokens=3))["pilot"]
    short = sum(d.count for d in draws if d.finish == "stop")
    assert short == sum(d.count for d in longer if d.finish == "stop" and d.tokens <= 2)


def test_a_prompt_beyond_the_window_fails_alone(engine: CollapsedEngine) -> None:
    long = Request("long", "p", 0, 9, 3, text="male " * 400)
    out = drawn(engine, [long, ask("cook", 20)])
    assert out["long"][0].finish == "failed"
    assert "window" in out["long"][0].error
    assert all(d.finish != "failed" for d in out["cook"])


def test_a_distribution_cut_to_the_top_is_that_of_generate(tiny_model: Path, engine: CollapsedEngine) -> None:
    draws = drawn(engine, [ask("clerk", 300)], Sampling(max_tokens=12, top_k=1))["clerk"]
    (prompt,) = engine.chat.encode([ask("clerk")])
    (greedy,) = generate(tiny_model, prompt, 1, 0, do_sample=False, max_new_tokens=12, top_k=None, top_p=None)
    assert [d.text for d in draws] == engine.chat.decode([greedy], engine.ends)


def test_generation_config_changes_nothing_but_the_ends(
    tiny_model: Path, tmp_path: Path, engine: CollapsedEngine
) -> None:
    copy = shutil.copytree(tiny_model, tmp_path / "copy")
    male = engine.checkpoint.tokenizer("male", add_special_tokens=False)["input_ids"]
    settings = {"eos_token_id": [2, male[0]], "temperature": 0.1, "top_k": 1, "top_p": 0.1, "do_sample": True}
    (copy / "generation_config.json").write_text(json.dumps(settings))
    other = CollapsedEngine(str(copy), device="cpu")
    assert other.card().template == engine.card().template
    assert other.ends == {2, male[0]}
    theirs, ours = drawn(other, everyone()), drawn(engine, everyone())
    for context in ours:
        # Paths that never meet the new end are the same draws.
        kept = {d.text: d.count for d in ours[context] if d.text in ("female", "a woman", "either one")}
        assert {d.text: d.count for d in theirs[context] if d.text in kept} == kept


def test_an_adapter_is_its_merged_model_and_both_are_named(tiny_model: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(3)
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    wrapped = get_peft_model(
        base, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    )
    wrapped.peft_config["default"].base_model_name_or_path = str(tiny_model)
    wrapped.save_pretrained(tmp_path / "adapter")
    merged = wrapped.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path / "merged")
    adapter = CollapsedEngine(str(tmp_path / "adapter"), device="cpu")
    whole = CollapsedEngine(str(tmp_path / "merged"), device="cpu")
    plain = CollapsedEngine(str(tiny_model), device="cpu")
    assert drawn(adapter, everyone(50)) == drawn(whole, everyone(50)) != drawn(plain, everyone(50))
    card = adapter.card()
    assert (card.model, card.adapter) == (str(tiny_model), str(tmp_path / "adapter"))
    assert card.weights == plain.card().weights != card.adapter_weights != ""


def test_open_ended_draws_stay_apart_with_bounded_rows(tiny_model: Path) -> None:
    engine = CollapsedEngine(str(tiny_model), device="cpu", batch=16)
    request = Request("raw", "p", 0, 120, 11, text="")
    draws = drawn(engine, [request], Sampling(max_tokens=24, temperature=3.0))["raw"]
    assert len(draws) > 100
    assert engine.forward.rows <= 16


def test_draws_do_not_depend_on_where_prompts_are_kept(
    tiny_model: Path, engine: CollapsedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.sampling.hf.cache.ON_PROMPTS", 1)
    apart = CollapsedEngine(str(tiny_model), device="cpu")
    assert drawn(apart, everyone(50)) == drawn(engine, everyone(50))
    assert apart.forward.least_on_prompts == 1


def test_what_is_long_under_way_is_told(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.sampling.hf.collapsed.SILENT_SECONDS", 0.0)
    engine = CollapsedEngine(str(tiny_model), device="cpu", batch=2)
    drawn(engine, everyone(50))
    told = [
        list(map(int, re.findall(r"[\d]+", line)))
        for line in capsys.readouterr().err.splitlines()
        if "under way" in line
    ]
    total = 50 * len(PEOPLE)
    assert told
    for draws, texts, at, most, waiting, *_ in told:
        assert 1 <= texts <= min(draws, 2)
        assert 1 <= at < most == SAMPLING.max_tokens
        assert draws + waiting <= total


def test_a_forecast_counts_the_tokens_of_a_run(engine: CollapsedEngine) -> None:
    requests, sampling = everyone(500), Sampling(max_tokens=40)
    drew = sum(d.count * d.tokens for _, found in engine.draw(requests, sampling) for d in found)
    assert engine.left() == 0
    assert engine.forecast(requests, sampling, None, 100).tokens == pytest.approx(drew)
    assert engine.forecast(requests, sampling, None, 0).tokens == pytest.approx(drew, rel=0.3)


def test_a_forecast_of_an_output_that_cannot_be(engine: CollapsedEngine) -> None:
    long = Request("a", "p", 0, 5, 1, (Message("user", "word " * 5000),))
    assert engine.forecast([long], SAMPLING, None, 0).tokens == 0


def test_nothing_to_draw(engine: CollapsedEngine) -> None:
    assert list(engine.draw([], SAMPLING)) == []


@pytest.mark.parametrize(
    ("weights", "n", "prompts"), [(135_000_000, 10, 14), (135_000_000, 1000, 1), (3_000_000, 10, 50)]
)
def test_prompts_begin_together_only_where_that_makes_draws_faster(
    weights: int, n: int, prompts: int
) -> None:
    budget = Budget(torch.device("cpu"), 49152, weights=weights)
    owners, lengths = np.arange(50), np.full(50, 60)
    assert budget.fit(owners, lengths, 0, n) == prompts
    # What was set aside goes on as it fits into memory.
    assert budget.fit(owners, lengths, 5) == 50
    assert Budget(torch.device("cpu"), 49152, 500, weights).fit(owners, lengths, 0, 10) == 50


@pytest.mark.parametrize(
    ("written", "bytes_"), [("max\n", None), (f"{2**34}\n", 2**31), (f"{2**31}\n", 2**30)]
)
def test_a_container_limits_the_memory_of_caches(
    written: str, bytes_: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(written)
    monkeypatch.setattr("harness.sampling.hf.budget.CGROUP", limit)
    monkeypatch.setattr("os.sysconf", {"SC_PHYS_PAGES": 2**24, "SC_PAGE_SIZE": 2**12}.get)
    assert cpu_bytes() == (2**36 // 8 if bytes_ is None else bytes_)
