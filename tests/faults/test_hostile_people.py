"""Hostile texts in corpora of people, prompts of one's own, system messages, records of scores and labels: they stay text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from harness.cli.main import run as command
from harness.files import read_csv
from harness.labels import LABELS, labels_of
from harness.records import read, write
from harness.runs.folder import Run
from harness.runs.manifest import PROMPTS, Prompts
from harness.scores import SCORES, scores_of
from harness.tasks.task import load_task
from reports.leaderboard import leaderboard
from tests import helpers
from tests.faults.test_hostile import KNOWN, TEXTS, quiet, run_in
from tests.sampling.faulty_server import FaultyServer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
TOLD = ("--publisher", "--table", "--license", "--title", "--note")
PER_KIND = 40
"""Replies of a kind of exchange, of which there are as many as come out of the texts."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A target and a task of a corpus all of whose fields are hostile, and a run of it."""
    folder = tmp_path_factory.mktemp("people")
    kinds = TEXTS[:: len(TEXTS) // 8]
    rows = [
        {
            "id": f"{TEXTS[i % len(TEXTS)]} {i}",
            "track": kind,
            "family": kinds[-n],
            "style": kinds[n // 2],
            "language": "en",
            "prompt": f"{TEXTS[(7 * i) % len(TEXTS)]} {i}",
            "response": f"Well, {TEXTS[(11 * i + n) % len(TEXTS)][:300]} {i} it is.",
        }
        for n, kind in enumerate(kinds)
        for i in range(PER_KIND * n, PER_KIND * (n + 1))
    ]
    corpus = folder / "corpus $(touch x) <b>.jsonl"
    corpus.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    said = [word for i, flag in enumerate(TOLD) for word in (flag, TEXTS[30 * i + 5])]
    line = ["target", "import", "reference", str(corpus), "--language", "en", "--split", "train", *said]
    line += ["--year", "2026", "--link", "https://example.org", "--shares", "0.5/0/0.5"]
    assert command([*line, "--task", str(folder / "task"), "-o", str(folder / "target")]) == 0
    chosen = TEXTS[:: len(TEXTS) // 20]
    with FaultyServer(dict.fromkeys(chosen, 1 / len(chosen))) as server:
        asked = ["evaluate", f"server:tiny@{server.url}", "--task", str(folder / "task"), "-n", "1"]
        more = ["--system", TEXTS[2], "-o", str(folder / "runs")]
        assert command([*asked, "--target", "people", *more]) == 0
    return folder


def test_they_reach_prompts_and_targets_as_they_are(made: Path) -> None:
    task = load_task(str(made / "task" / "task.yaml"))
    asked = read(run_in(made / "runs") / PROMPTS, Prompts, hint="").prompts
    assert all(p.messages[0].content == TEXTS[2] for p in asked)
    own = {f"{TEXTS[(7 * i) % len(TEXTS)]} {i}" for i in range(PER_KIND * 9)}
    assert {p.messages[-1].content for p in asked} <= own
    assert len(asked) > 50
    for context in task.contexts:
        assert re.fullmatch(r"\w+", context.id), context.id
    names = {p.name for p in (made / "target").iterdir()} | {p.name for p in (made / "task").iterdir()}
    assert all(re.fullmatch(r"[a-z_]+\.(csv|yaml|jsonl|parquet)", name) for name in names), names


def test_nothing_that_is_printed_or_exported_is_more_than_text(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, runs = str(run_in(made / "runs")), str(made / "runs")
    for line in (
        ["task", "show", str(made / "task"), "--prompts", "200"],
        ["target", "show", str(made / "target")],
        ["score", run],
        ["show", run],
        ["show", run, "--format", "csv"],
        ["export", "latex", runs],
        ["export", "markdown", runs],
        ["label", run, "-n", "20", "-o", str(tmp_path / "labels.csv")],
        ["export", "datasets", runs, "-o", str(tmp_path / "set")],
    ):
        capsys.readouterr()
        assert command(line) in (0, 2), line
        said = capsys.readouterr()
        assert quiet(said.out + said.err), line
        if line[:2] == ["export", "latex"]:
            assert set(re.findall(r"\\([a-zA-Z]+)", re.sub(r"\\[&%$#_{}]", "", said.out))) <= KNOWN
        if line[:2] == ["export", "markdown"]:
            assert not markup(said.out)
    for row in read_csv(tmp_path / "labels.csv")[1]:
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.cells.values())


def markup(text: str) -> set[str]:
    """What a Markdown text has that only a stranger can have put there."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    kinds = {t.type for token in tokens for t in (token, *(token.children or ()))}
    return kinds & {"html_block", "html_inline", "link_open", "image"}


def test_a_page_of_records_that_say_them(made: Path, tmp_path: Path) -> None:
    """``found_by`` of scores, and who gave labels: they come with a run from outside."""
    run = Run.open(run_in(made / "runs"))
    scores = scores_of(run)
    results = [
        one.model_copy(update={"target": one.target.model_copy(update={"found_by": TEXTS[i]})})
        for i, one in enumerate(scores.results)
    ]
    write(run.folder / SCORES, scores.model_copy(update={"results": tuple(results)}))
    try:
        leaderboard([str(made / "runs")], tmp_path / "site")
        page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
        plain, named = (re.findall(r"<script\b[^>]*>", page), re.findall(r"\son\w+\s*=", page))
        write(run.folder / SCORES, scores)
        leaderboard([str(made / "runs")], tmp_path / "site")
        page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
        assert plain == re.findall(r"<script\b[^>]*>", page)
        assert named == re.findall(r"\son\w+\s*=", page)
    finally:
        write(run.folder / SCORES, scores)
    assert command(["label", str(run.folder), "-n", "20", "-o", str(tmp_path / "sheet.csv")]) == 0
    labels = labels_of(run)
    wild = {
        name: one.model_copy(update={"by": {text[:12]: text for text in TEXTS}})
        for name, one in labels.attributes.items()
    }
    write(run.folder / LABELS, labels.model_copy(update={"attributes": wild}))
    assert command(["score", str(run.folder)]) in (0, 2)


def test_prompts_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = helpers.write_task(tmp_path / "tea")
    texts = [t for t in TEXTS if "{" not in t][:60]
    asked = [
        {"id": f"p{i}", "split": "test", "text": f"{t} {{{{ context.place }}}}"} for i, t in enumerate(texts)
    ]
    (tmp_path / "own.yaml").write_text(json.dumps(asked), encoding="utf-8")
    line = ["evaluate", "known:uniform", "--task", str(task), "--target", "survey", "-n", "2"]
    code = command([*line, "--prompts", str(tmp_path / "own.yaml"), "-o", str(tmp_path / "runs")])
    assert code == 0, capsys.readouterr().err
    run = str(run_in(tmp_path / "runs"))
    for words in (["show", run], ["score", run], ["task", "show", str(task)]):
        assert command(words) == 0
    said = capsys.readouterr()
    assert quiet(said.out + said.err)
