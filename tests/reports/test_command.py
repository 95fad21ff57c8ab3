"""The command that a row gives parses back to the settings that its run was made with."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from harness import evaluate
from harness.cli.main import run as cli
from harness.runs.folder import Run
from harness.runs.identity import identity, manifest
from harness.sampling.base import ModelCard
from harness.sampling.engines import ENGINES
from harness.sampling.open import parse
from harness.settings import Settings
from harness.tasks.task import load_task
from reports.command import command

MODELS: dict[str, tuple[str, str, dict[str, object]]] = {
    "hf": ("o'brien/my model; rm -rf $HOME", "auto", {"device": "cpu", "trust_remote_code": True}),
    "vllm": ("-x `id`", "vllm", {"dtype": "float32", "template": "a b.jinja"}),
    "llamacpp": ("llamacpp:/a b/m's.gguf", "auto", {"template": "none"}),
    "server": ("server:a@b c@http://h:1/v1?x=1&y=2", "auto", {}),
    "ollama": ("ollama:hf.co/o'x/m:Q4 @http://h:1", "auto", {"timeout": 9}),
    "ray": ('vllm:pa"th', "ray", {"replicas": 3, "dtype": "bfloat16"}),
    "lm-eval": ("lm-eval:hf,pretrained=/m/$(id),batch_size=4", "auto", {}),
    "known": ("known:target,shift=0.1", "auto", {}),
}


def parsed(monkeypatch: pytest.MonkeyPatch, line: str) -> tuple[str, tuple[str, ...], Settings]:
    """Model, targets and settings that ``evaluate`` would run with."""
    seen: list[tuple[str, tuple[str, ...], Settings]] = []

    def sweep(
        models: tuple[str, ...],
        tasks: tuple[str, ...],
        targets: tuple[str, ...],
        settings: Settings,
        dry: bool,
    ) -> None:
        assert tasks == ("gender_us",)
        assert not dry
        (model,) = models
        seen.append((model, targets, settings))

    monkeypatch.setattr("harness.cli.running.sweep", sweep)
    name, *arguments = shlex.split(line)
    assert name == "distalign"
    assert cli(arguments) == 0
    return seen[0]


def made(model: str, settings: Settings) -> Run:
    """A run as ``evaluate`` would begin it, of a model that is not asked."""
    task, named = load_task("gender_us"), parse(model, settings.backend)
    card = ModelCard(named.rest, engine={"name": named.spec.name})
    who = identity(task, [], card, settings)
    record = manifest(who, card, settings, asked=named.model, source=task.source.path)
    return Run(Path(), record.model_copy(update={"plan": (settings.n,)}))


@pytest.mark.parametrize(
    "settings",
    [
        Settings(n=7, seed=5, split="test", paraphrases="all"),
        Settings(measure="exact", epsilon=0.01, sampling={"temperature": 0.7, "top_k": 5}),
        Settings(measure="choices"),
        Settings(n=3, sampling={"temperature": 0.0, "top_p": 0.3, "max_tokens": 9}, allow_greedy=True),
        Settings(system="It's; `x`\n$HOME", continue_from='-It is "a"', prompts=Path("/a b/c.yaml")),
    ],
    ids=["draws", "exact", "choices", "greedy", "asked"],
)
@pytest.mark.parametrize("name", [spec.name for spec in ENGINES])
def test_it_says_again_what_was_asked(monkeypatch: pytest.MonkeyPatch, name: str, settings: Settings) -> None:
    model, backend, options = MODELS[name]
    task = load_task("gender_us")
    settings = replace(settings, backend=backend, engine=options)
    again, targets, found = parsed(monkeypatch, command(made(model, settings), ["labor", "it's; a target"]))
    assert parse(again, found.backend) == parse(model, backend)
    assert targets == ("labor", "it's; a target")
    assert found.effective(task) == settings.effective(task)
    # The string now names the engine, and what was the task's is spelled out.
    spelled = replace(settings, backend="auto", measure=settings.chosen(task), sampling=found.sampling)
    assert found == spelled


def test_for_people_it_leaves_out_what_is_so_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    task = load_task("gender_us")
    assert command(made("a/b", Settings()), ["labor"], task=task) == (
        "distalign evaluate hf:a/b --task gender_us --target labor"
    )
    assert command(made("a/b", Settings(n=7)), [], {"--max-tokens": "96"}, task) == (
        "distalign evaluate hf:a/b --task gender_us -n 7 --max-tokens 96"
    )
    for settings in (
        Settings(n=7, split="test", paraphrases="all", sampling={"top_k": 5, "temperature": 0.5}),
        Settings(measure="exact"),
        Settings(measure="exact", epsilon=0.1, system="Be brief."),
    ):
        _, _, found = parsed(monkeypatch, command(made("a/b", settings), [], task=task))
        assert found.effective(task) == settings.effective(task)
        assert replace(found, sampling={}, backend="auto") == replace(settings, sampling={}, engine={})


def test_a_run_is_made_again_by_its_own_command(tmp_path: Path) -> None:
    some = [c.id for c in load_task("gender_us").contexts][3:5]
    settings = Settings(n=4, seed=9, out=tmp_path / "a", contexts=some, continue_from="It is a")
    first = evaluate("known:target,shift=0.1", "gender_us", "labor", settings)
    arguments = shlex.split(command(first, ["labor"]))[1:]
    assert cli([*arguments, "-o", str(tmp_path / "b")]) == 0
    (second,) = (Run.open(p.parent) for p in (tmp_path / "b").glob("**/manifest.json"))
    assert second.identity == first.identity
    assert list(second.chunks()) == list(first.chunks())


def test_the_commit_that_was_found_stands_for_a_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    run = made("hf:a/b", Settings(engine={"revision": "main"}))
    found = run.identity.model_copy(update={"revision": "0" * 40})
    run.manifest = run.manifest.model_copy(update={"identity": found})
    assert parsed(monkeypatch, command(run, []))[2].engine == {"revision": "0" * 40}


@pytest.mark.parametrize(
    "folder", sorted(Path("tests/fixtures/before/runs").glob("*/*/*")), ids=lambda p: p.name
)
def test_runs_from_before_the_model_string_was_kept_still_have_one(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    run = Run.open(folder)
    model, _, settings = parsed(monkeypatch, command(run, []))
    assert parse(model).spec.name == ("known" if "known" in str(folder) else "hf")
    assert settings.engine == {}
    assert settings.seed == (run.identity.seed or 0)
