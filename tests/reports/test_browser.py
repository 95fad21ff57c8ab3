"""The page in Chromium: what a reader clicks, what it computes, and that no text of a stranger runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harness import compare
from harness.tasks.task import load_task
from reports.leaderboard import leaderboard
from tests.reports.browser import VIEWS, column, view
from tests.reports.poisoned import poison
from tests.reports.runs import Law, Made, make

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def test_sorting_turns_the_table_and_says_so(page: Page) -> None:
    head = page.locator("th[data-key=model]")
    head.get_by_role("button").click()
    up = column(page, "model")
    assert up == sorted(up, key=str.lower)
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    assert column(page, "model") == up[::-1]
    assert head.get_attribute("aria-sort") == "descending"
    assert "descending" in page.locator("#said").inner_text()
    assert "sort=-model" in page.url


def test_filters_narrow_rows_and_columns_and_live_in_the_address(page: Page) -> None:
    everything = column(page, "model")
    page.locator("#f-more-filters summary").click()
    page.locator("#f-q").press_sequentially("bad")
    assert page.evaluate("document.activeElement.id") == "f-q"
    assert set(column(page, "model")) == {"acme/Bad-1.5B", "ckpt/sft-bad"}
    page.locator("#f-method").select_option("sft")
    assert column(page, "model") == ["ckpt/sft-bad"]
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert column(page, "model") == ["ckpt/sft-bad"]
    page.locator("#f-q").fill("")
    page.locator("#f-method").select_option("")
    assert column(page, "model") == everything
    page.locator("#f-col").select_option("all")
    assert page.locator("th.k-c").count() == 2
    page.locator("#f-attribute").select_option("sentiment")
    assert page.locator("th.k-c").count() == 1
    page.locator("#f-q").fill("no such model")
    assert page.locator("p.empty").is_visible()


def test_columns_can_be_put_away(page: Page) -> None:
    page.locator("#f-columns summary").click()
    page.locator("#f-col-n").uncheck()
    assert page.locator("th[data-key=n]").count() == 0
    assert page.locator("#f-col-n").is_visible()
    page.locator("#f-col-n").check()
    assert page.locator("th[data-key=n]").count() == 1


def test_opening_a_row_shows_what_is_behind_it_and_back_returns(page: Page) -> None:
    page.get_by_role("link", name="acme/Bad-1.5B").first.click()
    assert page.evaluate("document.activeElement.id") == "view-title"
    assert page.locator("h2").first.inner_text() == "acme/Bad-1.5B"
    assert page.locator("figure.context").count() == 14
    off = [
        float(t.removeprefix("TV ")) for t in page.locator("figure.context figcaption span").all_inner_texts()
    ]
    assert off == sorted(off, reverse=True)
    assert "distalign evaluate acme/Bad-1.5B --task gender_us" in page.locator("pre").last.inner_text()
    counts = sum(int(t.replace(",", "")) for t in page.locator(".account-list strong").all_inner_texts())
    assert f"{counts:,}" in page.get_by_text("Together").inner_text()
    texts = page.locator(".samples").first.locator("li").all_inner_texts()
    assert 0 < len(texts) <= 5
    page.get_by_role("button", name="Another five").click()
    assert "seed=1" in page.url
    page.go_back()
    assert page.locator("table.board").first.is_visible()


def test_sample_texts_are_decided_by_the_seed_in_the_address(page: Page) -> None:
    view(page, "#view=row&row=ROW&seed=3")
    once = page.locator(".samples li").all_inner_texts()
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.locator(".samples li").all_inner_texts() == once


def test_comparing_agrees_with_the_command(page: Page, runs: Path) -> None:
    from harness.comparison import compare

    folders = {
        m: next(p.parent for p in sorted(runs.glob("*/gender_us@1/*/counts.csv")) if m in str(p))
        for m in ("Twin", "Bad")
    }
    said = compare(str(folders["Bad"]), str(folders["Twin"])).results[0]
    page.get_by_role("link", name="Compare", exact=True).click()
    for box, name in (("#f-a", "acme/Bad-1.5B — untuned"), ("#f-b", "acme/Twin-1.5B — untuned")):
        page.locator(box).select_option(label=name)
    verdict = page.locator("p.verdict").inner_text()
    assert "acme/Twin-1.5B (untuned) is nearer" in verdict
    assert "Twin" in said.verdict().split(" is closer")[0]
    shown = float(page.locator("tbody td.num").first.inner_text().split("\n")[0])
    assert shown == pytest.approx(said.difference.estimate, abs=0.02)
    page.get_by_role("button", name="Swap").click()
    assert float(page.locator("tbody td.num").first.inner_text().split("\n")[0].replace("−", "-")) == -shown


def test_a_score_on_the_page_is_the_one_in_the_file(page: Page, site: Path) -> None:
    rows = [
        r
        for r in json.loads((site / "leaderboard.json").read_text())["results"]
        if r["ranked"] and r["task"] == "gender_us"
    ]
    shown = dict(zip(column(page, "model"), column(page, "tv"), strict=True))
    assert shown == {r["model"]: f"{r['tv']:.3f}" for r in rows}
    ranks = dict(zip(column(page, "model"), column(page, "rank"), strict=True))
    assert ranks["acme/Bad-1.5B"] == "5"


def test_no_hostile_string_runs(browser: Browser, runs: Path, tmp_path: Path) -> None:
    poison(runs, tmp_path / "runs")
    page_file = leaderboard([str(tmp_path / "runs")], tmp_path / "site", recompute=False)
    with browser.new_context() as context:
        opened = context.new_page()
        asked: list[str] = []
        opened.on("request", lambda request: asked.append(request.url))
        opened.on("dialog", lambda dialog: asked.append(dialog.message))
        opened.goto(page_file.as_uri())
        opened.wait_for_selector("html[data-ready]")
        ids = opened.evaluate("P.rows.map((r) => r.id)")
        assert len(ids) == 200
        for fragment in [*VIEWS, *(f"#view=row&row={i}&every=1" for i in ids[::5])]:
            view(opened, fragment)
            opened.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
            assert opened.evaluate(
                "[typeof window.pwned, window.frames.length, document.querySelectorAll('main script, main img, main iframe, main [onload], main [onerror]').length]"
            ) == ["undefined", 0, 0]
        assert len(asked) == 1
        assert opened.evaluate(
            "[...document.querySelectorAll('a')].every((a) => /^(https?|file):/.test(a.href))"
        )
        view(opened, "#view=row&row=" + ids[0])
        assert "window.pwned=1" in opened.locator("main").inner_text()
    with browser.new_context(java_script_enabled=True) as context:
        opened = context.new_page()
        opened.goto(
            page_file.as_uri()
            + "#view=<img src=x onerror=window.pwned=1>&q=<script>window.pwned=1</script>&row=__proto__&col=constructor"
        )
        opened.wait_for_selector("html[data-ready]")
        assert opened.evaluate("typeof window.pwned") == "undefined"


def people(out: Path) -> Path:
    """A target that is a sample: so few replies a context that the page's comparison must widen by it."""
    task = load_task("gender_us")
    rows = {c.id: {"male": 31 + i % 7, "female": 29} for i, c in enumerate(task.contexts)}
    words = {"publisher": "us", "table": "t", "year": 2025, "license": "CC0", "link": "https://example.org"}
    document = {
        **{"name": "people", "kind": "reference", "values": "counts", "provenance": words},
        "attributes": {"gender": {"rows": rows}},
    }
    (out / "people.yaml").write_text(json.dumps(document), encoding="utf-8")
    return out / "people.yaml"


@pytest.mark.parametrize(
    ("measure", "sampled"), [("draws", False), ("exact", False), ("draws", True), ("exact", True)]
)
def test_a_comparison_has_the_numbers_of_the_harness(
    browser: Browser, tmp_path: Path, measure: str, sampled: bool
) -> None:
    target = str(people(tmp_path)) if sampled else "labor"
    near, far = (
        make(tmp_path / name, Made(f"org/{name}-1B", target=target, law=law, settings={"measure": measure}))
        for name, law in (("near", Law(shift=0.05)), ("far", Law(uniform=0.5, invalid={"refused": 0.04})))
    )
    site = leaderboard([str(near.folder), str(far.folder)], tmp_path / "site")
    page = browser.new_page()
    page.goto(site.as_uri())
    page.wait_for_selector("html[data-ready]")
    (compared,) = compare(near, far, [target]).results
    shown = page.evaluate(
        """() => { const row = (name) => P.rows.findIndex((r) => r.model.includes(name));
        const found = paired(cellOf(row("near"), 0), cellOf(row("far"), 0));
        return { value: found.value, lo: found.lo, hi: found.hi, p: found.p,
          sampled: cellOf(row("near"), 0).shift.length > 0, rows: found.rows.map((r) => [r.value, r.lo, r.hi]) }; }"""
    )
    page.close()
    d = compared.difference
    assert shown["sampled"] == sampled
    assert [shown[k] for k in ("value", "lo", "hi")] == pytest.approx([d.estimate, d.low, d.high], abs=3e-5)
    assert shown["p"] == pytest.approx(d.p, rel=0.02, abs=1e-4)
    assert d.low < d.high
    for own, theirs in zip(shown["rows"], d.by_context, strict=True):
        assert own == pytest.approx(theirs, abs=1e-4)
