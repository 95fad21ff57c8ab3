"""Figures and exports: the numbers of the board, in files that are the same each time and safe to compile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from harness.cli.main import run as command
from harness.errors import UserError
from reports import export
from reports.figures import course, figure
from reports.load import entries

if TYPE_CHECKING:
    from pathlib import Path


def one(runs: Path, model: str = "Bad") -> str:
    return str(next(p.parent for p in sorted(runs.glob("*/*/*/counts.csv")) if model in str(p)))


SLOW = [(kind, suffix) for kind in ("calibration", "divergence") for suffix in (".pdf", ".png")]


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        *(("shares", suffix) for suffix in (".svg", ".pdf", ".png")),
        ("calibration", ".svg"),
        ("divergence", ".svg"),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW),
    ],
)
def test_a_figure_is_the_same_bytes_each_time(runs: Path, tmp_path: Path, kind: str, suffix: str) -> None:
    first, second = (figure(kind, [one(runs)], tmp_path / f"{i}{suffix}").read_bytes() for i in (1, 2))
    assert first == second
    assert len(first) > 3_000


def test_the_figure_of_shares_names_every_context_and_class(runs: Path, tmp_path: Path) -> None:
    text = figure("shares", [one(runs)], tmp_path / "f.svg").read_text()
    assert all(word in text for word in ("registered nurses", "software developers", "female", "n = 50"))


def test_a_run_without_draws_has_shares_but_no_course(runs: Path, tmp_path: Path) -> None:
    exact = str(next(p.parent for p in runs.glob("*/*/*/shares.csv")))
    assert figure("shares", [exact], tmp_path / "f.svg").is_file()
    with pytest.raises(UserError, match="nothing was drawn"):
        figure("divergence", [exact], tmp_path / "g.svg")


def test_the_course_ends_at_the_run_itself_and_its_floor_falls_with_the_root_of_n(runs: Path) -> None:
    entry = entries([one(runs)])[0][0]
    sizes, raw, corrected, floor = course(entry)
    assert sizes[-1] == entry.n
    tv = entry.aggregate.scores["tv"].plugin
    assert raw[-1] == pytest.approx(tv)
    assert np.ptp(corrected) < np.ptp(floor)
    assert floor[0] / floor[-1] == pytest.approx(np.sqrt(sizes[-1] / sizes[0]), rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["figure", "pie", "RUN", "-o", "x.svg"], "no such figure"),
        (["figure", "shares", "RUN", "-o", "x.gif"], "a format that is not written"),
        (["figure", "shares", "ALL", "-o", "x.svg"], "of one result"),
        (["figure", "shares", "RUN", "--target", "none", "-o", "x.svg"], "no scored result fits"),
        (["export", "model-card", "ALL"], "of one model"),
    ],
)
def test_mistakes_are_one_message(
    runs: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command([{"RUN": one(runs), "ALL": str(runs)}.get(a, a) for a in arguments]) == 2
    assert said in capsys.readouterr().err


def test_markdown_and_latex_hold_the_ranked_rows_in_order(runs: Path) -> None:
    rows = export.load([str(runs)])
    text = export.markdown(rows)
    first = [line.split(" | ")[1] for line in text.splitlines() if "acme" in line or "ckpt" in line][:5]
    ranked = sorted((r for r in rows if r.ranked and r.task == "gender_us"), key=lambda r: r.number("tv"))
    assert first == [r.model.replace("_", r"\_") for r in ranked]
    assert "acme/Cold-1.5B" not in text
    assert "7 results that are not comparable are left out" in text
    tex = export.latex(rows)
    assert tex.count(r"\begin{tabular}") == tex.count(r"\end{tabular}") == 2
    assert r"gender\_us" in tex


def test_hostile_names_break_no_table(runs: Path) -> None:
    hostile = "a|b\n`<i>` $x$ \\input{x} 100% #&_^~"
    row = export.load([one(runs)])[0].model_copy(update={"model": hostile})
    table = export.markdown([row]).splitlines()
    (head,) = (line for line in table if line.startswith("| rank"))
    (line,) = (line for line in table if line.startswith("| 1"))
    assert line.count(" | ") == head.count(" | ")
    assert r"a\|b \`\<i\>\`" in export.markdown([row])
    assert (
        r"\$x\$ \textbackslash{}input\{x\} 100\% \#\&\_\textasciicircum{}\textasciitilde{}"
        in export.latex([row])
    )


def test_the_model_card_is_yaml_with_every_score(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["export", "model-card", one(runs)]) == 0
    document = yaml.safe_load(capsys.readouterr().out.strip("-\n"))
    index = document["model-index"][0]
    assert index["name"] == "acme/Bad-1.5B"
    row = export.load([one(runs)])[0]
    assert {m["type"]: m["value"] for m in index["results"][0]["metrics"]} == {
        k: row.number(k) for k in ("tv", "js", "valid")
    }


def test_parquet_holds_the_records(runs: Path, tmp_path: Path) -> None:
    rows = export.load([str(runs)])
    export.parquet(rows, tmp_path / "board.parquet")
    back = pq.read_table(tmp_path / "board.parquet").to_pylist()
    assert json.dumps(back, sort_keys=True) == json.dumps([row.flat() for row in rows], sort_keys=True)
