"""The exact measure against every output written down, and against a million draws."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors import safe_open
from transformers import TopKLogitsWarper, TopPLogitsWarper

from harness.errors import UserError
from harness.measuring import undecided
from harness.sampling.base import Limit, Shares
from harness.sampling.hf.cache import Forward
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.sampling.hf.exact import exact
from harness.terms import Draw, Request, Sampling
from tests.sampling.tiny_letters import EOS, every_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LENGTH = 4
PROMPTS = ("ab", "f", "cdeab")
REQUESTS = [Request(t, "p", 0, 1, 0, text=t) for t in PROMPTS]


def outcome(draw: Draw) -> str:
    """A class by the first of a and b, ends told apart."""
    first = min((draw.text.find(c), c) for c in "ab" if c in draw.text)[1] if set(draw.text) & {*"ab"} else ""
    return first or ("truncated" if draw.finish == "length" else "unparsed")


def decided(text: str) -> bool:
    return "a" in text or "b" in text


@pytest.fixture(scope="module")
def engine(letters_model: Path) -> CollapsedEngine:
    made = CollapsedEngine(str(letters_model), device="cpu")
    _ = made.checkpoint
    return made


def truth(
    folder: Path,
    engine: CollapsedEngine,
    text: str,
    warp: Callable[[torch.Tensor], torch.Tensor] = lambda x: x,
    read: Callable[[Draw], str] = outcome,
) -> dict[str, float]:
    """Share of each outcome over all outputs."""
    (prompt,) = engine.chat.encode([Request(text, "p", 0, 1, 0, text=text)])
    out: dict[str, float] = defaultdict(float)
    for tokens, mass in every_output(folder, prompt, LENGTH, warp):
        finish = "stop" if tokens[-1] == EOS else "length"
        (words,) = engine.chat.decode([tokens], engine.ends)
        out[read(Draw(words, 1, finish))] += mass  # type: ignore[arg-type]  # one of Finish
    return out


@pytest.mark.parametrize("settled", [None, decided])
@pytest.mark.parametrize("epsilon", [0.1, 1e-3, 1e-6])
def test_bounds_hold_the_truth_and_are_as_narrow_as_asked(
    letters_model: Path, engine: CollapsedEngine, epsilon: float, settled: Callable[[str], bool] | None
) -> None:
    for request, shares in exact(engine, REQUESTS, Sampling(max_tokens=LENGTH), outcome, settled, epsilon):
        true = truth(letters_model, engine, request.context)
        assert shares.undecided < epsilon
        assert sum(shares.lower.values()) + shares.undecided == pytest.approx(1)
        for name, share in true.items():
            lower = shares.lower.get(name, 0.0)
            assert lower - 1e-6 <= share <= lower + shares.undecided + 1e-6


@pytest.mark.parametrize(
    ("sampling", "warp"),
    [
        (Sampling(max_tokens=LENGTH, temperature=0.6), lambda x: x / 0.6),
        (Sampling(max_tokens=LENGTH, top_k=2), lambda x: TopKLogitsWarper(2)(None, x)),
        (Sampling(max_tokens=LENGTH, top_p=0.7), lambda x: TopPLogitsWarper(0.7)(None, x)),
        (
            Sampling(max_tokens=LENGTH, temperature=0.6, top_k=4, top_p=0.8),
            lambda x: TopPLogitsWarper(0.8)(None, TopKLogitsWarper(4)(None, x / 0.6)),
        ),
    ],
)
def test_sampling_parameters_count(
    letters_model: Path,
    engine: CollapsedEngine,
    sampling: Sampling,
    warp: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    for request, shares in engine.exact(REQUESTS, sampling, outcome, None, 1e-6):
        true = truth(letters_model, engine, request.context, warp)
        assert {k: v for k, v in shares.lower.items() if v > 1e-5} == pytest.approx(
            {k: v for k, v in true.items() if v > 1e-5}, abs=1e-5
        )


def test_stop_strings_end_an_output(letters_model: Path, engine: CollapsedEngine) -> None:
    def whole(draw: Draw) -> str:
        return draw.text.partition("c")[0]

    sampling = Sampling(max_tokens=LENGTH, stop=("c",))
    for request, shares in exact(engine, REQUESTS, sampling, lambda d: d.text, None, 1e-4):
        true = truth(letters_model, engine, request.context, read=whole)
        for text, share in true.items():
            lower = shares.lower.get(text, 0.0)
            assert lower - 1e-6 <= share <= lower + shares.undecided + 1e-6


def test_temperature_zero_is_one_outcome(engine: CollapsedEngine) -> None:
    for _, shares in exact(engine, REQUESTS, Sampling(max_tokens=LENGTH, temperature=0.0), lambda d: d.text):
        assert list(shares.lower.values()) == [1.0]


def test_a_million_draws_lie_within(engine: CollapsedEngine) -> None:
    sampling, n = Sampling(max_tokens=LENGTH), 1_000_000
    drawn = {
        r.context: d
        for r, d in engine.draw([Request(t, "p", 0, n, i, text=t) for i, t in enumerate(PROMPTS)], sampling)
    }
    for request, shares in exact(engine, REQUESTS, sampling, outcome, decided, 1e-3):
        seen: dict[str, int] = defaultdict(int)
        for draw in drawn[request.context]:
            seen[outcome(draw)] += draw.count
        for name, count in seen.items():
            error = 4.5 * (count * (n - count) / n) ** 0.5 / n
            lower = shares.lower.get(name, 0.0)
            assert lower - error <= count / n <= lower + shares.undecided + error


def test_work_ends_at_the_stated_number_of_prefixes(engine: CollapsedEngine) -> None:
    (result,) = exact(engine, REQUESTS[:1], Sampling(max_tokens=LENGTH), outcome, None, 1e-6, expansions=3)
    _, shares = result
    assert 0 < shares.undecided < 1
    assert sum(shares.lower.values()) + shares.undecided == pytest.approx(1)


@pytest.mark.parametrize("limit", [Limit(forwards=1), Limit(forwards=4), Limit(seconds=1e-9)])
def test_a_limit_ends_it_with_bounds_that_hold(
    letters_model: Path, engine: CollapsedEngine, limit: Limit
) -> None:
    sampling, before = Sampling(max_tokens=LENGTH), engine.forwards
    found = list(exact(engine, REQUESTS, sampling, outcome, None, 1e-6, limit))
    # A step that was begun is finished: it may read the prompts, the prefixes, and go on by one token.
    assert engine.forwards - before < (limit.forwards or 0) + 3
    assert {r.context for r, _ in found} == set(PROMPTS)
    for request, shares in found:
        assert not shares.ended
        assert shares.undecided > 1e-6
        for name, share in truth(letters_model, engine, request.context).items():
            lower = shares.lower.get(name, 0.0)
            assert lower - 1e-6 <= share <= lower + shares.undecided + 1e-6


def test_each_group_of_prompts_gets_its_part_of_the_limit(
    engine: CollapsedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.sampling.hf.exact.GROUP", 1)
    found = list(exact(engine, REQUESTS, Sampling(max_tokens=LENGTH), outcome, None, 1e-6, Limit(forwards=9)))
    assert all(0 < s.undecided < 1 for _, s in found)


def test_an_interrupt_keeps_the_bounds(engine: CollapsedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    run, calls = Forward._run, 0

    def stopped(self: Forward, ids: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return run(self, ids)

    monkeypatch.setattr(Forward, "_run", stopped)
    found: dict[str, Shares] = {}
    results = exact(engine, REQUESTS, Sampling(max_tokens=LENGTH), outcome, None, 1e-6)
    with pytest.raises(KeyboardInterrupt):
        found.update((request.context, shares) for request, shares in results)
    assert set(found) == set(PROMPTS)
    assert all(0 < s.undecided < 1 and not s.ended for s in found.values())


def in_pieces(engine: CollapsedEngine, kept: Path, forwards: int) -> Iterator[dict[str, Shares]]:
    """What each call finds that continues from where the one before was ended."""
    sampling, limit = Sampling(max_tokens=LENGTH), Limit(forwards=forwards, kept=kept)
    found: dict[str, Shares] = {}
    while len(found) < len(REQUESTS) or not all(s.ended for s in found.values()):
        left = [r for r in REQUESTS if r.context not in found or not found[r.context].ended]
        found |= {r.context: s for r, s in exact(engine, left, sampling, outcome, None, 1e-3, limit)}
        yield dict(found)


@pytest.mark.parametrize("forwards", [5, 30])
def test_what_a_limit_ended_continues_from_there(
    letters_model: Path,
    engine: CollapsedEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    forwards: int,
) -> None:
    monkeypatch.setattr("harness.sampling.hf.exact.FILL", 8)
    monkeypatch.setattr("harness.sampling.hf.exact.PASS", 200)
    start = engine.forwards
    (whole,) = in_pieces(engine, tmp_path / "none", 10**6)
    once = engine.forwards - start
    pieces = list(in_pieces(engine, tmp_path / "kept", forwards))
    parts = engine.forwards - start - once
    assert len(pieces) > 2
    # What a limit ends in the middle of a descent is read again from the prompt: a few forwards a call, not all of them.
    assert parts <= 2 * once + 6 * len(pieces)
    for earlier, later in pairwise(pieces):
        assert all(later[c].undecided <= earlier[c].undecided + 1e-12 for c in PROMPTS)
    assert all(s.ended for s in pieces[-1].values())
    for context in PROMPTS:
        true, lower = truth(letters_model, engine, context), pieces[-1][context].lower
        assert pieces[-1][context].undecided < 1e-3
        assert lower == pytest.approx(dict(whole[context].lower), abs=2e-3)
        for name, share in true.items():
            assert lower[name] - 1e-6 <= share <= lower[name] + 1e-3


def raise_at(monkeypatch: pytest.MonkeyPatch, stop: int, error: BaseException) -> None:
    """At this forward pass, and at no other."""
    run, calls = Forward._run, 0

    def stopped(self: Forward, ids: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == stop:
            raise error
        return run(self, ids)

    monkeypatch.setattr(Forward, "_run", stopped)


@pytest.mark.parametrize("stop", [1, 2, 4, 12])
def test_what_an_interrupt_ended_continues_from_the_pass_before(
    letters_model: Path, engine: CollapsedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    monkeypatch.setattr("harness.sampling.hf.exact.FILL", 8)
    monkeypatch.setattr("harness.sampling.hf.exact.PASS", 200)
    raise_at(monkeypatch, stop, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        list(in_pieces(engine, tmp_path, 10**6))
    begun = engine.forwards
    (found,) = in_pieces(engine, tmp_path, 10**6)
    again = engine.forwards - begun
    list(in_pieces(engine, tmp_path / "none", 10**6))
    anew = engine.forwards - begun - again
    assert again <= anew
    assert stop < 12 or again < anew, "what was done before the interrupt is not done again"
    for context in PROMPTS:
        assert found[context].undecided < 1e-3
        for name, share in truth(letters_model, engine, context).items():
            assert found[context].lower.get(name, 0.0) == pytest.approx(share, abs=1e-3)


def test_what_is_known_is_written_on_the_way_so_that_a_kill_loses_little(
    engine: CollapsedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.sampling.hf.exact.PASS", 200)
    monkeypatch.setattr("harness.sampling.hf.kept.SECONDS", 0.0)
    raise_at(monkeypatch, 12, RuntimeError("killed"))  # nothing is written after it
    with pytest.raises(RuntimeError, match="killed"):
        list(in_pieces(engine, tmp_path, 10**6))
    known = []
    for path in tmp_path.iterdir():
        with safe_open(path, framework="numpy") as file:
            known.append(json.loads(file.metadata()["tree"]))
    assert len(known) == len(PROMPTS)
    assert all(tree["expanded"] > 1 and 0 < sum(tree["decided"].values()) < 1 for tree in known)


@pytest.mark.parametrize("damage", ["", "other", "half", "flipped"])
def test_a_damaged_file_of_what_was_kept_is_told_and_the_prompt_begins_anew(
    engine: CollapsedEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    next(in_pieces(engine, tmp_path, 4))
    files = sorted(tmp_path.iterdir())
    assert len(files) == len(PROMPTS)
    for path in files:
        whole = path.read_bytes()
        flipped = whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]
        path.write_bytes({"": b"", "other": b"\xff" * 400, "half": whole[:200], "flipped": flipped}[damage])
    (found,) = in_pieces(engine, tmp_path, 10**6)
    assert capsys.readouterr().err.count("cannot be read") == len(PROMPTS)
    assert all(s.ended and s.undecided < 1e-3 for s in found.values())


def test_few_leaves_in_memory_widen_the_bounds_and_no_more(
    letters_model: Path, engine: CollapsedEngine
) -> None:
    for request, shares in exact(
        engine, REQUESTS, Sampling(max_tokens=LENGTH), outcome, None, 1e-6, expansions=40
    ):
        for name, share in truth(letters_model, engine, request.context).items():
            lower = shares.lower.get(name, 0.0)
            assert lower - 1e-6 <= share <= lower + shares.undecided + 1e-6


def test_what_stays_undecided_is_said(
    engine: CollapsedEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.sampling.hf.clock.Heartbeat.due", lambda self: True)
    list(exact(engine, REQUESTS, Sampling(max_tokens=LENGTH), outcome, None, 1e-6, expansions=600))
    assert "of 3 prompts done" in capsys.readouterr().err
    done = {("nurse", "ask"): {"gender": (0.5, 0.2, 0.3)}, ("cook", "ask"): {"gender": (0.5, 0.4999, 1e-4)}}
    said = undecided(done, 1e-3)
    assert "1 of 2 prompts" in said
    assert "up to 0.3 (nurse/ask)" in said
    assert undecided(done, 0.4) == ""
    assert "a limit ended 1 of them" in undecided(done, 1e-3, [("nurse", "ask")])


def test_settling_saves_forwards_and_memory_running_out_changes_nothing(
    letters_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampling = Sampling(max_tokens=LENGTH)
    run = Forward._run
    rows: list[int] = []

    def limited(self: Forward, ids: torch.Tensor) -> torch.Tensor:
        if len(ids) > 40:
            raise torch.OutOfMemoryError
        rows.append(len(ids))
        return run(self, ids)

    whole = CollapsedEngine(str(letters_model), device="cpu")
    requests = REQUESTS[:1]
    expected = {r.context: s for r, s in whole.exact(requests, sampling, outcome, None, 1e-4)}
    poor = CollapsedEngine(str(letters_model), device="cpu")
    _ = poor.checkpoint
    monkeypatch.setattr(Forward, "_run", limited)
    for request, shares in poor.exact(requests, sampling, outcome, None, 1e-4):
        assert shares.undecided < 1e-4
        for name, lower in shares.lower.items():
            assert lower == pytest.approx(expected[request.context].lower[name], abs=2e-4)
    unsettled = sum(rows)
    rows.clear()
    list(poor.exact(requests, sampling, outcome, decided, 1e-4))
    assert sum(rows) < unsettled / 2


@pytest.mark.parametrize("temperature", [1.0, 0.0])
def test_probabilities_that_are_no_numbers_are_an_error(
    engine: CollapsedEngine, monkeypatch: pytest.MonkeyPatch, temperature: float
) -> None:
    monkeypatch.setattr(Forward, "_run", lambda self, ids: torch.full((len(ids), 9), torch.nan))
    with pytest.raises(UserError, match="NaN") as err:
        list(exact(engine, REQUESTS, Sampling(max_tokens=LENGTH, temperature=temperature), outcome))
    assert err.value.where in {f"{r.context}/{r.prompt}" for r in REQUESTS}


def test_a_prompt_beyond_the_window_fails(engine: CollapsedEngine) -> None:
    long = Request("long", "p", 0, 1, 0, text="a" * 40)
    found = {r.context: s for r, s in exact(engine, [long, *REQUESTS], Sampling(max_tokens=LENGTH), outcome)}
    assert found["long"].lower == {"failed": 1.0}
    assert len(found) == 4
