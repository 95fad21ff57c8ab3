"""The verbs that need no model: tasks made, checked and shown, targets shown, lists, env."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.main import VERBS
from harness.cli.main import run as command
from harness.tasks.task import load_task
from tests import helpers


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    found = command(list(arguments))
    captured = capsys.readouterr()
    assert found == code, captured.err
    return captured.out if code == 0 else captured.err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Usage: distalign " + verb in said(capsys, verb, "--help")


@pytest.mark.parametrize("group", [[], ["task"], ["target", "import"]])
def test_a_group_alone_shows_its_help(group: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = command(group)
    told = capsys.readouterr()
    shown = told.out + told.err
    assert shown.startswith("Usage: " + " ".join(["distalign", *group]))
    assert (code, "next:" in shown) == (2 if told.err else 0, False)


def test_help_of_a_group_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    for group in (["task"], ["target"], ["target", "import"], ["board"], ["export"]):
        assert "..." not in said(capsys, *group, "--help").partition("Commands:")[2]
    told = said(capsys, "export", "--help")
    assert " ".join(told.split()).endswith("parquet One row per result, for pandas and others.")


def test_what_can_be_listed_is_no_command_but_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert "distalign list tasks" in said(capsys, "tasks", code=2)


def test_a_name_of_another_form_is_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "task", "new", "hands", "-o", str(tmp_path))
    path = tmp_path / "hands" / "task.yaml"
    path.write_text(path.read_text().replace("name: hands", "name: my hands"))
    told = said(capsys, "task", "check", str(path), code=2)
    assert "found:    my hands" in told
    assert "letters A to Z, digits" in told
    assert "^" not in told


def test_a_new_task_passes_its_check_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "task", "new", "hands", "-o", str(tmp_path))
    path = tmp_path / "hands" / "task.yaml"
    assert len(path.read_text().splitlines()) <= 25
    report = said(capsys, "task", "check", str(path))
    assert "3 of 3 examples read right" in report
    assert "1 task passed" in report
    assert "picked by chance" in report
    before = path.read_bytes()
    assert "exists already" in said(capsys, "task", "new", "hands", "-o", str(tmp_path), code=2)
    assert path.read_bytes() == before
    assert "not a usable task name" in said(capsys, "task", "new", "../hands", "-o", str(tmp_path), code=2)


def test_texts_kept_blind_are_counted_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "task", "new", "hands", "-o", str(tmp_path))
    path = tmp_path / "hands" / "task.yaml"
    name = next(iter(load_task(str(path)).attributes.values())).classes
    first, second = list(name)[:2]
    (path.parent / "blind.yaml").write_text(
        f"- {{text: {first}, label: {first}}}\n- {{text: {first}, label: {second}}}\n", encoding="utf-8"
    )
    path.write_text(path.read_text(encoding="utf-8") + "blind: blind.yaml\n", encoding="utf-8")
    report = said(capsys, "task", "check", str(path))
    assert "3 of 3 examples read right" in report
    assert "never used to mend the reader: 1 of 2 misread (50.0%, 95% 1.3% to 98.7%)" in report
    path.write_text(path.read_text(encoding="utf-8").replace("blind.yaml", "[{text: a, label: up}]"), "utf-8")
    assert "unknown label" in said(capsys, "task", "check", str(path), code=2)


def test_evaluate_says_when_a_task_fails_its_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "task", "new", "hands", "-o", str(tmp_path))
    path = tmp_path / "hands" / "task.yaml"
    run = ["evaluate", "known:target", "--task", str(path), "-n", "10", "-o", str(tmp_path / "runs")]
    assert command(run) == 0
    assert "fails its check" not in capsys.readouterr().err
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    right = next(line for line in lines if "text:" in line and "label: unparsed" in line)
    wrong = right.replace("label: unparsed", "label: refused")
    path.write_text("".join(wrong if line == right else line for line in lines), encoding="utf-8")
    assert command(run) == 0
    err = capsys.readouterr().err
    assert "hands fails its check: the reader of" in err
    assert "67% of its examples right, 90% is the least" in err


def test_the_new_task_is_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "task", "new", "hands", "-o", str(tmp_path / "tasks"))
    for target in ("uniform", "population"):
        report = said(
            capsys,
            "--include",
            str(tmp_path),
            "evaluate",
            "known:target",
            "--task",
            "hands",
            "--target",
            target,
            "-o",
            str(tmp_path / "runs"),
        )
        assert "(complete)" in report
        assert "100.0%" in report


def test_a_reader_that_errs_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = helpers.write_task(tmp_path, helpers.TASK.replace('text: "Coffee!"', 'text: "Water!"'))
    report = said(capsys, "task", "check", str(path), code=2)
    assert "do not pass" in report
    assert "50%" in report


def test_shown_tasks_and_targets_say_what_matters(capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "task", "show", "gender_us")
    assert "14 contexts" in shown
    assert "temperature 1.0" in shown
    shown = said(
        capsys, "target", "show", "labor_us_2025", "--attribute", "gender", "--context", "registered_nurses"
    )
    assert "US Bureau of Labor Statistics" in shown
    assert "0.8730" in shown
    assert "registered_nurses" in said(
        capsys, "target", "show", "labor_us_2025", "--context", "registered_nurse", code=2
    )
    assert "gender" in said(capsys, "target", "show", "labor_us_2025", "--attribute", "gendr", code=2)


def test_a_path_that_the_system_refuses_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    call = ("evaluate", "known:target", "--task", "gender_us", "--target", "labor", "-n", "2")
    message = said(capsys, *call, "-o", str(tmp_path / "file"), code=2)
    assert f"{tmp_path / 'file'}" in message
    assert "Not a directory" in message


def test_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "gender_us " in said(capsys, "list", "tasks")
    assert "labor_us_2025 " in said(capsys, "list", "targets")
    assert "SFT, then DPO" in (methods := said(capsys, "list", "methods"))
    assert str(Path("dpo", "recipe.yaml")) in methods
    said(
        capsys,
        "evaluate",
        "known:uniform",
        "--task",
        "gender_us",
        "--target",
        "uniform",
        "-n",
        "5",
        "-o",
        str(tmp_path),
    )
    assert "known:uniform" in said(capsys, "list", "runs", str(tmp_path))
    assert "tasks" in said(capsys, "list", "task", code=2)
    (tmp_path / "empty").mkdir()
    assert "no run under these folders" in said(capsys, "score", str(tmp_path / "empty"), code=2)


def test_a_list_names_what_cannot_be_used_and_has_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTALIGN_INCLUDE", str(tmp_path))
    helpers.write_task(tmp_path / "tasks" / "tea")
    helpers.write_task(tmp_path / "tasks" / "bad", task=helpers.TASK.replace("name: tea", "name: 茶"))
    spoiled = tmp_path / "targets" / "spoiled"
    spoiled.mkdir(parents=True)
    (spoiled / "target.yaml").write_text("name: spoiled\nkind: chart\n", encoding="utf-8")
    for kind, good, file in (
        ("tasks", "\ntea ", "bad/task.yaml:1:name"),
        ("targets", "\nlabor_us_2025 ", "spoiled/target.yaml:2:kind"),
    ):
        assert command(["list", kind]) == 2
        captured = capsys.readouterr()
        assert good in captured.out
        assert f"{kind} that cannot be used, left out above: 1\n" in captured.err
        assert file in captured.err


def test_an_unknown_verb_and_option_are_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nearest:  leaderboard" in said(capsys, "leaderbord", code=2)
    assert "--target" in said(
        capsys, "evaluate", "known:uniform", "--task", "gender_us", "--tarqet", "x", code=2
    )


def test_env_is_a_block_for_an_issue(capsys: pytest.CaptureFixture[str]) -> None:
    report = said(capsys, "env")
    for name in ("distalign", "python", "numpy", "tasks", "targets", "git"):
        assert any(line.startswith(name) for line in report.splitlines())
