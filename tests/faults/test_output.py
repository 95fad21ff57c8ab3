"""What is shown and written: nothing that commands a terminal, nothing that a spreadsheet runs, and an end."""

from __future__ import annotations

import ast
import json
import time
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import main
from harness.cli.main import run as command
from harness.contract import Contract
from harness.errors import UserError
from harness.evaluation import evaluate
from harness.files import load_yaml
from harness.plaintext import UNSEEN, disarmed, escaped, rearmed
from harness.progress import say
from harness.reading.draws import DrawReader
from harness.sampling.hf.limited import within
from harness.scoring.outcomes import read_counts
from harness.tasks.task import load_task
from tests import helpers

HOSTILE = "\x9b31m\x01\r\x1b[2J\u202e\u2066" + "x" * 400_000


def test_messages_have_an_end_and_command_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    error = UserError(HOSTILE, where=HOSTILE, found=HOSTILE, expected=HOSTILE, nearest=HOSTILE, hint=HOSTILE)
    say(HOSTILE)
    for text in (str(error), capsys.readouterr().err):
        assert not UNSEEN.search(text)
        assert "[U+009B]31m[U+0001][U+000D][U+001B][2J[U+202E]" in text
        assert len(text) < 25_000


@given(st.text(alphabet="'=+-@\t\ra "))
def test_a_cell_is_disarmed_and_read_back(text: str) -> None:
    assert rearmed(disarmed(text)) == text
    assert not disarmed(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_commands_print_through_one_function() -> None:
    """What goes to standard error is a message, which spells out by itself."""
    for file in sorted(Path(main.__file__).parent.glob("*.py")):
        calls = [n for n in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
        printed = [
            n.lineno
            for n in calls
            if ast.unparse(n.func) in ("click.echo", "print") and not any(k.arg == "err" for k in n.keywords)
        ]
        assert not printed or file.name == "echo.py", f"{file.name}:{printed}"


@given(st.text(alphabet='\x9b\u202e\U000e0041\ud83d"\\\n\x1b a'))
def test_json_is_escaped_and_read_back(text: str) -> None:
    said = escaped(json.dumps([text], ensure_ascii=False))
    assert json.loads(said) == [text]
    assert not UNSEEN.search(said)


def test_a_run_s_own_table_has_no_formula(tmp_path: Path) -> None:
    text = helpers.TASK.replace("attribute: drink", "attribute: '=drink'").replace("tea:", "'+tea':")
    text = text.replace("label: tea", "label: '+tea'").replace(
        "{survey: ./survey, even: uniform}", "{even: uniform}"
    )
    task = helpers.write_task(tmp_path, text, contexts="id,place\n=1+1,Leeds\n'=2,Porto\n")
    run = evaluate("known:uniform", task, "even", n=5, out=tmp_path / "runs")
    lines = (run.folder / "counts.csv").read_text(encoding="utf-8").splitlines()
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in lines for cell in line.split(","))
    (table,) = read_counts(run.folder / "counts.csv")
    assert (table.attribute, table.classes) == ("=drink", ("+tea", "coffee"))
    assert {context for context, _ in table.cells} == {"=1+1", "'=2"}


@pytest.mark.parametrize("bad", ["a\0b", "\udcff"])
def test_what_no_file_can_hold_is_refused(
    bad: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = str(helpers.write_task(tmp_path))
    assert command(["evaluate", f"known:{bad}", "--task", task]) == 2
    assert "not plain text" in capsys.readouterr().err
    for settings in (
        {"system": bad},
        {"continue_from": bad},
        {"out": bad},
        {"prompts": bad},
        {"contexts": [bad]},
    ):
        with pytest.raises(UserError):
            evaluate("known:uniform", task, n=1, **settings)
    with pytest.raises(UserError, match="not a model"):
        evaluate(f"known:{bad}", task)
    file = tmp_path / "a.yaml"
    file.write_text('a: "\\0"', encoding="utf-8")
    with pytest.raises(UserError, match="a null byte"):
        load_yaml(file)


def test_a_template_without_end_is_given_up() -> None:
    endless = jinja2.Template(
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    )
    with pytest.raises(TimeoutError), within(0.05):
        endless.render()
    with within(60):
        assert jinja2.Template("{{ 1 }}").render() == "1"
    time.sleep(0)  # an alarm that came too late would be raised here


@pytest.mark.parametrize("piece", ["\n", " \n", "\t", "he ", "<think>", '"', ". ", "<", "a, "])
def test_readers_look_at_a_long_text_once(piece: str) -> None:
    reader = DrawReader.of(load_task("gender_us"), Contract(), "")
    short, long = ("She said" + piece * n + "male" for n in (50, 32_000 // len(piece)))
    (one, other) = reader.read([(short, "stop"), (long, "stop")])
    assert one["gender"].label == other["gender"].label
