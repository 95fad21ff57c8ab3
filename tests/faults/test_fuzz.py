"""Mutated files and answers give a result or one message, never another exception."""

from __future__ import annotations

import contextlib
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import UserError
from harness.evaluation import evaluate
from harness.files import load_jsonl, load_yaml
from harness.runs.folder import Run
from harness.sampling.server.reply import MalformedReplyError, error_message, read_reply
from harness.scores import scores_of
from harness.scoring.outcomes import read_counts
from harness.tasks import prompts
from harness.tasks.target import resolve
from harness.tasks.task import load_task
from tests import helpers
from tests.faults.mutants import bytes_like, json_like

if TYPE_CHECKING:
    from pathlib import Path

FEW, MANY = 20, 10_000
REPLY = {
    "model": "m",
    "system_fingerprint": "f",
    "choices": [{"message": {"content": "a", "reasoning": "b"}, "finish_reason": "stop", "token_ids": [1]}],
    "usage": {"completion_tokens": 3},
}
KINDS = (
    "manifest.json",
    "prompts.json",
    "scores.json",
    "counts.csv",
    "draws",
    "task.yaml",
    "contexts.csv",
    "target.yaml",
    "table.csv",
    "lines.jsonl",
    "reply",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task and a run of it."""
    folder = tmp_path_factory.mktemp("fuzz")
    task = helpers.write_task(folder / "tea")
    evaluate("known:uniform,unparsed=0.2", task, "all", n=5, out=folder / "runs", seed=3)
    shutil.move(next((folder / "runs").glob("*/*/*")), folder / "run")
    (folder / "lines.jsonl").write_text('{"id": "ask", "text": "Tea?"}\n[1, "\\u00e9"]\n', encoding="utf-8")
    return folder


def whole(task: Path) -> None:
    loaded = load_task(task)
    prompts.render(loaded, loaded.contexts, loaded.prompts)
    for attribute in loaded.attributes.values():
        for alias in attribute.targets:
            resolve(loaded, attribute, alias).matrix(loaded, attribute, [c.id for c in loaded.contexts])


def read_run(folder: Path) -> None:
    run = Run.open(folder)
    run.prompts().keys()
    scores_of(run)
    list(run.chunks())


def answer(body: bytes) -> None:
    error_message(body)
    with contextlib.suppress(MalformedReplyError):
        read_reply(body, 1, 16)


def fuzz(kind: str, made: Path, examples: int) -> None:
    file = {
        "draws": made / "run" / "draws" / "part-000001.parquet",
        "task.yaml": made / "tea" / "task.yaml",
        "contexts.csv": made / "tea" / "contexts.csv",
        "target.yaml": made / "tea" / "survey" / "target.yaml",
        "table.csv": made / "tea" / "survey" / "table.csv",
        "lines.jsonl": made / "lines.jsonl",
    }.get(kind, made / "run" / kind)
    original = json.dumps(REPLY).encode() if kind == "reply" else file.read_bytes()
    changed = bytes_like(original)
    if kind.endswith(".json") or kind == "reply":
        changed = st.one_of(changed, json_like(json.loads(original)))
    elif kind.endswith(".yaml"):
        changed = st.one_of(changed, json_like(json.loads(json.dumps(load_yaml(file).data))))

    def read() -> None:
        if file.parent.name in ("tea", "survey"):
            whole(made / "tea" / "task.yaml")
        elif kind == "lines.jsonl":
            load_jsonl(file)
        else:
            read_run(made / "run")
            read_counts(made / "run" / "counts.csv")

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(changed)
    def one(data: bytes) -> None:
        if kind == "reply":
            answer(data)
            return
        file.write_bytes(data)
        with contextlib.suppress(UserError):
            read()

    try:
        one()
    finally:
        if kind != "reply":
            file.write_bytes(original)


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_mutants(kind: str, made: Path) -> None:
    fuzz(kind, made, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_mutants(kind: str, made: Path) -> None:
    fuzz(kind, made, MANY)
