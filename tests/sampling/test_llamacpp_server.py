"""A real llama.cpp server, asked as anybody's is: its law is that of our own engine, and what it says is believed."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

pytest.importorskip("torch")
pytest.importorskip("xllamacpp")

import harness
from harness.sampling.hf.choices import ChoicesEngine
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.sampling.server.choices import ServerChoices
from harness.sampling.server.engine import ServerEngine
from harness.terms import SLOT, Draw, Message, Request, Sampling
from tests.sampling.laws import asked, counted, homogeneity
from tests.sampling.tiny import question
from tests.sampling.tiny_gguf import write_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xllamacpp import Server

MODELS = Path(os.environ.get("DISTALIGN_MODELS", "models"))
SLOTS = 3


def serve(path: Path) -> Server:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * 512
    params.warmup, params.verbosity, params.port = False, 0, 0
    params.cpuparams.n_threads = 1
    # Settings of the server's own, which no call may leave in force.
    params.sampling.top_k, params.sampling.temp, params.sampling.penalty_repeat = 2, 0.2, 1.5
    return xllamacpp.Server(params)


@pytest.fixture(scope="module")
def file(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tiny_model, tmp_path_factory.mktemp("served") / "tiny.gguf")


@pytest.fixture(scope="module")
def engine(file: Path) -> Iterator[ServerEngine]:
    server = serve(file)
    yield ServerEngine(f"{server.listening_address}/v1")
    del server


def test_the_law_is_that_of_our_own_engine(engine: ServerEngine, tiny_model: Path) -> None:
    ours = counted(CollapsedEngine(str(tiny_model)), asked(3000, 2))
    assert homogeneity(counted(engine, asked(30, 1)), ours) > 1e-3


def test_it_says_what_it_is(engine: ServerEngine) -> None:
    told = httpx.get(f"{engine.card().engine['url'].removesuffix('/v1')}/props").json()
    own = told["default_generation_settings"]["params"]
    assert (own["top_k"], round(own["temperature"], 3)) == (2, 0.2), "the law would not be ours by itself"
    card = engine.card()
    assert card.server is not None
    assert card.server.kind == "llama.cpp"
    assert card.server.version
    assert card.server.not_stated == card.server.not_taken == ()
    assert card.weights == hashlib.sha256(Path(told["model_path"]).read_bytes()).hexdigest()
    assert len(card.template) == 64
    assert engine.concurrency <= SLOTS


def test_the_server_that_the_documents_start_answers(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(harness.__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "xllamacpp" in block)
    drawn: list[Draw] = []

    def meanwhile(_: str) -> None:
        served = ServerEngine(f"{capsys.readouterr().out.strip()}/v1")
        drawn.extend(d for _, draws in served.draw(asked(5), Sampling(max_tokens=4)) for d in draws)

    here = code.replace("FILE.gguf", str(file)).replace("8080", "0")
    assert here.count(str(file)) == 1
    exec(here, {"input": meanwhile})  # noqa: S102  # our own page
    assert sum(d.count for d in drawn) == 5 * len(asked(5))
    assert {d.error for d in drawn} == {""}


def test_draws_of_one_seed_are_the_same_and_of_two_not(engine: ServerEngine) -> None:
    def texts(seed: int) -> list[tuple[str, int]]:
        request = Request("c", "p", 0, 20, seed, (Message("user", question("cook")),))
        ((_, draws),) = engine.draw([request], Sampling(max_tokens=8))
        return sorted((d.text, d.count) for d in draws)

    assert texts(3) == texts(3) != texts(2**40 + 9)


@pytest.mark.real
def test_a_real_model_has_the_law_of_our_own_engine() -> None:
    path = MODELS / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if not path.is_file():
        pytest.skip(f"{path} is not there: python -m baselines.real fetch, or DISTALIGN_MODELS=FOLDER")
    ask = [
        Request(c, "p", 0, 200, seed, (Message("user", f"Is the {c} female or male? One word."),))
        for seed, c in ((1, "nurse"), (2**40, "pilot"))
    ]
    first = Sampling(max_tokens=2)
    server = serve(path)
    theirs = counted(ServerEngine(f"{server.listening_address}/v1"), ask, first)
    ours = counted(CollapsedEngine(str(path)), [replace(r, n=4000) for r in ask], first)
    assert homogeneity(theirs, ours) > 1e-3


def test_choices_are_those_of_our_own_engine(engine: ServerEngine, tiny_model: Path) -> None:
    user = Message("user", question("pilot"))
    ask = [
        Request("chat", "p", 0, 1, 0, (user,)),
        Request("begun", "p", 0, 1, 0, (user, Message("assistant", "It is"))),
        Request("text", "p", 0, 1, 0, text="The pilot is"),
        Request("slot", "p", 0, 1, 0, text=f"One {SLOT} pilot, please"),
    ]
    wordings = {"female": ("female", "a woman"), "male": ("male", "he"), "other": ("xylophone",)}
    theirs = dict(ServerChoices(engine).choices(ask, lambda _: wordings))
    ours = dict(ChoicesEngine(str(tiny_model)).choices(ask, lambda _: wordings))
    for request in ask:
        assert theirs[request].lower == pytest.approx(ours[request].lower, abs=2e-3)
    assert max(max(s.lower.values()) for s in ours.values()) > 0.5
