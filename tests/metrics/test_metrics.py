"""A new metric is one file and one entry of the list: everything else finds it there."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import harness
from harness.metrics import catalog
from harness.metrics.base import About, Counted, Divergence, Said, Texts
from harness.scoring import measured
from reports import export
from reports.leaderboard import leaderboard
from tests.metrics import toys
from tests.reports.runs import Law, Made, make

if TYPE_CHECKING:
    from collections.abc import Sequence

ABOUT = About("toy", "toy", ("a", "b"), "en", "draws")


@pytest.fixture
def with_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "METRICS", (*catalog.METRICS, toys.HELLINGER, toys.LENGTH, toys.PEOPLE))


def payload(page: Path) -> dict[str, Any]:
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.S
    )
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def words(page: Path) -> dict[str, dict[str, str]]:
    found = re.search(
        r'<script type="application/json" id="words">(.*?)</script>', page.read_text("utf-8"), re.S
    )
    assert found
    data: dict[str, dict[str, str]] = json.loads(found[1])
    return data


@pytest.mark.usefixtures("with_toys")
def test_toys_stand_in_scores_board_page_tables_and_exports(tmp_path: Path) -> None:
    run = make(tmp_path / "runs", Made("org/toy-1B", law=Law(shift=0.1)))
    make(tmp_path / "runs", Made("org/exact-1B", settings={"measure": "exact"}))
    (result,) = json.loads((run.folder / "scores.json").read_text(encoding="utf-8"))["results"]
    assert {"hellinger", "length"} <= set(result["metrics"])
    assert "as_long_as_people" not in result["metrics"]
    assert result["metrics"]["hellinger"]["interval"] == "bootstrap of the draws"
    assert result["metrics"]["length"]["interval"] == "bootstrap of the prompts"

    page = leaderboard([str(tmp_path / "runs")], tmp_path / "site", recompute=True)
    data, shown = payload(page), words(page)
    place = {key: i for i, key in enumerate(data["cellKeys"])}
    cells = {data["rows"][cell[0]]["model"]: cell for cell in data["cells"]}
    for key in ("hellinger", "length"):
        assert key in [metric["key"] for metric in data["metrics"]]
        value = cells["org/toy-1B"][place[key]]
        assert value == pytest.approx(result["metrics"][key]["value"], rel=1e-4)
        low, high = (cells["org/toy-1B"][place[key + end]] for end in ("Lo", "Hi"))
        assert low <= value <= high
        assert "bootstrap" in shown["en"][f"about_{key}"]
        assert shown["zh"][f"metric_{key}"] in ("海林格距离", "长度")
    assert data["columns"][0]["ideal"]["hellinger"] == pytest.approx(0, abs=1e-6)
    assert data["columns"][0]["uniform"]["hellinger"] > 0.1
    assert cells["org/exact-1B"][place["hellinger"]] == pytest.approx(0, abs=1e-6)
    assert cells["org/exact-1B"][place["length"]] is None

    with (tmp_path / "site" / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        row = next(r for r in csv.DictReader(file) if r["model"] == "org/toy-1B")
    assert float(row["hellinger"]) == result["metrics"]["hellinger"]["value"]
    assert row["hellinger_interval"] == "bootstrap of the draws"
    records = export.load([str(tmp_path / "runs")])
    assert all({"hellinger", "length_low"} <= set(record.flat()) for record in records)
    assert "| Hellinger | Length |" in export.markdown(records)
    assert "Hellinger & Length &" in export.latex(records)


@pytest.mark.usefixtures("with_toys")
def test_a_metric_says_where_it_means_something_and_replies_need_replies() -> None:
    counts = np.array([[5, 3, 2]])
    table = Counted(counts, np.zeros(1, dtype=np.int64), np.full((1, 3), 1 / 3))
    three = About("toy", "toy", ("a", "b", "c"), "en", "draws")
    assert measured.of_counts(table, np.array([np.inf]), three) == {}
    said = {("x", "p"): [Said("abcd", "a", 3)], ("y", "p"): [Said("ab", "b", 3)]}
    assert "as_long_as_people" not in measured.of_texts(Texts("en", ("a", "b"), said), ABOUT)
    people = {("x", "p"): ["ab"], ("y", "p"): ["ab", "abcdef"]}
    found = measured.of_texts(Texts("en", ("a", "b"), said, references=people), ABOUT)
    assert found["as_long_as_people"].value == pytest.approx((2 + 0.5) / 2)


@pytest.mark.usefixtures("with_toys")
def test_the_bootstrap_holds_a_distance_that_is_well_away_from_0() -> None:
    rng = np.random.default_rng(3)
    target = np.tile([0.5, 0.5], (10, 1))
    model = np.tile([0.85, 0.15], (10, 1))
    truth = float(toys.hellinger(Counted(model, np.zeros(10), target)).mean())
    held = 0
    for seed in range(60):
        counts = rng.multinomial(60, model)
        table = Counted(counts, np.zeros(10, dtype=np.int64), target)
        found = measured.of_counts(table, np.full(10, np.inf), ABOUT, seed)["hellinger"]
        held += found.low <= truth <= found.high
        assert found.low <= found.value <= found.high
    assert held >= 52  # of 60 at 95%: fewer happen once in five hundred times


def test_every_metric_has_words_and_a_place_of_its_own() -> None:
    keys = [metric.key for metric in catalog.METRICS]
    assert len(set(keys)) == len(keys)
    for metric in catalog.METRICS:
        assert all(text for part in (metric.title, metric.under, metric.about) for text in part), metric.key
        assert metric.formula, metric.key
    for metric in catalog.of(Divergence).values():
        base = catalog.divergence(metric.varies or metric.key)
        assert base.cells is not None, metric.key


def table_of(metrics: Sequence[Any]) -> str:
    """The table of docs/statistics.md."""
    lines = ["| name | of | better | formula | values |", "|---|---|---|---|---|"]
    lines += [f"| `{m.key}` | {m.needs} | {m.better} | {m.formula} | {m.values} |" for m in metrics]
    return "\n".join(lines)


def test_the_documentation_has_the_list() -> None:
    docs = Path(harness.__file__).parent.parent / "docs" / "statistics.md"
    assert table_of(catalog.METRICS) in docs.read_text(encoding="utf-8")
