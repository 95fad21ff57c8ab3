"""llama.cpp draws from the same law as our own engine, and its draws are accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")
pytest.importorskip("xllamacpp")

from scipy.stats import chi2_contingency

from harness.errors import UserError
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.sampling.llamacpp import LlamaCppEngine
from harness.terms import Draw, Message, Request, Sampling
from tests.sampling.tiny import question
from tests.sampling.tiny_gguf import write_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def engine(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaCppEngine]:
    folder = tmp_path_factory.mktemp("llamacpp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        engine = LlamaCppEngine(str(write_gguf(tiny_model, folder / "tiny.gguf")))
        yield engine
        engine.close()


def _asked(person: str, n: int, seed: int = 5) -> Request:
    return Request(person, "p", 0, n, seed, (Message("user", question(person)),))


def _draws(engine: LlamaCppEngine | CollapsedEngine, request: Request, **sampling: float) -> dict[str, Draw]:
    law = Sampling(max_tokens=int(sampling.pop("max_tokens", 12)), **sampling)  # type: ignore[arg-type]  # by name
    ((found, draws),) = list(engine.draw([request], law))
    assert found == request
    assert sum(d.count for d in draws) == request.n
    return {d.text + d.finish: d for d in draws}


def test_the_law_is_that_of_our_own_engine(engine: LlamaCppEngine, tiny_model: Path) -> None:
    theirs = _draws(engine, _asked("pilot", 400))
    ours = _draws(CollapsedEngine(str(tiny_model)), _asked("pilot", 50_000))
    often = [text for text, draw in ours.items() if draw.count >= 600]
    assert len(often) >= 3
    table = [
        [*counts, n - sum(counts)]
        for n, counts in (
            (400, [theirs[t].count if t in theirs else 0 for t in often]),
            (50_000, [ours[t].count for t in often]),
        )
    ]
    assert chi2_contingency(table).pvalue > 1e-3
    for text in set(often) & set(theirs):
        assert theirs[text].tokens == ours[text].tokens


def test_top_k_of_one_is_the_best_token_whatever_the_seed(engine: LlamaCppEngine, tiny_model: Path) -> None:
    theirs = [_draws(engine, _asked("nurse", 9, seed), top_k=1) for seed in (1, 2)]
    assert theirs[0] == theirs[1] == _draws(CollapsedEngine(str(tiny_model)), _asked("nurse", 9), top_k=1)


def test_draws_of_one_seed_are_the_same_and_of_two_not(engine: LlamaCppEngine) -> None:
    first, again, other = (_draws(engine, _asked("cook", 40, seed)) for seed in (3, 3, 2**40 + 9))
    assert {t: d.count for t, d in first.items()} == {t: d.count for t, d in again.items()}
    assert {t: d.count for t, d in first.items()} != {t: d.count for t, d in other.items()}


def test_lengths_stops_and_windows(engine: LlamaCppEngine) -> None:
    for draw in _draws(engine, _asked("clerk", 20), max_tokens=1).values():
        assert draw.tokens == 1
        assert draw.finish == "length"
    ((_, stopped),) = engine.draw([_asked("clerk", 60)], Sampling(max_tokens=12, stop=("ale",)))
    assert {d.text for d in stopped} & {"m", "fem"}
    assert not any("ale" in d.text for d in stopped)
    assert all(d.finish == "stop" for d in stopped if d.text in ("m", "fem"))
    ((_, (failed,)),) = engine.draw([Request("c", "p", 0, 3, 1, text="a b " * 300)], Sampling(max_tokens=4))
    assert (failed.finish, failed.count) == ("failed", 3)
    assert "window is 256" in failed.error


def test_what_is_no_gguf_is_refused(tiny_model: Path) -> None:
    with pytest.raises(UserError, match=r"llama\.cpp reads GGUF files"):
        LlamaCppEngine(str(tiny_model))
