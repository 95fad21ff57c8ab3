"""The commands that the documents show run, and print what is shown (``python -m tests.shown`` writes it anew)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from baselines.real.record import RealRecord
from harness.contract import Contract
from harness.importers.corpus import FIELDS, messages, read_replies
from harness.reading import make_reader, read_draw
from harness.reading.style import OUTCOMES
from harness.records import read
from harness.scoring.floor import tellable
from harness.tasks.prompts import render
from harness.tasks.target import resolve
from harness.tasks.task import load_task
from tests.benchmarks import coupling, coverage, labels, narrower, ordered, real_models, stopping, wordings
from tests.shown import PAGES, ROOT, TRANSLATED, WITH_MODELS, fits, page_blocks, plain, renewed, run_page

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize("page", [*PAGES, *(pytest.param(p, marks=pytest.mark.slow) for p in WITH_MODELS)])
def test_a_page_s_commands_print_what_it_shows(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run_page((ROOT / page).read_text(encoding="utf-8"))
    assert ran
    for command, shown, printed in ran:
        if not fits(shown, printed):
            assert plain(printed) == plain(shown), f"{command}: python -m tests.shown writes it anew"


def test_the_python_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(code, {})  # noqa: S102  # the page's own lines
    assert (Path(capsys.readouterr().out.strip()) / "scores.json").is_file()


@pytest.mark.parametrize(("translated", "page"), TRANSLATED.items())
def test_a_translation_shows_the_same_commands(translated: str, page: str) -> None:
    assert page_blocks(translated) == page_blocks(page)


def test_the_method_that_is_shown_is_the_one_that_is_tested() -> None:
    shown = {Path(block.title).name: block.text for block in page_blocks("docs/adding-a-method.md")}
    nudge = ROOT / "tests" / "baselines" / "nudge"
    assert shown == {
        name: (nudge / name).read_text(encoding="utf-8") for name in ("recipe.yaml", "__init__.py")
    }


def test_a_corpus_of_replies_is_read_as_the_page_says(tmp_path: Path) -> None:
    page = "docs/adding-a-task.md"
    (shown,) = (block for block in page_blocks(page) if block.title == "replies.jsonl")
    corpus = tmp_path / shown.title
    corpus.write_text(shown.text, encoding="utf-8")
    first, *_, last = read_replies(str(corpus), {})
    assert (first.style, first.question, first.text) == (
        "advice",
        "Any tips for a first marathon?",
        "Start slowly.",
    )
    assert [turn.content for turn in messages(last)][-2:] == ["Great, thanks! And yours?", "Quiet."]
    section = (ROOT / page).read_text(encoding="utf-8").partition("## A target from people's replies")[2]
    _, rows = next(tables(section))
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert told == FIELDS.keys() - {"id", "turn", "turns"}


def test_what_is_not_printed_does_not_fit() -> None:
    assert fits("a …\nc", "a b\nc\n")
    assert fits("a\n…\nd  ", "a\nb\nc\nd")
    assert not fits("a\nc", "a\nb\nc")
    assert not fits("a …\nc", "a b\nd")


def test_what_is_printed_now_is_shown_as_far_as_it_was() -> None:
    assert renewed("a\nb\n", "c\nd\n") == "c\nd\n"
    assert renewed("a\n…\nz\n", "b\nc\nd\ny\n") == "b\n…\ny\n"
    assert renewed("a\n…\n", "runs/m/t@1/0123456789ab\nc\n") == "runs/m/t@1/…\n…\n"


GENDER = {"male": ["man", "men"], "female": ["woman", "women"]}
SPECS: dict[tuple[str, str], tuple[dict[str, object], dict[str, list[str]]]] = {
    **{
        ("words", rule): ({"name": "words", "rule": rule}, GENDER)
        for rule in ("decision", "first", "last", "only")
    },
    **{
        ("style", feature): ({"name": "style", "feature": feature}, {name: [] for name in classes})
        for feature, classes in OUTCOMES.items()
    },
    **{
        ("sentiment", scope): ({"name": "sentiment", "scope": scope}, {n: [] for n in OUTCOMES["sentiment"]})
        for scope in ("story", "reply")
    },
    ("story_gender", "outcome"): ({"name": "story_gender"}, GENDER),
    **{
        ("story_race", f"names: {str(names).lower()}"): (
            {"name": "story_race", "names": names},
            {"white": [], "black": [], "asian": [], "other": []},
        )
        for names in (False, True)
    },
}
"""Section and column of docs/readers.md -> the reader and the classes."""


def tables(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Head and rows of every table."""
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        yield rows[0], rows[2:]


def test_readers_read_as_the_page_says() -> None:
    text = (ROOT / "docs" / "readers.md").read_text(encoding="utf-8")
    sections = [part.partition("\n") for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]]
    checked = set()
    for title, _, body in sections:
        name = title.partition(":")[0]
        for head, rows in tables(body):
            for column, wanted in ((c, [(row[0], row[i]) for row in rows]) for i, c in enumerate(head) if i):
                spec, classes = SPECS[name, column]
                reader = make_reader(spec, classes, "en")
                found = [(t, read_draw(t, "stop", reader, Contract()).label) for t, _ in wanted]
                assert found == wanted
                checked.add((name, column))
    assert checked == SPECS.keys()
    reader = make_reader("words", GENDER, "en")
    (thought,) = (rows for head, rows in tables(text.partition("\n## ")[0]) if head[-1] == "outcome")
    assert [read_draw(row[0].strip("`"), "stop", reader, Contract()).label for row in thought] == [
        row[2] for row in thought
    ]
    assert len(thought) == 2


@pytest.mark.slow
def test_the_table_of_draws_is_what_the_tool_says() -> None:
    text = (ROOT / "docs" / "how-many-draws.md").read_text(encoding="utf-8")
    asked, checked = "", 0
    for first, classes, n, *figures in next(tables(text))[1]:
        asked = first or asked
        name, _, alias = re.sub(r" \(.*\)", "", asked).partition(", ")
        task = load_task(name)
        attribute = next(iter(task.attributes.values()))
        assert classes in ("", str(len(attribute.classes)))
        target, ids = resolve(task, attribute, alias), [c.id for c in task.contexts]
        asks = render(task, task.contexts, [p for p in task.prompts if p.split == "test"])
        draws = np.array([sum(r.context == i for r in asks) * int(n) for i in ids])
        told = tellable(draws, target.matrix(task, attribute, ids), sizes=target.sizes(attribute, ids))
        found = (told.floor, told.from_target, told.between_models)
        assert [f"{value:.3f}" for value in found] == figures, (asked, n)
        checked += 1
    assert checked == 16


def test_pages_of_results_follow_from_their_records() -> None:
    assert (real_models.page(read(real_models.RECORD, RealRecord, hint="make real"))) == _page("real.md")
    told = json.loads(_page("labels.json"))
    assert labels.page(told["repeats"], [labels.Row(**cell) for cell in told["cells"]]) == _page("labels.md")
    assert ordered.page(ordered.read(real_models.FOLDER / "ordered.json")) == _page("ordered.md")
    assert narrower.page(*narrower.read(real_models.FOLDER / "narrower.json")) == _page("narrower.md")
    assert coupling.page(read(real_models.FOLDER / "coupling.json", coupling.Coupling, hint="")) == _page(
        "coupling.md"
    )
    assert coverage.page(read(real_models.FOLDER / "coverage.json", coverage.Coverage, hint="")) == _page(
        "coverage.md"
    )
    assert stopping.page(read(real_models.FOLDER / "stopping.json", stopping.Stopping, hint="")) == _page(
        "stopping.md"
    )
    assert wordings.page(wordings.read(real_models.FOLDER / "wordings.json")) == _page("wordings.md")


def _page(name: str) -> str:
    return (real_models.FOLDER / name).read_text(encoding="utf-8")
