"""Figures and exports: the numbers of the board, in files that are the same each time and safe to compile."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest

from harness.cli.main import run as command
from harness.errors import UserError
from reports import export
from reports.figures import figure
from reports.kinds.course import course_of
from reports.kinds.marks import mark, shares_of
from reports.load import entries

if TYPE_CHECKING:
    from pathlib import Path


def one(runs: Path, model: str = "Bad") -> str:
    return str(next(p.parent for p in sorted(runs.glob("*/*/*/counts.csv")) if model in str(p)))


KINDS = ("shares", "forest", "calibration", "divergence")
QUICK = [("shares", ".pdf"), ("forest", ".png"), *((kind, ".svg") for kind in KINDS)]
SLOW = [(k, s) for k in KINDS for s in (".pdf", ".png") if (k, s) not in QUICK]


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        *QUICK,
        *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW),
    ],
)
@pytest.mark.usefixtures("quick")
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
    sizes, raw, corrected, floor = course_of(entry)
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
    first = [line.split(" | ")[1] for line in text.splitlines() if re.match(r"\| \d", line)][:5]
    ranked = sorted((r for r in rows if r.ranked and r.task == "gender_us"), key=lambda r: r.number("tv"))
    assert first == [r.model.replace("_", r"\_") for r in ranked]
    assert "not ranked: acme/Cold-1.5B, sampling: temperature 0.7 (1.0)" in text
    tex = export.latex(rows)
    assert tex.count(r"\begin{tabular}") == tex.count(r"\end{tabular}") == 3
    assert not [line for line in tex.splitlines() if line.startswith("%")]
    for row in rows:
        assert row.ranked or f"not ranked: {row.model}" in tex
    perfect = ranked[0].number("tv_floor95") - ranked[0].number("tv_floor")
    assert f" {perfect:.3f} " in next(line for line in tex.splitlines() if ranked[0].model in line)
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


def test_parquet_holds_the_records(runs: Path, tmp_path: Path) -> None:
    rows = export.load([str(runs)])
    export.parquet(rows, tmp_path / "board.parquet")
    back = pq.read_table(tmp_path / "board.parquet").to_pylist()
    assert json.dumps(back, sort_keys=True) == json.dumps([row.flat() for row in rows], sort_keys=True)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A course of few sizes, each drawn few times."""
    monkeypatch.setattr("reports.kinds.course.STEPS", 3)
    monkeypatch.setattr("reports.kinds.course.REPEATS", 5)


def texts(svg: Path) -> list[str]:
    """The texts of a figure, from top to bottom of the file."""
    return [
        html.unescape(t) for t in re.findall(r"<text[^>]*>([^<]*)</text>", svg.read_text(encoding="utf-8"))
    ]


def test_the_forest_stands_in_the_order_of_the_board_and_says_what_is_not_ranked(
    runs: Path, tmp_path: Path
) -> None:
    # All but the run that asks other prompts: that one is in a column of its own.
    ours = [str(p.parent) for p in runs.glob("*/gender_us*/*/scores.json") if "leaky" not in str(p)]
    said = texts(figure("forest", ours, tmp_path / "f.svg"))
    rows = [r for r in export.load(ours) if r.task == "gender_us"]
    best = sorted((r for r in rows if r.ranked), key=lambda r: r.number("tv"))
    names = [t for t in said if t.split(" ")[0] in {r.model for r in rows}]
    assert [n.split(" ")[0] for n in names[: len(best)]] == [r.model for r in best]
    assert len(names) == len(rows)
    assert "not ranked: incomplete" in said
    assert "not ranked: sampling, temperature 0.7 (1.0)" in said
    first = best[0]
    numbers = f"{first.number('tv'):.3f}  [{first.number('tv_low'):.3f}, {first.number('tv_high'):.3f}]"
    assert [t for t in said if numbers in t]
    assert sum("perfect model" in t for t in said) == 1


def test_a_forest_of_several_tasks_is_refused(
    runs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command(["figure", "forest", str(runs), "-o", str(tmp_path / "f.svg")]) == 2
    assert "one task, attribute and target" in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
def test_the_floor_and_what_is_as_drawn_stand_once_in_the_legend(runs: Path, tmp_path: Path) -> None:
    several = [
        one(runs, "Bad"),
        one(runs, "Twin"),
        str(next(p.parent for p in runs.glob("*/*/*/shares.csv"))),
    ]
    said = texts(figure("divergence", several, tmp_path / "f.svg"))
    assert sum("floor" in t for t in said) == sum("as drawn, without" in t for t in said) == 1
    assert [t for t in said if "Exact" in t]


def test_shares_are_of_all_draws_with_those_that_name_no_class(runs: Path) -> None:
    (entry,) = entries([one(runs, "Shy")])[0]
    found = shares_of(entry)
    assert np.allclose(found.estimate.sum(axis=1), 1)
    assert found.estimate[:, -1].mean() == pytest.approx(1 - entry.valid)
    assert found.estimate[:, -1].mean() > 0.5
    assert np.all((found.low <= found.estimate) & (found.estimate <= found.high))
    (exact,) = entries([str(next(p.parent for p in runs.glob("*/*/*/shares.csv")))])[0]
    bounds = shares_of(exact)
    assert np.all((bounds.low <= bounds.estimate) & (bounds.estimate <= bounds.high))


def test_marks_tell_56_models_apart() -> None:
    assert len({mark(i) for i in range(56)}) == 56


@pytest.mark.usefixtures("quick")
def test_runs_by_choices_join(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "choices"
    words = ["evaluate", "known:target,shift=0.1", "--task", "gender_us", "--target", "labor"]
    assert command([*words, "--measure", "choices", "-o", str(out)]) == 0
    both = [str(out), one(runs)]
    for kind in ("forest", "calibration", "divergence"):
        said = texts(figure(kind, both, tmp_path / f"{kind}.svg"))
        assert "known:target,shift=0.1 (choices)" in said
        assert [t for t in said if t.startswith("acme/Bad-1.5B")]
    assert "no class" not in texts(figure("shares", [str(out)], tmp_path / "s.svg"))
    assert "no class" in texts(figure("shares", [one(runs)], tmp_path / "t.svg"))
