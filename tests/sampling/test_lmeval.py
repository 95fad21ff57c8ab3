from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.errors import UserError
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.sampling.lmeval import LmEvalEngine
from harness.terms import Draw, Message, Request, Sampling
from tests.sampling.faulty_server import FaultyServer
from tests.sampling.laws import ASK, asked, counted, homogeneity, texts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> LmEvalEngine:
    return LmEvalEngine(f"hf,pretrained={tiny_model},batch_size=64")


def test_its_law_is_that_of_the_transformers_engine(engine: LmEvalEngine, tiny_model: Path) -> None:
    ours = counted(CollapsedEngine(str(tiny_model)), asked(2000, seed=1))
    theirs = counted(engine, asked(200, seed=2, chunks=2))
    assert homogeneity(texts(ours), texts(theirs)) > 0.001


def test_filters_reach_the_model_and_its_own_defaults_do_not(engine: LmEvalEngine) -> None:
    engine.model.model.generation_config.top_k = 1  # as a generation_config.json may say
    free = counted(engine, asked(40))
    assert all(len(c) > 1 for c in free.values())
    bound = counted(engine, asked(40), Sampling(max_tokens=6, top_k=1))
    assert all(len(c) == 1 for c in bound.values())


def test_the_seed_of_a_chunk_decides_its_draws(engine: LmEvalEngine) -> None:
    first, second = asked(60, chunks=2)[:2]
    again = dict(engine.draw([first], ASK))
    both = dict(engine.draw([first, second], ASK))
    assert both[first] == again[first]
    assert both[first] != both[second]


def test_stop_strings_and_beginnings(engine: LmEvalEngine) -> None:
    person = asked(50)[0]
    begun = Request("c", "p", 0, 50, 3, (*person.messages, Message("assistant", "a")))
    assert engine.render(begun).endswith("<|assistant|>a")
    ((_, draws),) = engine.draw([begun], Sampling(max_tokens=6, stop=("om",)))
    assert {" w", " man"} <= {d.text for d in draws}
    assert not any("om" in d.text for d in draws)


def test_a_text_as_long_as_the_cap_is_cut(engine: LmEvalEngine) -> None:
    ((_, draws),) = engine.draw(asked(100)[:1], Sampling(max_tokens=2))
    by_text = {d.text: d for d in draws}
    assert by_text["female"].finish == "stop"
    assert by_text["<think>hm"].finish == "length"


def test_the_card_is_that_of_the_transformers_engine(engine: LmEvalEngine, tiny_model: Path) -> None:
    card, own = engine.card(), CollapsedEngine(str(tiny_model)).card()
    assert replace(card, engine=own.engine) == own
    assert card.engine["name"] == "lm-eval"


def test_each_clone_to_an_endpoint_has_its_own_seed() -> None:
    pytest.importorskip("tenacity")
    request = Request("c", "p", 0, 20, 2**40, (Message("user", "Who?"),))
    with FaultyServer({"female": 0.5, "male": 0.5}) as server:
        spec = f"local-chat-completions,model=tiny,base_url={server.url}/chat/completions,num_concurrent=4"
        ((_, draws),) = LmEvalEngine(spec).draw([request], ASK)
        assert sum(d.count for d in draws) == 20
        assert len({c.seed for c in server.calls}) == 20
        body = server.calls[0].body
    assert {d.text for d in draws} == {"female", "male"}
    assert (body["temperature"], body["top_p"], body["top_k"], body["max_tokens"]) == (1.0, 1.0, -1, 6)
    assert all(d == Draw(d.text, d.count) for d in draws), "what the endpoint does not tell is not made up"


def test_mistakes_are_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such model type") as unknown:
        LmEvalEngine("hff,pretrained=x")
    assert "hf" in unknown.value.nearest
    with pytest.raises(UserError, match="cannot make this model"):
        LmEvalEngine(f"hf,pretrained={tmp_path}").card()
