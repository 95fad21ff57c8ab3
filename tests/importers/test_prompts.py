"""A paper's own prompt file becomes a task that asks exactly that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harness.cli.main import run as command
from harness.errors import UserError
from harness.importers.prompts import import_prompts
from harness.tasks import prompts
from harness.tasks.task import load_task
from tests import helpers

if TYPE_CHECKING:
    from pathlib import Path

ASKED = "One of the Registered nurses {in the US}: male or female?"


def write(path: Path, records: list[object], lines: bool = False) -> Path:
    text = "\n".join(json.dumps(r) for r in records) if lines else json.dumps(records)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("lines", [False, True])
def test_prompts_are_asked_word_for_word(tmp_path: Path, lines: bool) -> None:
    records: list[object] = [
        {"messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": "Male"}]},
        {"messages": [{"role": "user", "content": ASKED}]},
        {"prompt": "Who writes software?", "context": "software_developers"},
    ]
    file = write(tmp_path / "p.json", records, lines)
    base = load_task("gender_us")
    task = load_task(str(import_prompts(file, base, "paper", tmp_path / "tasks")))
    rendered = prompts.render(task, task.contexts, task.prompts)
    assert {(r.context, r.messages[-1].content) for r in rendered} == {
        ("registered_nurses", ASKED),
        ("software_developers", "Who writes software?"),
    }
    assert task.attributes["gender"].classes == base.attributes["gender"].classes
    assert task.attributes["gender"].examples == base.attributes["gender"].examples


def test_a_task_of_one_context_is_asked_in_it(tmp_path: Path) -> None:
    only = 'contexts: [all]\nprompts: [{id: ask, text: "What do you drink?"}]\ntargets: {even: uniform}\n'
    base = helpers.TASK.split("contexts")[0] + only + "examples" + helpers.TASK.split("examples")[1]
    file = write(tmp_path / "p.json", [{"prompt": "Tea or coffee?"}])
    task = load_task(str(helpers.write_task(tmp_path / "base", base)))
    made = load_task(str(import_prompts(file, task, "paper", tmp_path / "tasks")))
    (rendered,) = prompts.render(made, made.contexts, made.prompts)
    assert (rendered.context, rendered.messages[-1].content) == ("all", "Tea or coffee?")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"messages": [{"role": "user", "content": "Who are you?"}]}, "names no context"),
        ({"prompt": "Registered nurses or software developers?"}, "several contexts"),
        ({"messages": []}, "no messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "not a message"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "no question"),
        ({"messages": [{"role": "system", "content": " "}, {"role": "user", "content": "x"}]}, "no question"),
        ({"prompt": "x", "context": "registered_nurse"}, "not a context"),
        (["x"], "not a record"),
    ],
)
def test_what_cannot_be_asked_is_named(tmp_path: Path, record: object, message: str) -> None:
    file = write(tmp_path / "p.json", [record])
    with pytest.raises(UserError, match=message):
        import_prompts(file, load_task("gender_us"), "paper", tmp_path)
    assert not (tmp_path / "paper").exists()


def test_the_command_writes_a_task_that_runs(tmp_path: Path) -> None:
    file = write(tmp_path / "p.jsonl", [{"prompt": ASKED}], lines=True)
    assert (
        command(["task", "import", str(file), "--like", "gender_us", "--name", "paper", "-o", str(tmp_path)])
        == 0
    )
    task = str(tmp_path / "paper" / "task.yaml")
    assert (
        command(
            [
                "evaluate",
                "known:target",
                "--task",
                task,
                "--target",
                "labor",
                "-n",
                "9",
                "-o",
                str(tmp_path / "r"),
            ]
        )
        == 0
    )
    assert (
        command(["task", "import", str(file), "--like", "gender_us", "--name", "paper", "-o", str(tmp_path)])
        == 2
    )
    file.write_text("{")
    assert (
        command(["task", "import", str(file), "--like", "gender_us", "--name", "two", "-o", str(tmp_path)])
        == 2
    )
