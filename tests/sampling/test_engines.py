"""The list of engines is all that the house reads: what a model string means, and an engine that is added to it."""

from __future__ import annotations

import importlib
import shlex
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

import harness.cli.evaluate
import harness.cli.options
from harness import evaluate
from harness.cli.main import run
from harness.errors import UserError
from harness.runs.folder import Run
from harness.runs.identity import versions
from harness.sampling import engines
from harness.sampling.base import can
from harness.sampling.open import Engines, open_engine, parse, proven
from harness.settings import MEASURES, Settings
from harness.tasks.task import load_task
from tests.sampling.toy_engine import SPEC, Coin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.terms import Measure


@pytest.fixture
def _coin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine is entered in the list, before anything reads it."""
    with monkeypatch.context() as patch:
        patch.setattr(engines, "ENGINES", (*engines.ENGINES, SPEC))
        _read_again()
        yield
    _read_again()


def _read_again() -> None:
    for module in (harness.cli.options, harness.cli.evaluate):
        importlib.reload(module)


@pytest.mark.usefixtures("_coin")
@pytest.mark.parametrize("arguments", [["coin:penny"], ["penny", "--backend", "coin"]])
def test_an_added_engine_is_evaluated_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    asked = [*arguments, "--bias", "100", "--task", "gender_us", "--target", "labor", "-n", "50"]
    assert run(["evaluate", *asked, "-o", str(tmp_path)]) == 0, capsys.readouterr().err
    made = Run.open(next(tmp_path.glob("**/manifest.json")).parent)
    assert made.identity.model == "penny"
    assert made.plan == (40, 10), "its own largest chunk"
    assert {d.text for c in made.chunks() for d in c.draws} == {"male"}
    assert made.manifest.engine.model_dump() == {"name": "coin"}
    assert made.manifest.options == {"bias": "100"}
    assert made.manifest.versions["click"] == metadata.version("click")
    assert made.manifest.probe is None, "its spec says that its random numbers are held by tests"


@pytest.mark.usefixtures("_coin")
def test_an_added_engine_is_in_the_dry_run_the_help_and_python(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(["evaluate", "coin:penny", "--task", "gender_us", "--target", "uniform", "-n", "9", "--dry-run"])
        == 0
    )
    assert "toss: " in capsys.readouterr().out
    assert run(["evaluate", "--help"]) == 0
    told = capsys.readouterr().out
    assert "coin:… NAME, a coin that is tossed" in told
    assert "--bias" in told
    made = evaluate("coin:penny", "gender_us", "uniform", Settings(n=3, engine={"bias": 1}, out=tmp_path))
    assert made.n == 3


@pytest.mark.usefixtures("_coin")
def test_an_added_engine_is_carried_by_ray() -> None:
    named = parse("coin:penny", "ray")
    assert (named.spec.name, named.rest) == ("ray", "coin:penny")
    assert [o.key for o in named.options] == ["replicas", "bias"]
    assert parse("ray:coin:penny") == named


@pytest.mark.usefixtures("_coin")
def test_a_measure_that_an_engine_cannot_do_is_refused_before_it_is_opened() -> None:
    with pytest.raises(UserError, match="cannot do the exact measure") as refused:
        open_engine(parse("coin:penny"), measure="exact")
    assert refused.value.expected.endswith("hf, known")
    assert not can(Coin("penny"), "exact")


def test_without_its_entry_there_is_no_such_engine() -> None:
    with pytest.raises(UserError, match="unknown backend"):
        parse("penny", "coin")
    assert "click" not in versions()


@pytest.mark.parametrize(
    ("model", "backend", "found"),
    [
        ("path/to", "auto", "hf:path/to"),
        ("hf:path/to", "auto", "hf:path/to"),
        ("path/to", "vllm", "vllm:path/to"),
        ("vllm:path/to", "ray", "ray:vllm:path/to"),
        ("ray:path", "auto", "ray:path"),
        ("lm-eval:hf,pretrained=x:y", "auto", "lm-eval:hf,pretrained=x:y"),
        ("server:m@http://h:1/v1", "auto", "server:m@http://h:1/v1"),
        ("s3://bucket/model", "auto", "hf:s3://bucket/model"),
        ("known:target,shift=0.1", "auto", "known:target,shift=0.1"),
    ],
)
def test_a_model_string_and_a_backend_name_an_engine(model: str, backend: str, found: str) -> None:
    named = parse(model, backend)
    assert named.model == found
    assert parse(named.model) == named, "the string alone says the same"


@pytest.mark.parametrize(
    ("model", "backend", "problem", "nearest"),
    [
        ("vlm:path", "auto", "unknown engine", "vllm"),
        ("path", "vlmm", "unknown backend", "vllm"),
        ("vllm:path", "hf", "--backend another", ""),
        ("known:target", "ray", "--backend another", ""),
        ("ray:known:target", "auto", "cannot carry", ""),
        ("ray:ray:path", "auto", "cannot carry", ""),
        ("vllm:", "auto", "without a model", ""),
        ("known:target,shft=1", "auto", "unknown option of a known: model", "shift"),
        (" ", "auto", "empty model string", ""),
    ],
)
def test_mistakes_in_a_model_string(model: str, backend: str, problem: str, nearest: str) -> None:
    with pytest.raises(UserError, match=problem) as refused:
        parse(model, backend)
    assert nearest in refused.value.nearest


@pytest.mark.parametrize(
    ("model", "options", "nearest"),
    [
        ("x", {"devise": "cpu"}, "device"),
        ("vllm:x", {"device": "cpu"}, ""),
        ("server:m@http://h:1/v1", {"dtype": "float32"}, ""),
        ("ray:x", {"replica": 2}, "replicas"),
        ("ray:vllm:x", {"device": "cpu"}, ""),
    ],
)
def test_an_option_that_an_engine_does_not_take_is_refused(
    model: str, options: dict[str, object], nearest: str
) -> None:
    with pytest.raises(UserError, match="do not take this option") as refused:
        open_engine(parse(model), options)
    assert nearest in refused.value.nearest


def test_a_value_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(UserError, match="not a value of the option replicas"):
        open_engine(parse("ray:x"), {"replicas": "2"})


def test_an_option_for_another_engine_is_refused_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = "known:uniform --task gender_us --target uniform --device cpu -o"
    assert run(["evaluate", *shlex.split(arguments), str(tmp_path)]) == 2
    assert "known: models do not take this option" in capsys.readouterr().err


@pytest.mark.parametrize("measure", MEASURES)
def test_engines_have_the_methods_that_their_specs_promise(tiny_model: Path, measure: Measure) -> None:
    task = load_task("gender_us")
    for model in (str(tiny_model), "known:uniform"):
        assert measure in parse(model).spec.measures
        engine = open_engine(parse(model), None, measure, task)
        assert can(engine, measure)
        engine.close()


def test_an_engine_is_kept_for_as_long_as_it_can_do_what_is_asked(tiny_model: Path) -> None:
    task = load_task("gender_us")
    opened = Engines()
    first = opened.open(str(tiny_model), task, {})
    assert opened.open(f"hf:{tiny_model}", task, {}, measure="exact") is first
    other = opened.open(str(tiny_model), task, {}, measure="choices")
    assert other is not first
    assert (
        opened.open(str(tiny_model), task, {}, options={"dtype": "float32"}, measure="choices") is not other
    )
    assert proven(first.card())
    opened.close()
