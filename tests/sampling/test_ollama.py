"""Ollama: no law that nobody asked for, neither its defaults nor a Modelfile's."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from harness.errors import UserError
from harness.sampling.open import open_engine, parse
from harness.sampling.server import ollama
from harness.sampling.server.engine import ServerEngine
from harness.terms import Message, Request, Sampling
from tests.sampling.ollama_server import OllamaServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.terms import Draw

LOGITS = {"female": 2.0, "male": 1.5, "nurse": 1.4, "either": 0.2, "neither": -0.5, "I": -1.0}
STATED = {w: float(np.exp(x) / sum(np.exp(list(LOGITS.values())))) for w, x in LOGITS.items()}
ASKED = [Request("c", "p", 0, 40, 11, messages=(Message("user", "Is the nurse female?"),))]
PLAIN = Sampling()
MODELFILE: list[tuple[str, str | float]] = [
    ("top_k", 3),
    ("temperature", 0.2),
    ("stop", "<|im_end|>"),
    ("stop", "either"),
    ("num_ctx", 2048),
    ("num_gpu", 1),
]


def engine(server: OllamaServer) -> ServerEngine:
    return ServerEngine(ollama.spec(f"tiny@{server.root}"), pause=0.001, tries=3, only_ollama=True)


def drawn(asked: ServerEngine, requests: Sequence[Request] = ASKED, sampling: Sampling = PLAIN) -> list[Draw]:
    ((_, draws),) = list(asked.draw(requests, sampling))
    return draws


def test_the_law_is_the_stated_one_whatever_the_modelfile_says() -> None:
    with OllamaServer(LOGITS, MODELFILE) as server:
        drawn(engine(server), [Request("c", "p", 0, 1, 5, messages=ASKED[0].messages)])
        sent = server.calls[-1][1]["options"]
        assert isinstance(sent, dict)
        assert server.law(server.options({}), "nurse") != pytest.approx(STATED)
        assert server.law(server.options(sent), "Is the nurse female?") == pytest.approx(STATED)
        for key, neutral in {"top_k": 0, "top_p": 1, "min_p": 0, "repeat_penalty": 1, "mirostat": 0}.items():
            assert sent[key] == neutral


@pytest.mark.parametrize("prefix", ["ollama:tiny@{}", "server:tiny@{}/v1"])
def test_draws_have_the_stated_law_by_either_name(prefix: str) -> None:
    with OllamaServer(LOGITS, MODELFILE) as server:
        found = open_engine(parse(prefix.format(server.root)))
        assert isinstance(found, ServerEngine)
        draws = drawn(found, [Request("c", "p", 0, 200, 3, messages=ASKED[0].messages)])
        seeds = [
            b["options"]["seed"]
            for p, b in server.calls
            if p == "/api/chat" and isinstance(b["options"], dict)
        ]
        card = found.card()
    assert len(set(seeds)) == 200
    counts = Counter({d.text: d.count for d in draws})
    expected = [200 * STATED[w] for w in LOGITS]
    assert stats.chisquare([counts[w] for w in LOGITS], expected).pvalue > 1e-3
    assert card.engine["name"] == "ollama"
    assert card.revision == "f" * 64
    assert card.server is not None
    assert (card.server.kind, card.server.version) == ("Ollama", "0.12.6")
    assert card.server.set_aside == ("top_k 3", "temperature 0.2", "stop either", "num_ctx 2048")
    assert card.server.adds == ("stop <|im_end|>",), "the template writes it: it marks the end of a turn"


def test_what_a_task_asks_for_is_sent() -> None:
    with OllamaServer(LOGITS, MODELFILE) as server:
        sampling = Sampling(temperature=0.7, top_p=0.9, top_k=2, max_tokens=9, stop=("\n",))
        texts = {d.text for d in drawn(engine(server), sampling=sampling)}
        sent = server.calls[-1][1]["options"]
    assert texts <= {"female", "male"}
    assert isinstance(sent, dict)
    assert (sent["num_predict"], sent["stop"]) == (9, ["\n", "<|im_end|>"])


def test_plain_text_is_sent_raw() -> None:
    with OllamaServer(LOGITS) as server:
        drawn(engine(server), [Request("c", "p", 0, 2, 1, text="The nurse is")])
        path, body = server.calls[-1]
    assert (path, body["prompt"], body["raw"]) == ("/api/generate", "The nurse is", True)


def test_the_window_holds_every_prompt_and_is_never_made_smaller() -> None:
    windows = []
    with OllamaServer(LOGITS) as server:
        sampler = engine(server)
        for text in ("short", "long " * 1000, "short", "too long " * 1000):
            drawn(sampler, [Request("c", "p", 0, 1, 1, text=text)])
            sent = server.calls[-1][1]["options"]
            assert isinstance(sent, dict)
            windows.append(sent["num_ctx"])
    assert windows == [4096, 8192, 8192, 8192], "the model was made for 8192"


def test_an_answer_that_ran_out_of_the_window_is_no_draw() -> None:
    full = {"done": True, "done_reason": "length", "message": {"content": "x"}, "eval_count": 4000}
    with OllamaServer(LOGITS, answers=[{**full, "prompt_eval_count": 96}] * 3) as server:
        with pytest.raises(UserError, match="do not fit into 4096") as err:
            drawn(engine(server), [Request("c", "p", 0, 1, 1, text="x")])
        assert err.value.problem == "the server gives no draws"


def test_a_model_that_thinks_is_told_to_and_its_thoughts_stand_before_the_answer() -> None:
    with OllamaServer(LOGITS, thinks=True) as server:
        draws = drawn(engine(server))
        assert server.calls[-1][1]["think"] is True
    assert all(d.text.startswith("<think>hm</think>") for d in draws)
    with OllamaServer(LOGITS) as server:
        drawn(engine(server))
        assert "think" not in server.calls[-1][1]


def test_a_begun_answer_is_sent_only_where_the_server_shows_that_it_goes_on() -> None:
    begun = [Request("c", "p", 0, 3, 1, messages=(Message("user", "Who?"), Message("assistant", "She")))]
    with OllamaServer(LOGITS) as server:
        assert sum(d.count for d in drawn(engine(server), begun)) == 3
    with OllamaServer(LOGITS, continues=False) as server, pytest.raises(UserError, match="goes on with"):
        drawn(engine(server), begun)
    with OllamaServer(LOGITS, old=True) as server, pytest.raises(UserError, match="goes on with") as err:
        drawn(engine(server), begun)
    assert err.value.found == "no prompt to look at"


def test_ollama_behind_v1_alone_is_noticed() -> None:
    for owner in ("library", "somebody"):
        with (
            OllamaServer(LOGITS, only_v1=True, owner=owner) as server,
            pytest.raises(UserError, match=r"keeps its own top_k") as err,
        ):
            drawn(ServerEngine(f"tiny@{server.root}/v1"))
        assert "ollama:" in err.value.hint


def test_a_modelfile_that_cannot_be_replaced_and_a_model_that_is_not_there() -> None:
    with OllamaServer(LOGITS, [("rope_frequency_base", 10000.0)]) as server:
        with pytest.raises(UserError, match="no call can replace") as err:
            engine(server).card()
        assert err.value.found == "rope_frequency_base"
        with pytest.raises(UserError, match="has no model 'tinny'") as missing:
            ServerEngine(ollama.spec(f"tinny@{server.root}")).card()
    assert missing.value.nearest == "tiny:latest"
    assert missing.value.hint == "ollama pull tinny"


def test_a_system_message_of_the_model_is_told() -> None:
    with OllamaServer(LOGITS, system="You are \x1b[31mbold") as server:
        served = engine(server).card().server
    assert served is not None
    assert served.adds == ("system message “You are [U+001B][31mbold” where a prompt has none",)


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ("", "http://localhost:11434"),
        ("0.0.0.0", "http://localhost:11434"),  # noqa: S104  # where it listens, as users set it
        ("box:1234", "http://box:1234"),
        (":1234", "http://localhost:1234"),
        ("https://box", "https://box:443"),
        ("http://box/ollama", "http://box:80/ollama"),
        ("[::1]", "http://[::1]:11434"),
    ],
)
def test_where_ollama_is_looked_for(told: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", told)
    assert ollama.spec("qwen3:0.6b") == f"qwen3:0.6b@{url}"
    assert ollama.spec("a@http://there") == "a@http://there"
