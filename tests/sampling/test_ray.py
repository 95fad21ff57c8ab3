from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from scipy import stats

from harness.errors import UserError
from harness.runs.seeds import chunk_seed
from harness.sampling.base import drawing
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.sampling.open import open_engine, parse
from harness.sampling.ray import RayEngine
from harness.terms import Request, Sampling
from tests.sampling.laws import asked, counted, homogeneity
from tests.sampling.ray_engines import SHARES, TEXTS, Known

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.terms import Draw


def requests(count: int, n: int = 20) -> list[Request]:
    return [
        Request(f"c{i}", "p", 0, n, chunk_seed(0, f"c{i}", "p", 0), text=f"who is c{i}") for i in range(count)
    ]


def drawn(engine: RayEngine, asked: list[Request]) -> dict[Request, list[Draw]]:
    results = list(engine.draw(asked, Sampling()))
    assert len(results) == len(asked)
    assert {r for r, _ in results} == set(asked)
    return dict(results)


@pytest.fixture(scope="module")
def _cluster() -> Iterator[None]:
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.ray
@pytest.mark.usefixtures("_cluster")
def test_all_prompts_come_from_two_replicas_with_the_right_law(tmp_path: Path) -> None:
    engine = RayEngine("known", Known(str(tmp_path)), replicas=2)
    results = drawn(engine, requests(100))
    counts: Counter[str] = Counter()
    for draws in results.values():
        assert sum(d.count for d in draws) == 20
        counts.update({d.text: d.count for d in draws})
    expected = [2000 * s for s in SHARES]
    assert stats.chisquare([counts[t] for t in TEXTS], expected).pvalue > 0.001
    assert len(list(tmp_path.glob("worker-*"))) == 2


@pytest.mark.ray
@pytest.mark.usefixtures("_cluster")
def test_the_prompts_of_a_killed_worker_go_back_in_the_queue(tmp_path: Path) -> None:
    (tmp_path / "calm").mkdir()
    calm = drawn(RayEngine("known", Known(str(tmp_path / "calm")), replicas=2), requests(60))
    engine = RayEngine("known", Known(str(tmp_path), fatal="c33", deaths=2), replicas=2)
    killed = drawn(engine, requests(60))
    assert len(list(tmp_path.glob("death-*"))) == 2
    assert killed == calm, "the same seeds give the same draws, whatever died on the way"


@pytest.mark.ray
@pytest.mark.usefixtures("_cluster")
def test_a_prompt_that_kills_every_worker_is_a_failed_row_and_costs_no_other(tmp_path: Path) -> None:
    engine = RayEngine("known", Known(str(tmp_path), fatal="c3", deaths=1000), replicas=2)
    results = drawn(engine, requests(6))
    failed = {r.context for r, draws in results.items() if any(d.finish == "failed" for d in draws)}
    assert failed == {"c3"}
    (row,) = next(draws for r, draws in results.items() if r.context == "c3")
    assert row.count == 20
    assert row.error


@pytest.mark.ray
@pytest.mark.usefixtures("_cluster")
def test_replicas_of_a_model_have_its_law(tiny_model: Path) -> None:
    engine = drawing(open_engine(parse(f"ray:{tiny_model}"), {"device": "cpu", "replicas": 2}))
    assert engine.max_chunk == CollapsedEngine.max_chunk
    theirs = counted(engine, asked(250, 1, chunks=4), settled=lambda text: len(text) > 100)
    own = CollapsedEngine(str(tiny_model), device="cpu")
    assert homogeneity(theirs, counted(own, asked(1000, 2))) > 0.001
    card = engine.card()
    assert replace(card, engine={}) == replace(own.card(), engine={})
    assert card.engine["name"] == "ray/hf"
    assert engine.render(asked(1)[0]) == own.render(asked(1)[0])


@pytest.mark.ray
@pytest.mark.usefixtures("_cluster")
def test_the_card_and_the_prompt_are_those_of_a_replica(tmp_path: Path) -> None:
    engine = RayEngine("known", Known(str(tmp_path)), replicas=2)
    assert engine.card().model == "known"
    assert engine.card().engine == {"name": "ray/known", "replicas": "2"}
    assert engine.render(requests(1)[0]) == "WHO IS C0"


@pytest.mark.ray
@pytest.mark.usefixtures("_cluster")
def test_a_mistake_of_the_user_on_a_worker_is_a_user_error_here(tmp_path: Path) -> None:
    engine = RayEngine("ghost", Known(str(tmp_path), broken=True), replicas=1)
    with pytest.raises(UserError, match="no such model folder") as card:
        engine.card()
    assert card.value.where == "ghost"
    with pytest.raises(UserError, match="no such model folder"):
        drawn(engine, requests(4))
    with pytest.raises(UserError, match="no such model folder"):
        drawn(engine, requests(40))


def test_without_ray_the_install_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr("harness.sampling.ray.find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs the package 'ray\\[data\\]'") as missing:
        open_engine(parse("ray:vllm:x"))
    assert missing.value.hint == "pip install 'distalign[ray]'"
