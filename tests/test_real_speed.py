"""The benchmark of real models: what is run in which order, and what the page makes of it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from harness.records import read
from tests.benchmarks import real_speed
from tests.benchmarks.real_speed import (
    DTYPES,
    STORED,
    WAYS,
    Arm,
    Prepared,
    SpeedRecord,
    SpeedRow,
    Timed,
    arms,
    draws_needed,
    page,
    rate,
)

if TYPE_CHECKING:
    from pathlib import Path


def row(way: str, n: int, turn: int, draws: int, seconds: float, dtype: str = "float32") -> SpeedRow:
    return SpeedRow(
        model="smollm2", way=way, dtype=dtype, n=n, round=turn, prompts=2, draws=draws, seconds=seconds
    )


def test_ways_take_turns_and_none_is_left_out() -> None:
    found = list(arms(["smollm2", "sft"]))
    assert len(set(found)) == len(found)
    exact, short = DTYPES
    for model, turn in itertools.product(("smollm2", "sft"), (1, 2)):
        ways = {(a.way, a.dtype) for a in found if (a.model, a.round) == (model, turn)}
        stored = set() if model == "sft" else {("llamacpp", STORED)}
        assert (
            ways - {(w, short) for w in WAYS} == {(w, exact) for w in ("generate", "vllm", "ours")} | stored
        )
    assert [(a.model, a.way, a.round) for a in found if a.dtype == short] == [
        ("smollm2", way, 1) for way in ("generate", "vllm", "ours")
    ]
    turns = [a.round for a in found if a.model == "smollm2" and a.dtype != short]
    assert turns == sorted(turns)
    assert {n for a in found if a.way == "ours" for n in a.measures} == {100, 1000}


def test_the_page_shows_draws_a_second_over_both_rounds() -> None:
    record = SpeedRecord(
        machine="2 processors",
        rows=(
            row("generate", 100, 1, 100, 20.0),
            row("generate", 100, 2, 100, 30.0),
            row("ours", 100, 1, 200, 10.0),
            row("ours", 1000, 1, 1000, 40.0),
        ),
        needed={"smollm2": 500},
    )
    assert rate(record, "smollm2", "generate", "float32", 1000) == pytest.approx(4.0)
    assert rate(record, "smollm2", "vllm", "float32", 100) is None
    lines = page(record).splitlines()
    assert "| transformers `generate` | float32 | 4.0 | 4.0 | 125 |" in lines
    assert "| distalign | float32 | 20.0 | 25.0 | 20.0 |" in lines
    assert not any("vLLM `n=` |" in line or "Gemma" in line for line in lines[:3] + lines[-8:])


def test_draws_needed_are_those_of_an_exact_interval() -> None:
    # Two classes, half each: Clopper and Pearson at 96% is 0.03 wide to each side at some 1,170 draws.
    assert 1_050 < draws_needed({"male": 500, "female": 500}) < 1_350
    assert real_speed.HALFWIDTH == 0.03


def test_a_stopped_benchmark_goes_on_and_tries_again_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Arm, tuple[int, ...]]] = []

    def fake(arm: Arm, _model: Prepared, measures: dict[int, int], _engines: Path) -> Timed:
        asked.append((arm, tuple(measures)))
        if arm.way == "vllm" and len(asked) < 20:
            return Timed([], {})
        counted = {"outcomes": {"male": 50, "female": 50}} if arm.way == "ours" else {}
        rows = [{"n": n, "prompts": p, "draws": 100, "seconds": 2.0, **counted} for n, p in measures.items()]
        return Timed(rows, {"MLP": 3.0} if arm.way == "ours" else {})

    monkeypatch.setattr(real_speed, "timed", fake)
    monkeypatch.setattr(real_speed, "prepare", lambda *_: Prepared(tmp_path, "", [], []))
    out = tmp_path / "speed.json"
    real_speed.run(out, {"smollm2": "m"}, tmp_path)
    first, failed = len(asked), [a for a, _ in asked if a.way == "vllm"]
    asked.extend([asked[0]] * 20)
    found = real_speed.run(out, {"smollm2": "m"}, tmp_path)
    assert [a for a, _ in asked[first + 20 :]] == failed
    assert found == read(out, SpeedRecord, hint="")
    assert found.profile == {"smollm2": {"float32": {"MLP": 3.0}, "bfloat16": {"MLP": 3.0}}}
    assert rate(found, "smollm2", "vllm", "bfloat16", 100) == pytest.approx(50.0)
    assert 1_000 < found.needed["smollm2"] < 1_400
