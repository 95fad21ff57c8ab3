"""``--dry-run``: what it says of draws, of measures without draws, and that it keeps nothing."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from harness import evaluate
from harness.cli.main import run as command
from harness.sampling.base import ModelCard, Served
from harness.scores import scores_of
from harness.settings import Settings
from harness.terms import Draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.terms import Request

SEED = "baselines/seed"


class Wordy:
    """Answers in as many tokens as it is told; stands for a model."""

    max_chunk = 100
    settles = 0

    def __init__(self, model: str, **options: object) -> None:
        self.tokens = int(model)

    def card(self) -> ModelCard:
        return ModelCard("wordy", engine={"name": "hf"})

    def render(self, request: Request) -> str:
        return f"<{request.prompt}>"

    def draw(
        self, requests: Sequence[Request], sampling: object, settled: object = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        Wordy.settles += settled is not None
        for request in requests:
            yield request, [Draw("male", request.n, "stop", self.tokens)]

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is about how well the time is told."""
    monkeypatch.setattr("harness.dryrun.ENOUGH", 0.05)


def dry(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert command(["evaluate", *arguments, "--dry-run"]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_tokens_are_those_of_the_model_s_own_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.sampling.hf.collapsed.CollapsedEngine", Wordy)
    said = dry(capsys, "7", "--task", "gender_us", "--target", "labor", "-n", "150")
    assert "28 prompts x 150 draws = 4,200 draws" in said
    assert "<badge>" in said
    assert f"about {4200 * 7:,} tokens ({4200 * 24:,} at most)" in said
    assert Wordy.settles, "asked with early settling, as the run asks"


class Waits(Wordy):
    """Takes two seconds for any number of prompts at once."""

    now, server = 0.0, False

    def card(self) -> ModelCard:
        return ModelCard("waits", engine={"name": "hf"}, server=Served() if self.server else None)

    def draw(
        self, requests: Sequence[Request], sampling: object, settled: object = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        Waits.now += 2
        return super().draw(requests, sampling, settled)


@pytest.mark.parametrize(("server", "told"), [(False, "2.0 s"), (True, "56.0 s")])
def test_prompts_that_share_their_time_are_tried_together_but_not_on_a_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], server: bool, told: str
) -> None:
    """A server's draws may cost money."""
    monkeypatch.setattr("harness.sampling.hf.collapsed.CollapsedEngine", Waits)
    monkeypatch.setattr("harness.dryrun.time", SimpleNamespace(monotonic=lambda: Waits.now))
    monkeypatch.setattr(Waits, "server", server)
    assert f"time: about {told} after loading" in dry(capsys, "7", "--task", "gender_us", "-n", "150")


def test_the_floor_is_that_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = dry(capsys, "known:target", "--task", "gender_us", "--target", "labor", "-n", "60")
    told = re.search(r"a perfect model's mean TV is (0\.\d+)", said)
    assert told
    run = evaluate("known:target", "gender_us", "labor", Settings(n=60, out=tmp_path))
    (result,) = scores_of(run).results
    floor = result.table.aggregate.scores["tv"].floor
    assert float(told[1]) == pytest.approx(floor, abs=2e-3)


@pytest.mark.parametrize("kind", ["masked", "causal"])
def test_choices_are_scored_and_nothing_is_drawn(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = dry(capsys, f"{SEED}/{kind}", "--task", "profession_gender", "--target", "labor")
    assert "450 prompts, the choices measure" in said
    assert "… has spent years as a security system installer." in said
    assert re.search(r"time: about [\d.]+ s", said)
    assert "no noise floor" in said
    assert "draws =" not in said


def test_the_exact_measure_is_tried_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    said = dry(capsys, f"{SEED}/causal", "--task", "gender_us", "--target", "labor", "--measure", "exact")
    assert "28 prompts, the exact measure" in said
    assert "no noise floor" in said


def test_an_enumeration_that_would_take_long_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = [f"{SEED}/causal", "--task", "story_gender_us", "--measure", "exact", "--epsilon", "0.0001"]
    monkeypatch.setattr("harness.dryrun.EXACT", 0.5)
    said = dry(capsys, *long)
    assert re.search(r"time: (over|about) [\d.,]+ (s|minutes)", said)
    told = re.search(r"leave (\d+) of (\d+) prompts with more undecided than epsilon, up to ([\d.]+)%", said)
    assert told
    assert 0 < int(told[1]) <= int(told[2])
    assert 0.01 < float(told[3]) <= 100
    said = dry(capsys, *long, "--max-seconds", "0.3")
    assert re.search(r"time: 0\.[3-9] s after loading, when the limit ends it", said), said


def test_a_dry_run_keeps_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dry(capsys, "known:target", "--task", "gender_us", "-n", "5", "-o", str(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()
