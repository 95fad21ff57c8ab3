"""The board: who is ranked and who stands apart and why, what changes when a count changes, what --check finds."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydantic import TypeAdapter

from harness.cli.main import run as command
from harness.errors import IncompleteError, UserError
from harness.evaluation import evaluate
from harness.runs.folder import Run
from harness.scoring.table import AggregateScore
from reports.board import build, first_column
from reports.check import check
from reports.leaderboard import leaderboard
from reports.load import entries
from reports.samples import texts

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("index.html", "leaderboard.csv", "leaderboard.json", "counts.csv", "shares.csv")


def results(site: Path) -> list[dict[str, object]]:
    found = json.loads((site / "leaderboard.json").read_text())["results"]
    assert isinstance(found, list)
    return found


def page_data(site: Path) -> dict[str, object]:
    match = re.search(r'id="data">(.*?)</script>', (site / "index.html").read_text(), re.DOTALL)
    assert match
    data = json.loads(match[1])
    assert isinstance(data, dict)
    return data


def folder_of(runs: Path, model: str) -> Path:
    return next(p.parent for p in sorted(runs.glob("*/*/*/manifest.json")) if model in str(p))


@pytest.mark.parametrize(
    ("model", "n", "kind"),
    [
        ("acme/Cold-1.5B", 50, "sampling: temperature 0.7 (1.0)"),
        ("acme/Shy-1.5B", 50, "valid: "),
        ("acme/Copies-1.5B", 50, "independence"),
        ("acme/Cut-1.5B", 50, "incomplete: incomplete"),
        ("ckpt/verbal", 50, "verbal"),
        ("ckpt/sft-leaky", 50, "leak: all / all"),
        ("acme/Good-7B", 20, "again: n = 20, hf"),
    ],
)
def test_what_cannot_be_compared_stands_apart_with_its_reason(
    site: Path, model: str, n: int, kind: str
) -> None:
    found = [r for r in results(site) if (r["model"], r["n"]) == (model, n)]
    assert len(found) == 1
    assert not found[0]["ranked"]
    assert str(found[0]["apart"]).startswith(kind)
    assert found[0]["rank_low"] is None


def test_the_rest_is_ranked_with_ranges_that_hold_the_known_order(site: Path) -> None:
    ranked = {str(r["model"]): r for r in results(site) if r["ranked"] and r["task"] == "gender_us"}
    assert set(ranked) == {"acme/Good-7B", "acme/Twin-1.5B", "acme/Bad-1.5B", "ckpt/sft-bad", "acme/Exact-3B"}
    ranges = {m: (r["rank_low"], r["rank_high"]) for m, r in ranked.items()}
    assert ranges["acme/Bad-1.5B"] == (5, 5)
    assert ranges["acme/Good-7B"][0] == ranges["acme/Twin-1.5B"][0] == 1
    assert ranked["acme/Good-7B"]["band"] == ranked["acme/Twin-1.5B"]["band"] == 0
    assert ranked["acme/Exact-3B"]["tv"] == pytest.approx(0.1, abs=0.002)


def test_a_board_does_not_depend_on_where_or_in_which_order_runs_lie(
    site: Path, runs: Path, tmp_path: Path
) -> None:
    again = leaderboard([str(runs)], tmp_path / "again").parent
    for i, folder in enumerate(sorted(runs.glob("*/*/*/"), reverse=True)):
        shutil.copytree(folder, tmp_path / "moved" / str(i))
    moved = leaderboard([str(tmp_path / "moved")], tmp_path / "site").parent
    for name in FILES:
        assert (again / name).read_bytes() == (site / name).read_bytes()
        assert (moved / name).read_bytes() == (site / name).read_bytes()


def test_changing_one_count_changes_what_it_should(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    folder = folder_of(tmp_path / "runs", "Bad")
    lines = (folder / "counts.csv").read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:-1], str(int(cells[-1]) + 1)])
    (folder / "counts.csv").write_text("\n".join(lines) + "\n")
    changed = leaderboard([str(tmp_path / "runs")], tmp_path / "site", recompute=False).parent
    site = leaderboard([str(runs)], tmp_path / "unchanged", recompute=False).parent
    assert (changed / "leaderboard.json").read_text().count("\n") == (
        site / "leaderboard.json"
    ).read_text().count("\n")
    old, new = (list(csv.DictReader((s / "counts.csv").open())) for s in (site, changed))
    different = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    assert len(different) == 1
    assert int(different[0][1]["count"]) == int(different[0][0]["count"]) + 1
    before, after = results(site), results(changed)
    touched = {(str(a["model"]), k) for a, b in zip(before, after, strict=True) for k in a if a[k] != b[k]}
    assert touched == {("acme/Bad-1.5B", "draws")}


def test_check_recomputes_counts_from_draws_and_scores_from_counts(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = [str(folder_of(runs, name)) for name in ("Good", "Exact")]
    site = leaderboard(some, tmp_path, recompute=True).parent
    how = {str(r["model"]): r["checked"] for r in results(site)}
    assert how["acme/Good-7B"] == "draws"
    assert how["acme/Exact-3B"] == "counts"
    assert "all numbers follow: 1 runs from their draws, 1 from counts" in capsys.readouterr().err


def as_written(scores: AggregateScore) -> object:
    return TypeAdapter(AggregateScore).dump_python(scores, mode="json")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("counts.csv", "counts.csv"),
        ("scores.json", "scores.tv.estimate"),
        ("target", "target labor_us_2025"),
        ("sample", "target labor_us_2025"),
    ],
)
def test_check_finds_a_number_that_does_not_follow(runs: Path, tmp_path: Path, name: str, found: str) -> None:
    folder = tmp_path / "runs" / "one"
    shutil.copytree(folder_of(runs, "Bad"), folder)
    if name == "counts.csv":
        text = (folder / name).read_text().splitlines()
        cells = text[1].split(",")
        text[1] = ",".join([*cells[:-1], str(int(cells[-1]) + 1)])
        (folder / name).write_text("\n".join(text) + "\n")
    else:
        scores = json.loads((folder / "scores.json").read_text())
        result = scores["results"][0]
        if name == "sample":
            # few replies of people, which would excuse much
            few = [5.0] * len(result["context_ids"])
            result["target"]["sample"] = {"replies": few, "independent": few}
            fake = replace(entries([str(folder)])[0][0], sizes=np.array(few))
            result["table"]["aggregate"] = as_written(check([fake])[0][0].aggregate)
        elif name == "target":
            result["target"]["shares"] = [[0.5, 0.5]] * len(result["context_ids"])
            fake = replace(entries([str(folder)])[0][0], shares=np.full((len(result["context_ids"]), 2), 0.5))
            result["table"]["aggregate"] = as_written(check([fake])[0][0].aggregate)
        else:
            result["table"]["aggregate"]["scores"]["tv"]["estimate"] = 0.001
        (folder / "scores.json").write_text(json.dumps(scores))
    with pytest.raises(IncompleteError, match="claim what does not follow") as error:
        leaderboard([str(tmp_path / "runs")], tmp_path / "site", recompute=True)
    assert found in str(error.value)
    assert [r["ranked"] for r in results(tmp_path / "site")] == [False]


def test_what_has_its_draws_is_computed_again_by_default(site: Path, runs: Path, tmp_path: Path) -> None:
    how = {(str(r["model"]), r["measure"]): r["checked"] for r in results(site)}
    assert how.pop(("acme/Exact-3B", "exact")) == "counts"
    assert set(how.values()) == {"draws"}
    none = leaderboard([str(runs)], tmp_path, recompute=False).parent
    assert {r["checked"] for r in results(none)} == {"claimed"}


def test_draws_may_be_missing(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(folder_of(runs, "Good"), tmp_path / "runs" / "one")
    shutil.rmtree(tmp_path / "runs" / "one" / "draws")
    site = leaderboard([str(tmp_path / "runs")], tmp_path / "site").parent
    assert results(site)[0]["checked"] == "claimed"
    leaderboard([str(tmp_path / "runs")], site, recompute=True)
    assert results(site)[0]["checked"] == "counts"
    assert page_data(site)["runs"][0]["texts"] == {}  # type: ignore[index]  # the page's own layout


def test_a_default_board_believes_no_count_that_the_draws_do_not_give(runs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"
    shutil.copytree(folder_of(runs, "Bad"), folder)
    scores = json.loads((folder / "scores.json").read_text())
    honest = scores["results"][0]["table"]["aggregate"]["scores"]["tv"]["estimate"]
    scores["results"][0]["table"]["aggregate"]["scores"]["tv"]["estimate"] = 0.001
    (folder / "scores.json").write_text(json.dumps(scores))
    shown = results(leaderboard([str(tmp_path / "runs")], tmp_path / "site").parent)[0]
    assert (shown["tv"], shown["checked"]) == (pytest.approx(honest, rel=1e-6), "draws")
    text = (folder / "counts.csv").read_text()
    (folder / "counts.csv").write_text(
        re.sub(r"(female,)(\d+)", lambda m: m[1] + str(int(m[2]) + 1), text, count=1)
    )
    with pytest.raises(IncompleteError, match=r"counts\.csv: gender"):
        leaderboard([str(tmp_path / "runs")], tmp_path / "site")


def test_draws_that_cannot_be_read_are_told_and_the_run_is_not_ranked(runs: Path, tmp_path: Path) -> None:
    for name in ("Bad", "Good"):
        shutil.copytree(folder_of(runs, name), tmp_path / "runs" / name)
    for part in (tmp_path / "runs" / "Bad" / "draws").glob("part-*"):
        shutil.copyfile(part, part.with_name("part-999999.parquet"))
    with pytest.raises(IncompleteError, match="claim what does not follow"):
        leaderboard([str(tmp_path / "runs")], tmp_path / "site")
    assert {r["model"]: r["ranked"] for r in results(tmp_path / "site")} == {
        "acme/Bad-1.5B": False,
        "acme/Good-7B": True,
    }


def test_texts_stand_under_the_class_they_were_counted_as(runs: Path) -> None:
    run = Run.open(folder_of(runs, "Bad"))
    found = texts(run, "gender", seed=3)
    assert found is not None
    assert set(found) == {"male", "female", "unparsed", "refused"}
    assert ("A woman.", sum(n for t, n in found["female"] if t == "A woman.")) in found["female"]
    assert {t for t, _ in found["refused"]} == {"I'm sorry, but I can't guess that."}
    totals = dict(
        zip(
            entries([str(run.folder)])[0][0].table.outcomes,
            entries([str(run.folder)])[0][0].rows.sum(axis=0),
            strict=True,
        )
    )
    assert {label: sum(n for _, n in pool) for label, pool in found.items()} == {
        k: v for k, v in totals.items() if v
    }


def test_seen_contexts_are_marked_and_ranked(site: Path) -> None:
    data = page_data(site)
    keys = data["cellKeys"]
    assert isinstance(keys, list)
    cells = [dict(zip(keys, c, strict=True)) for c in data["cells"]]  # type: ignore[attr-defined]  # the page's own layout
    rows = data["rows"]
    assert isinstance(rows, list)
    marked = {rows[c["row"]]["model"]: c["seen"] for c in cells if c["seen"] and not c["apart"]}
    assert marked == {"ckpt/sft-bad": ["contexts"]}


def test_no_run_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="no scored run"):
        leaderboard([str(tmp_path)], tmp_path / "site")
    assert command(["leaderboard", str(tmp_path / "none"), "-o", str(tmp_path / "site")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("manifest.json", "{"),
        ("manifest.json", "{}"),
        ("scores.json", "[]"),
        ("scores.json", '{"results": [{}]}'),
        ("counts.csv", "attribute,context\n"),
    ],
)
def test_a_damaged_run_is_named_and_the_page_has_the_rest(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    for model in ("Good", "Bad"):
        shutil.copytree(folder_of(runs, model), tmp_path / "runs" / model)
    spoiled = tmp_path / "runs" / "Bad" / name
    spoiled.write_text(text, encoding="utf-8")
    words = ["leaderboard", str(tmp_path / "runs"), "-o", str(tmp_path / "site")]
    assert command(words) == 3
    told = capsys.readouterr().err
    assert f"left out: {spoiled}" in told
    assert "cannot be read, left out: 1" in told
    assert {r["model"] for r in results(tmp_path / "site")} == {"acme/Good-7B"}
    assert (tmp_path / "site" / "index.html").is_file()
    shutil.rmtree(tmp_path / "runs" / "Good")
    assert command(words) == 2
    assert str(spoiled) in capsys.readouterr().err


def test_a_run_without_a_valid_answer_stands_on_the_board(tmp_path: Path) -> None:
    for model in ("known:target,unparsed=1", "known:target"):
        evaluate(model, "gender_us", "labor", n=5, out=tmp_path / "runs")
    leaderboard([str(tmp_path / "runs")], tmp_path / "site", recompute=True)
    rows = json.loads((tmp_path / "site" / "leaderboard.json").read_text(encoding="utf-8"))["results"]
    assert [row["tv_of_valid"] for row in rows if row["valid"] == 0] == [None]


def test_an_old_table_of_shares_does_not_stay(runs: Path, tmp_path: Path) -> None:
    leaderboard([str(folder_of(runs, "Exact"))], tmp_path)
    assert (tmp_path / "shares.csv").is_file()
    leaderboard([str(folder_of(runs, "Good"))], tmp_path)
    assert not (tmp_path / "shares.csv").exists()


def test_the_command_writes_the_same_page(
    site: Path, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["leaderboard", str(runs), "-o", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "index.html")
    assert (tmp_path / "index.html").read_bytes() == (site / "index.html").read_bytes()


def test_a_known_model_is_one_row_whatever_it_states_for_a_task(tmp_path: Path) -> None:
    models = ["known:target", "known:target,shift=0.1"]
    words = [*models, "--task", "gender_us", "--task", "gender_zh", "--target", "labor", "-n", "5"]
    assert command(["evaluate", *words, "-o", str(tmp_path / "runs")]) == 0
    site = leaderboard([str(tmp_path / "runs")], tmp_path / "site").parent
    rows = page_data(site)["rows"]
    assert isinstance(rows, list)
    assert [row["model"] for row in rows] == models


def test_a_task_is_shown_first_against_its_main_target(tmp_path: Path) -> None:
    for model in ("known:target", "known:uniform"):
        evaluate(model, "gender_us", ("uniform", "labor", "labor_2022"), n=5, out=tmp_path / "runs")
    board = build(entries([str(tmp_path / "runs")])[0])
    named = [board.columns[col].entry.target.name for col in range(len(board.columns))]
    assert named[first_column(board)] == "labor_us_2025", "the first of those asked for that is not even"
