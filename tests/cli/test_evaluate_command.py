"""The command ``evaluate``: its options from everywhere, its mistakes in one message, sweeps over models and tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.cli.main import run as command
from harness.runs.folder import Run
from harness.sampling.base import ModelCard
from harness.terms import Draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.terms import Request


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["known:target", "--task", "gender_uss"], "gender_us"),
        (["known:target", "--task", "gender_us", "--target", "labour"], "labor"),
        (["known:nowhere.yaml", "--task", "gender_us"], "no such file"),
        (["known:labor", "--task", "gender_us"], "known:target and --target labor"),
        (["known:target,shfit=0.1", "--task", "gender_us", "--target", "labor"], "shift"),
        (["known:target,shift=2", "--task", "gender_us", "--target", "labor"], "from 0 to 1"),
        (["known:target", "--task", "gender_us", "--target", "labor", "-n", "0"], "1 or more"),
        (["known:target", "--task", "gender_us", "--target", "labor", "-n", "9" * 20], "1,000,000,000"),
        (["known:target", "--task", "gender_us", "--target", "labor", "--temperature", "nan"], "0 to 10"),
        (["known:target", "--task", "gender_us", "--target", "labor", "--top-p", "nan"], "above 0, to 1"),
        (["known:target", "--task", "gender_us", "--target", "labor", "--epsilon", "nan"], "probability"),
        (
            ["known:target", "--task", "gender_us", "--target", "labor", "--until-halfwidth", "nan"],
            "half-width",
        ),
        (["known:target", "--task", "gender_us", "--target", "labor", "--seed", "-1"], "2^63"),
        (["known:target", "--task", "gender_us", "--target", "labor", "-n", "many"], "not a valid integer"),
        (["known:target", "--task", "gender_us", "--target", "labor", "--temperature", "0"], "temperature 0"),
        (["known:target", "--task", "gender_us", "--target", "labor", "--split", "tset"], "test"),
        (["known:target", "--task", "gender_us", "--target", "labor", "--measure", "exactly"], "exact"),
        (["known:target", "--task", "gender_us", "--target", "labor", "--shard", "3/2"], "1/4"),
        (["known:target", "--task", "gender_us", "--target", "labor", "--shard", "²/3"], "1/4"),
        (["known:target", "--task", "gender_us", "--target", "labor", "--shard", "1/" + "9" * 5000], "1/4"),
        (["known:target", "--task", "gender_us", "--taget", "labor"], "--target"),
        (["known:target", "--task", "gender_us", "--backend", "vlm"], "vllm"),
        (["vlm:model", "--task", "gender_us"], "vllm"),
        (["known:target", "--task", "gender_us", "--target", "labor", "-c", "no.yaml"], "no such file"),
        (["server:model", "--task", "gender_us", "--target", "labor"], "http"),
        (["--task", "gender_us"], "MODEL"),
    ],
)
def test_bad_commands_are_one_message(
    tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["evaluate", *arguments, "-o", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.err.count("distalign:") == 1
    assert list(tmp_path.rglob("*.parquet")) == []


def test_a_mistake_that_all_targets_share_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluate", "known:target", "--task", "gender_us", "--contexts", "nurse", "-o", str(tmp_path)]
    assert command(asked) == 2
    told = capsys.readouterr().err
    assert told.count("no such context") == 1
    assert "4 of 4 runs" in told


def test_options_from_a_file_yield_to_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("task: gender_us\ntarget: [labor]\nn: 7\nmax-tokens: 5\n")
    assert (
        command(["evaluate", "known:target", "-c", str(config), "-n", "9", "-o", str(tmp_path / "runs")]) == 0
    )
    run = Run.open(next((tmp_path / "runs").glob("**/manifest.json")).parent)
    assert run.n == 9
    assert run.identity.sampling.max_tokens == 5
    config.write_text("task: gender_us\nn: 7\nmaxtokens: 5\n")
    capsys.readouterr()
    assert command(["evaluate", "known:target", "-c", str(config)]) == 2
    assert "run.yaml:3:maxtokens" in capsys.readouterr().err


def test_environment_variables_are_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTALIGN_EVALUATE_N", "6")
    assert (
        command(["evaluate", "known:target", "--task", "gender_us", "--target", "labor", "-o", str(tmp_path)])
        == 0
    )
    assert Run.open(next(tmp_path.glob("**/manifest.json")).parent).n == 6


def test_a_sweep_opens_a_model_once_for_all_its_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []

    class Male:
        """Answers "male" to everything; stands for a model that is dear to load."""

        max_chunk = 100

        def __init__(self, model: str, **options: object) -> None:
            made.append(model)

        def card(self) -> ModelCard:
            return ModelCard("male", engine={"name": "hf"})

        def render(self, request: Request) -> str:
            return request.text

        def draw(
            self, requests: Sequence[Request], sampling: object, settled: object = None
        ) -> Iterator[tuple[Request, list[Draw]]]:
            for request in requests:
                yield request, [Draw("male", request.n, "stop", 1)]

        def close(self) -> None:
            made.append("closed")

    pytest.importorskip("torch", reason="the module that loads models")
    monkeypatch.setattr("harness.sampling.hf.collapsed.CollapsedEngine", Male)
    arguments = ["evaluate", "one", "two", "--task", "gender_us", "--task", "gender_zh", "-n", "2"]
    arguments += ["--target", "uniform"]
    assert command([*arguments, "-o", str(tmp_path)]) == 0, capsys.readouterr().err
    assert made == ["one", "closed", "two", "closed"]


def test_a_known_model_that_is_none_stops_a_sweep_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "known:target,shfit=0.1", "--task", "gender_us", "--task", "gender_zh"]
    assert command([*arguments, "-o", str(tmp_path / "runs")]) == 2
    said = capsys.readouterr().err
    assert said.count("unknown option") == 1
    assert "shift" in said
    assert not (tmp_path / "runs").exists()
