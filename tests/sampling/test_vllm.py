"""The real vLLM: ``make test-engines`` runs these where it is installed."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from scipy import stats

from harness.errors import UserError
from harness.sampling.hf.choices import ChoicesEngine
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.sampling.server.choices import ServerChoices
from harness.sampling.server.engine import ServerEngine
from harness.sampling.vllm import VllmEngine
from harness.terms import SLOT, Message, Request, Sampling
from tests.sampling.laws import ASK, asked, counted, homogeneity
from tests.sampling.tiny import PEOPLE, question
from tests.sampling.vllm_server import vllm_served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.sampling.base import Draws


def forms(n: int, seed: int) -> list[Request]:
    """A chat, a chat whose answer has begun, and plain text."""
    user = Message("user", question("pilot"))
    return [
        Request("chat", "p", 0, n, seed, (user,)),
        Request("begun", "p", 0, n, seed + n, (user, Message("assistant", "<think>hm"))),
        Request("text", "p", 0, n, seed + 2 * n, text="Is the pilot female or"),
    ]


def hostile(model: Path, folder: Path) -> Path:
    """A copy whose generation_config.json would make sampling all but greedy."""
    shutil.copytree(model, folder)
    config = json.loads((folder / "generation_config.json").read_text())
    bad = {"temperature": 0.1, "top_k": 1, "top_p": 0.1, "repetition_penalty": 5.0, "do_sample": True}
    (folder / "generation_config.json").write_text(json.dumps(config | bad))
    return folder


@pytest.fixture(scope="module")
def reference(tiny_model: Path) -> CollapsedEngine:
    return CollapsedEngine(str(tiny_model), device="cpu")


@pytest.fixture(scope="module")
def engine(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmEngine]:
    vllm = VllmEngine(str(hostile(tiny_model, tmp_path_factory.mktemp("vllm") / "tiny")), dtype="float32")
    yield vllm
    vllm.close()


@pytest.mark.vllm
def test_its_law_is_that_of_the_transformers_engine(engine: Draws, reference: Draws) -> None:
    assert homogeneity(counted(engine, asked(500, 1, chunks=2)), counted(reference, asked(3000, 2))) > 0.001


@pytest.mark.vllm
def test_over_twenty_seeds_outputs_have_the_law_of_the_transformers_engine(
    engine: Draws, reference: Draws
) -> None:
    message = Message("user", question("nurse"))
    asks = [Request(str(i), "p", 0, 400, 2**16 * i, (message,)) for i in range(20)]
    theirs = counted(engine, asks)
    ours = counted(reference, [replace(r, seed=r.seed + 2**16 * 20) for r in asks])
    p_values = [homogeneity({r.context: theirs[r.context]}, ours) for r in asks]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


@pytest.mark.vllm
@pytest.mark.parametrize(
    "sampling",
    [Sampling(0.7, 0.9, 4, 6), Sampling(max_tokens=8, stop=("an", " one")), Sampling(max_tokens=2)],
    ids=["filtered", "stopped", "cut"],
)
def test_parameters_mean_the_same(engine: Draws, reference: Draws, sampling: Sampling) -> None:
    theirs, ours = counted(engine, forms(1500, 10), sampling), counted(reference, forms(3000, 9), sampling)
    assert homogeneity(theirs, ours) > 0.001


@pytest.mark.vllm
def test_prompts_are_written_as_transformers_writes_them(
    engine: VllmEngine, reference: CollapsedEngine
) -> None:
    for request in forms(1, 0):
        assert engine.render(request) == reference.render(request)
    assert engine.chat.encode(forms(1, 0)) == reference.chat.encode(forms(1, 0))
    assert engine.card().template == reference.card().template
    assert engine.card().weights == reference.card().weights


@pytest.mark.vllm
def test_seeds_decide_the_draws_and_chunks_are_independent(engine: Draws) -> None:
    first, second = asked(200, chunks=2)[:2]
    (one,), (same,), (other,) = (counted(engine, [r]).values() for r in (first, first, second))
    assert one == same
    assert one != other


@pytest.mark.vllm
def test_a_prompt_beyond_the_window_fails_alone(engine: Draws) -> None:
    long = Request("long", "p", 0, 7, 1, text="female or male " * 200)
    results = dict(engine.draw([long, *asked(5)], ASK))
    (row,) = results.pop(long)
    assert (row.finish, row.count) == ("failed", 7)
    assert "window 256" in row.error
    assert all(d.finish != "failed" for draws in results.values() for d in draws)


@pytest.mark.vllm
def test_a_stream_left_early_leaves_nothing_behind(engine: VllmEngine) -> None:
    stream = engine.draw(asked(50, chunks=20), ASK)
    assert len(list(islice(stream, 2))) == 2
    stream.close()
    assert not engine.llm.llm_engine.has_unfinished_requests()
    counted(engine, asked(5))


@pytest.mark.vllm
def test_an_adapter_folder_is_its_base_with_the_adapter(tiny_model: Path, tmp_path: Path) -> None:
    merged = write_adapter(tiny_model, tmp_path / "adapter", tmp_path / "merged")
    adapted = VllmEngine(str(tmp_path / "adapter"))
    try:
        theirs = counted(adapted, asked(1000, 3))
        card = adapted.card()
    finally:
        adapted.close()
    ours = counted(CollapsedEngine(str(merged), device="cpu"), asked(2000, 4))
    assert homogeneity(theirs, ours) > 0.001
    plain = counted(CollapsedEngine(str(tiny_model), device="cpu"), asked(2000, 5))
    assert homogeneity(theirs, plain) < 1e-6, "the adapter changes the law"
    assert (card.model, card.adapter) == (str(tiny_model), str(tmp_path / "adapter"))
    assert card.weights
    assert card.adapter_weights


def write_adapter(base: Path, adapter: Path, merged: Path) -> Path:
    """A LoRA of rank 3 on the projections to the values, and the same model with it merged by hand."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(base / "model.safetensors")
    torch.manual_seed(0)
    low = {}
    for layer in range(2):
        name = f"model.layers.{layer}.self_attn.v_proj"
        a, b = torch.randn(3, 128) * 0.3, torch.randn(128, 3) * 0.3
        low[f"base_model.model.{name}.lora_A.weight"] = a
        low[f"base_model.model.{name}.lora_B.weight"] = b
        weights[f"{name}.weight"] = weights[f"{name}.weight"] + (6 / 3) * b @ a
    adapter.mkdir()
    save_file(low, adapter / "adapter_model.safetensors")
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(base),
        "r": 3,
        "lora_alpha": 6,
        "target_modules": ["v_proj"],
        "bias": "none",
    }
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    shutil.copytree(base, merged)
    save_file(weights, merged / "model.safetensors", metadata={"format": "pt"})
    return merged


@pytest.fixture(scope="module")
def served(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``vllm serve`` on a free port, with the defaults of a hostile generation_config.json."""
    folder = hostile(tiny_model, tmp_path_factory.mktemp("served") / "tiny")
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with vllm_served(sys.executable, folder, environment=environment) as url:
        yield url


@pytest.mark.vllm
def test_a_served_model_has_the_law_of_its_checkpoint(served: str, reference: Draws) -> None:
    engine = ServerEngine(served)
    assert homogeneity(counted(engine, asked(250, 1, chunks=4)), counted(reference, asked(3000, 2))) > 0.001
    told = engine.card().server
    assert told is not None
    assert (told.kind, told.not_taken, bool(told.version)) == ("vLLM", (), True)
    card, own = engine.card(), reference.card()
    assert (card.weights, card.template, card.contract) == (own.weights, own.template, own.contract)


@pytest.mark.vllm
def test_choices_at_a_server_are_those_of_our_own_engine(served: str, tiny_model: Path) -> None:
    ask = [*forms(1, 0), Request("slot", "p", 0, 1, 0, text=f"One {SLOT} pilot, please")]
    wordings = {"female": ("female", "a woman"), "male": ("male", "he")}
    theirs = dict(ServerChoices(ServerEngine(served)).choices(ask, lambda _: wordings))
    ours = dict(ChoicesEngine(str(tiny_model), device="cpu").choices(ask, lambda _: wordings))
    for request in ask:
        assert theirs[request].lower == pytest.approx(ours[request].lower, abs=2e-3)


@pytest.mark.vllm
def test_all_forms_of_prompts_are_served_alike(served: str, reference: Draws) -> None:
    engine = ServerEngine(served)
    for sampling in (Sampling(0.7, 0.9, 4, 6), Sampling(max_tokens=8, stop=("an",)), Sampling(max_tokens=2)):
        theirs, ours = counted(engine, forms(1000, 7), sampling), counted(reference, forms(3000, 8), sampling)
        assert homogeneity(theirs, ours) > 0.001


@pytest.mark.vllm
def test_the_server_s_refusals_are_understood(served: str) -> None:
    long = Request("long", "p", 0, 7, 1, text="female or male " * 200)
    results = dict(ServerEngine(served).draw([*asked(5), long], ASK))
    (row,) = results[long]
    assert (row.finish, row.count) == ("failed", 7)
    assert "context length" in row.error
    with pytest.raises(UserError, match="no model 'tinny'"):
        list(ServerEngine(f"tinny@{served}").draw(asked(1), ASK))


@pytest.mark.vllm
def test_equal_seeds_are_equal_draws_on_a_server(served: str) -> None:
    request = Request(PEOPLE[0], "ask", 0, 100, 12345, (Message("user", question(PEOPLE[0])),))
    one, two = (dict(ServerEngine(served).draw([request], ASK))[request] for _ in range(2))
    assert Counter({d.text: d.count for d in one}) == Counter({d.text: d.count for d in two})


def test_without_vllm_the_install_command_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("harness.sampling.vllm.find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs the package 'vllm'") as missing:
        VllmEngine(str(tmp_path))
    assert missing.value.hint == "pip install 'distalign[vllm]'"
