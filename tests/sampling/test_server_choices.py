"""The choices measure at a server: only where its probabilities are shown to be the model's own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pytest

from harness.errors import UserError
from harness.sampling.base import can
from harness.sampling.open import open_engine, parse
from harness.sampling.server.choices import ServerChoices
from harness.terms import Message, Request
from tests.sampling.faulty_server import FaultyServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.sampling.faulty_server import Json

WORDINGS = {"first": ("ab", "b"), "second": ("ca",)}
LOGITS = {"a": 1.0, "b": 0.5, "c": -1.0}
Told = Literal["own", "sampled", "nan", "none"]


@dataclass
class Letters:
    """A model of letters: each comes with the same probability whatever stands before it. Served as ``kind``."""

    kind: Literal["llama.cpp", "vLLM"]
    tells: Told = "own"

    def logs(self, body: Mapping[str, object]) -> dict[int, float]:
        """Letter's code -> logarithm of what it tells of its probability."""
        temperature = float(str(body["temperature"])) if self.tells == "sampled" else 1.0
        best = self.tells == "sampled" and body["top_k"] == 1
        kept = {k: v / temperature for k, v in LOGITS.items() if k == "a" or not best}
        total = math.log(sum(map(math.exp, kept.values())))
        return {ord(k): math.nan if self.tells == "nan" else v - total for k, v in kept.items()}

    def answer(self, path: str, body: Json) -> Json | None:
        """What a path gives, None where there is none."""
        if path == {"llama.cpp": "/props", "vLLM": "/version"}[self.kind]:
            return {"total_slots": 2, "build_info": "b1-abcdef", "version": "0.11"}
        if path in ("/completion", "/v1/completions"):
            return None if self.tells == "none" else self.told(body)
        text = str(body.get("content", body.get("prompt", _written(body))))
        ids = body.get("tokens")
        found: dict[str, Json] = {
            "/apply-template": {"prompt": text},
            "/tokenize": {"tokens": [ord(c) for c in text]},
            "/detokenize": {"prompt": "".join(map(chr, ids if isinstance(ids, list) else []))},
        }
        return found.get(path)

    def told(self, body: Json) -> Json:
        """Probabilities of the next letter, or of those of a prompt."""
        logs, ids = self.logs(body), body["prompt"]
        assert isinstance(ids, list)
        if self.kind == "llama.cpp":
            rows = [{"id": k, "logprob": v} for k, v in logs.items()]
            return {"completion_probabilities": [{"top_logprobs": rows}]}
        told = [{str(k): {"logprob": logs[k]}} if k in logs else None for k in ids]
        return {"choices": [{"prompt_logprobs": [None, *told[1:]]}]}


def _written(body: Json) -> str:
    turns = body.get("messages", [])
    assert isinstance(turns, list)
    return "".join(f"<{t['role']}>{t['content']}" for t in turns) + ">"


ASKED = [
    Request("c", "chat", 0, 1, 0, messages=(Message("user", "Which?"),)),
    Request("c", "text", 0, 1, 0, text="Which?"),
]


def shares(letters: Letters) -> list[dict[str, float]]:
    owner = {"llama.cpp": "llamacpp", "vLLM": "vllm"}[letters.kind]
    with FaultyServer({}, owner=owner, beside=letters.answer) as server:
        engine = open_engine(parse(f"server:tiny@{server.url}"), measure="choices")
        assert isinstance(engine, ServerChoices)
        assert can(engine, "choices")
        assert not can(engine, "draws")
        return [dict(s.lower) for _, s in engine.choices(ASKED, lambda _: WORDINGS)]


@pytest.mark.parametrize("kind", ["llama.cpp", "vLLM"])
def test_shares_are_those_of_the_stated_law(kind: Literal["llama.cpp", "vLLM"]) -> None:
    p = {k: math.exp(v) / sum(map(math.exp, LOGITS.values())) for k, v in LOGITS.items()}
    blank = p["a"] * p["b"] + p["b"], p["c"] * p["a"]
    expected = {"first": blank[0] / sum(blank), "second": blank[1] / sum(blank)}
    chat, text = shares(Letters(kind))
    assert chat == pytest.approx(expected)
    assert text == pytest.approx(expected), "the blank that both wordings have is not scored"


@pytest.mark.parametrize("kind", ["llama.cpp", "vLLM"])
@pytest.mark.parametrize("tells", ["sampled", "nan"])
def test_probabilities_that_are_not_the_models_own_are_refused(
    kind: Literal["llama.cpp", "vLLM"], tells: Told
) -> None:
    with pytest.raises(UserError, match="not the model's own"):
        shares(Letters(kind, tells))


@pytest.mark.parametrize(
    ("path", "told", "message"),
    [
        ("/tokenize", {"tokens": [1, "2"]}, "tells no tokens"),
        ("/tokenize", {"tokens": [1] * 400}, "too many tokens"),
        ("/tokenize", {"tokens": [1, 2]}, "same tokens of all wordings"),
        ("/apply-template", {"prompt": None}, "tells no prompt"),
        ("/apply-template", {"prompt": "\ud800"}, "tells no prompt"),
        ("/completion", {"completion_probabilities": [{"top_logprobs": 5}]}, "not the model's own"),
        (
            "/completion",
            {"completion_probabilities": [{"top_logprobs": [{"id": [], "logprob": 10**400}]}]},
            "not the model's own",
        ),
    ],
)
def test_answers_that_are_none(path: str, told: Json, message: str) -> None:
    class Odd(Letters):
        def answer(self, asked: str, body: Json) -> Json | None:
            return told if asked == path else super().answer(asked, body)

    with pytest.raises(UserError, match=message):
        shares(Odd("llama.cpp"))


def test_no_probabilities_and_another_server_are_told() -> None:
    with pytest.raises(UserError, match="no answer that can be read"):
        shares(Letters("llama.cpp", "none"))
    with FaultyServer({}, owner="sglang") as server:
        engine = open_engine(parse(f"server:tiny@{server.url}"), measure="choices")
        assert isinstance(engine, ServerChoices)
        with pytest.raises(UserError, match="does not tell the probabilities") as err:
            list(engine.choices(ASKED, lambda _: WORDINGS))
    assert err.value.found == "SGLang"
