"""Names in any script, and with signs that mean something to a format, go through every file and page."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from harness.cli.main import run as command
from harness.scoring.outcomes import read_certain, read_counts
from reports.leaderboard import leaderboard
from reports.load import entries
from tests import helpers

if TYPE_CHECKING:
    from pathlib import Path

NAME = "惯用手 “左/右” & 50% <b>_#: {x}"
TASK = helpers.TASK.replace("attribute: drink", f"attribute: '{NAME}'").replace("espresso", "浓缩咖啡")
TARGET = helpers.TARGET.replace("{drink: {file: table.csv}}", f"\n  '{NAME}': {{file: table.csv}}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task whose attribute has such a name, with a run that was drawn, an exact one and their board."""
    folder = tmp_path_factory.mktemp("names")
    task = helpers.write_task(folder, task=TASK, target=TARGET)
    words = ["evaluate", "known:target", "--task", str(task), "--target", "survey", "-n", "20"]
    assert command([*words, "-o", str(folder / "runs")]) == 0
    assert command([*words, "-o", str(folder / "runs"), "--measure", "exact"]) == 0
    assert command(["leaderboard", str(folder / "runs"), "-o", str(folder / "site")]) == 0
    return folder


def test_tables_keep_the_name(made: Path) -> None:
    assert [t.attribute for p in made.glob("runs/**/counts.csv") for t in read_counts(p)] == [NAME]
    assert [t.attribute for p in made.glob("runs/**/shares.csv") for t in read_certain(p)] == [NAME]
    for file in ("leaderboard.csv", "counts.csv", "shares.csv"):
        with (made / "site" / file).open(encoding="utf-8", newline="") as rows:
            assert {row["attribute"] for row in csv.DictReader(rows)} == {NAME}
    results = json.loads((made / "site" / "leaderboard.json").read_text(encoding="utf-8"))["results"]
    assert {r["attribute"] for r in results} == {NAME}


def test_the_page_has_the_name_as_text(made: Path) -> None:
    page = (made / "site" / "index.html").read_text(encoding="utf-8")
    assert "惯用手" in page
    assert "<b>" not in page


def test_exports_and_figures_take_the_name(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    runs = str(made / "runs")
    assert command(["export", "latex", runs]) == 0
    told = capsys.readouterr().out
    assert r"惯用手 “左/右” \& 50\% \textless{}b\textgreater{}\_\#: \{x\}" in told
    assert command(["export", "markdown", runs]) == 0
    assert r"惯用手 “左/右” \& 50% \<b\>\_\#: \{x\}" in capsys.readouterr().out
    drawn = str(next(made.glob("runs/**/counts.csv")).parent)
    assert command(["figure", "shares", drawn, "--attribute", NAME, "-o", str(made / "f.svg")]) == 0
    assert command(["figure", "shares", drawn, "--attribute", "drink", "-o", str(made / "g.svg")]) == 2
    assert command(["target", "show", str(made / "survey"), "--attribute", NAME]) == 0
    assert NAME in capsys.readouterr().out


def test_lm_eval_s_files_take_the_name(made: Path) -> None:
    words = ["export", "lm-eval", str(made / "task.yaml"), "--target", "survey", "-o", str(made / "lm")]
    assert command(words) == 0
    spec = json.loads((made / "lm" / "tea" / "spec.json").read_text(encoding="utf-8"))
    assert list(spec["attributes"]) == list(spec["metrics"]) == [NAME]


def test_a_task_given_by_its_path_is_found_again_for_check_and_texts(made: Path, tmp_path: Path) -> None:
    page = leaderboard([str(made / "runs")], tmp_path, recompute=True)
    results = json.loads((tmp_path / "leaderboard.json").read_text(encoding="utf-8"))["results"]
    assert {r["measure"]: r["checked"] for r in results} == {"draws": "draws", "exact": "counts"}
    (drawn,) = (e for e in entries([str(made / "runs")], seed=0)[0] if not e.certain)
    assert drawn.texts
    assert page.is_file()
