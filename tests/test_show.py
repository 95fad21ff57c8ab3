"""What a model said: the texts of a run, its outcomes by prompt, and what is offered where few answers name a class."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from harness import evaluate
from harness.cli import outcomes
from harness.cli.evaluate import command as evaluating
from harness.cli.main import run as command
from harness.plaintext import line, show, table
from harness.sampling.base import ModelCard
from harness.settings import Settings
from harness.terms import Draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.runs.folder import Run
    from harness.terms import Request

HOSTILE = "\x1b[2J\u202eelam\nIt depends.\x07"
ANSWERS = {
    "badge": [Draw("Male", 4), Draw(HOSTILE, 3), Draw("=1+1", 2), Draw("I cannot help with that.", 1)],
    "payroll": [Draw("A woman", 5), Draw(HOSTILE, 4), Draw("the", 1, "length")],
}


class Scripted:
    """Gives the same ten answers to each prompt; stands for a model."""

    max_chunk = 10

    def __init__(self, model: str, **options: object) -> None:
        pass

    def card(self) -> ModelCard:
        return ModelCard("scripted", engine={"name": "hf"})

    def render(self, request: Request) -> str:
        return request.prompt

    def draw(
        self, requests: Sequence[Request], sampling: object, settled: object = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        for request in requests:
            yield request, ANSWERS[request.prompt]

    def close(self) -> None:
        pass


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setattr("harness.sampling.hf.collapsed.CollapsedEngine", Scripted)
    return evaluate("scripted", "gender_us", "labor", Settings(n=10, split="test", out=tmp_path))


def shown(capsys: pytest.CaptureFixture[str], run: Run, *arguments: str) -> str:
    capsys.readouterr()
    assert command(["show", str(run.folder), *arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_texts_come_with_all_their_draws_commonest_first(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = json.loads(shown(capsys, run, "--format", "json", "--limit", "0"))
    drawn = Counter[str]()
    for chunk in run.chunks():
        for draw in chunk.draws:
            drawn[draw.text] += draw.count
    assert {r["text"]: r["draws"] for r in rows} == drawn
    assert [r["draws"] for r in rows] == sorted(drawn.values(), reverse=True)
    assert sum(r["share"] for r in rows) == pytest.approx(1)
    found = {r["text"]: (r["outcome"], r["reason"]) for r in rows}
    assert found["A woman"] == ("female", "")
    assert found[HOSTILE] == ("unparsed", "no class named")
    assert found["the"] == ("truncated", "cut before a decision")
    assert found["I cannot help with that."][0] == "refused"


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["--outcome", "unparsed"], {HOSTILE, "=1+1"}),
        (["--outcome", "refused", "--outcome", "truncated"], {"I cannot help with that.", "the"}),
        (["--prompt", "payroll"], {"A woman", HOSTILE, "the"}),
        (["--search", "WOM"], {"A woman"}),
        (["--limit", "1"], {HOSTILE}),
    ],
)
def test_what_is_looked_for(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], texts: set[str]
) -> None:
    rows = json.loads(shown(capsys, run, "--format", "json", *arguments))
    assert {r["text"] for r in rows} == texts


def test_a_context_is_looked_at_alone(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    context = run.prompts().keys()[0][0]
    rows = json.loads(shown(capsys, run, "--format", "json", "--context", context))
    assert sum(r["draws"] for r in rows) == 20


def test_nothing_that_a_model_says_reaches_a_terminal_or_a_spreadsheet_as_a_command(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    for said in (shown(capsys, run), "\n".join(outcomes.lines(run))):
        assert "[U+001B][2J[U+202E]elam\\nIt depends.[U+0007]" in said
        assert not {"\x1b", "\u202e", "\x07"} & set(said)
    rows = list(csv.DictReader(io.StringIO(shown(capsys, run, "--format", "csv"))))
    assert {"'=1+1", "Male"} <= {r["text"] for r in rows}


@pytest.mark.parametrize("flag", ["--context", "--prompt", "--outcome", "--attribute"])
def test_unknown_names_are_one_message(run: Run, capsys: pytest.CaptureFixture[str], flag: str) -> None:
    assert command(["show", str(run.folder), flag, "unparse"]) == 2
    assert "expected" in capsys.readouterr().err


def test_a_run_without_draws_says_what_it_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exact = evaluate("known:target", "gender_us", "labor", Settings(measure="exact", out=tmp_path))
    assert command(["show", str(exact.folder)]) == 2
    told = capsys.readouterr().err
    assert "keeps shares and no texts" in told
    assert "--measure draws -n 100" in told


def test_outcomes_are_told_by_prompt_and_invalid_ones_with_remedies(run: Run) -> None:
    said = outcomes.lines(run)
    cells = {line.split()[0]: line.split()[1:] for line in said if line.startswith("    ")}
    assert cells["badge"] == ["40.0%", "0.0%", "50.0%", "10.0%", "0.0%", "40.0%"]
    assert cells["payroll"] == ["0.0%", "50.0%", "40.0%", "0.0%", "10.0%", "50.0%"]
    assert any(line.startswith("  45.0% of the answers name a class") for line in said)
    typed = [shlex.split(line) for line in said if line.startswith("      ")]
    flags = set()
    for words in typed:
        if words[:2] == ["distalign", "show"]:
            assert command(words[1:]) == 0
        elif words[:2] == ["distalign", "evaluate"]:
            with evaluating.make_context("evaluate", words[2:]) as context:
                changed = {k for k in ("system", "continue_from") if context.params[k]}
                changed |= {"measure"} if context.params["measure"] == "choices" else set()
                changed |= {"max_tokens"} if context.params["max_tokens"] else set()
            flags |= changed
            assert len(changed) == 1
        else:
            assert words[:2] == ["cp", "-r"]
    assert flags == {"system", "continue_from", "measure", "max_tokens"}


def test_what_several_attributes_share_is_told_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Cut(Scripted):
        def draw(
            self, requests: Sequence[Request], sampling: object, settled: object = None
        ) -> Iterator[tuple[Request, list[Draw]]]:
            for request in requests:
                yield request, [Draw("Well, it", 6, "length"), Draw("I see.", 4)]

    monkeypatch.setattr("harness.sampling.hf.collapsed.CollapsedEngine", Cut)
    said = outcomes.lines(evaluate("scripted", "reply_shape_en", settings=Settings(n=10, out=tmp_path)))
    assert sum("What can be done" in line for line in said) == 1
    assert sum(line.endswith("The others are as for length.") for line in said) == 3
    assert sum("Well, it" in line for line in said) == 1


def test_where_answers_name_a_class_only_the_prompts_are_told(tmp_path: Path) -> None:
    run = evaluate("known:target", "gender_us", "labor", Settings(n=5, split="test", out=tmp_path))
    assert len(outcomes.lines(run)) == 2 + len({prompt for _, prompt in run.prompts().keys()})  # noqa: SIM118  # a method of prompts
    exact = evaluate(
        "known:target", "gender_us", "labor", Settings(measure="exact", split="test", out=tmp_path)
    )
    assert outcomes.lines(exact)[2].endswith("100.0%")


def test_a_long_text_is_cut_and_says_so() -> None:
    assert show("x" * 400, 5) == "xxxxx… (400 characters)"
    assert line("a\tb\r\nc") == "a\\tb[U+000D]\\nc"
    assert table([["\u200b", "中"], ["ab", "c"]]) == ["[U+200B]  中", "ab        c"]
