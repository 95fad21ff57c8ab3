"""Settings that cannot be meant: one message each, from Python as from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import compare, evaluate, load_target, load_task, score
from harness.errors import UserError
from harness.runs.folder import Run
from harness.runs.plan import MOST_CHUNKS, grow
from harness.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

NAN = float("nan")
BAD: dict[str, list[object]] = {
    "n": [0, -1, "5", 5.0, True, None, 10**9 + 1, NAN],
    "seed": [-1, 1.5, "a", None, 2**63],
    "epsilon": [NAN, 0, 1, "x"],
    "until": [NAN, 0, 2, "x"],
    "shard": [(0, 2), (3, 2), "1/2", (1,), 1, (1.0, 2), (1, 2, 3)],
    "measure": ["exactly", None, ["draws"]],
    "split": [None, 3],
    "paraphrases": [3],
    "backend": [None],
    "engine": ["x", None],
    "allow_greedy": ["yes"],
    "out": [None, 5, ""],
    "sampling": [[1], None, {"temprature": 1}],
    "system": [None, 3, ["x"]],
    "prompts": [3, ""],
    "continue_from": [None, " ", 3],
    "contexts": ["nurse", None, [1], [""]],
    "no_such_setting": [1],
}
BAD_SAMPLING: dict[str, list[object]] = {
    "temperature": [-1, NAN, float("inf"), "hot", None, True, 10.1],
    "top_p": [0, 2, NAN, -0.1],
    "top_k": [-1, 1.5, NAN],
    "max_tokens": [0, 10**6, 2.5],
    "stop": ["x", [1], [""], None],
}


@pytest.mark.parametrize(("name", "value"), [(k, v) for k, values in BAD.items() for v in values])
def test_a_setting_that_cannot_be_meant_is_one_message(name: str, value: object) -> None:
    with pytest.raises(UserError) as told:
        Settings().changed({name: value})
    assert told.value.expected


@pytest.mark.parametrize(("name", "value"), [(k, v) for k, values in BAD_SAMPLING.items() for v in values])
def test_a_sampling_parameter_that_cannot_be_meant_is_one_message(name: str, value: object) -> None:
    with pytest.raises(UserError) as told:
        Settings(sampling={name: value})
    assert told.value.where
    assert told.value.expected


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="setting") as told:
        Settings().changed({"sampel": {}, "n": 3})
    assert told.value.nearest.startswith("sampling")
    with pytest.raises(UserError) as told:
        Settings(sampling={"temprature": 1})
    assert told.value.nearest == "temperature"


def test_values_that_can_be_meant_are_taken() -> None:
    given = {"temperature": 0, "top_p": 1, "top_k": 0, "max_tokens": 1, "stop": ["x"]}
    made = Settings(n=10**9, seed=2**63 - 1, shard=(2, 2), until=1, sampling=given, out="there")  # type: ignore[arg-type]  # a text too is a path
    assert made.out == Path("there")
    assert made.changed({"allow_greedy": True}).effective(load_task("gender_us")).stop == ("x",)


def test_more_draws_than_an_engine_can_be_asked_for_are_refused_at_once() -> None:
    assert sum(grow([], 10 * MOST_CHUNKS, 10)) == 10 * MOST_CHUNKS
    with pytest.raises(UserError, match="more than this engine"):
        grow([], 10 * MOST_CHUNKS + 1, 10)


@pytest.mark.parametrize(
    "call",
    [
        lambda: evaluate(None, "gender_us"),  # type: ignore[arg-type]
        lambda: evaluate("known:uniform", None),  # type: ignore[arg-type]
        lambda: evaluate("known:uniform", ["gender_us"]),  # type: ignore[arg-type]
        lambda: evaluate("known:uniform", "gender_us", None),  # type: ignore[arg-type]
        lambda: evaluate("known:uniform", "gender_us", 3),  # type: ignore[arg-type]
        lambda: evaluate("known:uniform", "gender_us", "labor", {"n": 5}),  # type: ignore[arg-type]
        lambda: evaluate("known:uniform", "gender_us", "labor", engines="hf"),  # type: ignore[arg-type]
        lambda: score(None),  # type: ignore[arg-type]
        lambda: compare(None, 3),  # type: ignore[arg-type]
        lambda: compare(Path("nowhere"), "nowhere"),
        lambda: load_task(5),  # type: ignore[arg-type]
        lambda: load_target(None),  # type: ignore[arg-type]
        lambda: Run.open(5),  # type: ignore[arg-type]
    ],
)
def test_arguments_of_a_wrong_type_are_one_message(call: Callable[[], object]) -> None:
    with pytest.raises(UserError):
        call()


def test_a_path_is_taken_for_a_model_a_task_and_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = evaluate(Path("known:uniform"), load_task("gender_us").source.path, "labor", n=2, out="runs")
    assert run.folder.is_relative_to("runs")
