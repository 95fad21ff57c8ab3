"""The board's screens in Chromium: the first one, contexts, wordings, methods, and that charts show their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reports.browser import view

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_the_first_screen_says_who_is_nearest_and_shows_it(page: Page) -> None:
    """One question by itself, its verdict and every ranked model's line, before anything is clicked or scrolled."""
    assert page.locator("h2").first.inner_text().startswith("Gender of a worker, United States")
    verdict = page.locator("#verdict")
    assert verdict.inner_text() == page.evaluate("P.columns[P.first].says.en")
    assert "nearest to US labour force 2025" in verdict.inner_text()
    lines = page.locator("#rows svg.line-chart")
    assert lines.count() == page.locator("#rows tr").count() == 5
    for i in range(5):
        box = lines.nth(i).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 900
        assert box["height"] > 30
    assert page.locator("#rows tr.newband").count() == page.evaluate(
        "new Set(P.cells.filter((c) => c.col === P.first && !c.apart.length).map((c) => c.band)).size - 1"
    )


def test_a_line_of_the_chart_is_where_its_numbers_are(page: Page) -> None:
    found = page.evaluate(
        """() => { const { at, top } = scaleOf(P.first); const bare = (text) => parseFloat(text);
        return [...document.querySelectorAll("#rows tr")].map((tr) => { const cell = cellOf(Number(tr.dataset.row), P.first);
          const dot = tr.querySelector("svg.line-chart circle:last-of-type"); const line = tr.querySelector("svg.line-chart .whisker");
          return [bare(dot.getAttribute("cx")) - 2 - 94 * cell.tv / top, bare(line.getAttribute("x2")) - 2 - 94 * cell.hi / top]; }); }"""
    )
    assert len(found) == 5
    assert max(abs(v) for pair in found for v in pair) < 0.01


def test_all_questions_stand_side_by_side_and_say_what_was_not_run(page: Page) -> None:
    page.locator("#f-col").select_option("all")
    first = page.locator("#rows tr").first.inner_text()
    assert "rank" in first
    assert "not run" in page.locator("#rows").inner_text()
    assert page.locator("th[data-key=overall]").count() == 0
    assert "no two models share two questions" in page.locator("main").inner_text()


def test_the_heat_map_has_the_shares_less_the_target_s_and_opens_a_context(page: Page) -> None:
    view(page, "#view=contexts")
    page.wait_for_selector("table.heatmap")
    shown, expected = page.evaluate(
        """() => { const cells = rankedCells(P.first); const names = P.columns[P.first].contexts;
        const rows = [...document.querySelectorAll("table.heatmap tbody tr")].map((tr) => [tr.querySelector("th").innerText, ...[...tr.querySelectorAll("td")].map((td) => Number(td.innerText.replace("−", "-")))]);
        const off = (cell, i) => { const counts = contextCounts(cell, i); return 100 * (counts[0] / sum(counts) - targetShares(cell, i)[0]); };
        return [rows, rows.map(([name]) => [name, ...cells.map((cell) => off(cell, names.indexOf(name)))])]; }"""
    )
    assert len(shown) == 14
    for row, wanted in zip(shown, expected, strict=True):
        assert row[0] == wanted[0]
        assert row[1:] == pytest.approx(wanted[1:], abs=0.501)
    means = [sum(map(abs, wanted[1:])) for wanted in expected]
    assert means == sorted(means, reverse=True)
    page.locator("table.heatmap tbody th a").first.click()
    page.wait_for_selector("figure.context")
    assert page.locator("h2").first.inner_text().startswith(shown[0][0])
    assert page.locator("figure.context").count() == 5
    page.go_back()
    page.wait_for_selector("table.heatmap")


def test_each_wording_has_a_dot(page: Page) -> None:
    view(page, "#view=contexts")
    page.wait_for_selector("table.spread")
    wordings = page.evaluate("P.cells.find((c) => c.col === P.first && !c.apart.length).wordings.length")
    assert wordings > 1
    assert page.locator("table.spread tbody tr").first.locator("circle").count() == wordings


def test_runs_that_stand_apart_can_be_compared(page: Page) -> None:
    cold = page.locator(".apart tbody tr", has_text="acme/Cold-1.5B")
    cold.get_by_role("link", name="Compare with another: acme/Cold-1.5B").click()
    page.wait_for_selector("p.verdict")
    assert "other sampling parameters" in page.locator("p.notice").inner_text()
    assert "acme/Cold-1.5B (untuned)" in page.locator("p.verdict").inner_text()
    assert page.locator("table.board").first.locator("tbody tr").count() == 1


def test_methods_are_drawn_from_before_to_after(page: Page) -> None:
    view(page, "#view=methods")
    page.wait_for_selector("svg.slope")
    label = page.locator("svg.slope").first.get_attribute("aria-label")
    row = page.evaluate("P.rows.findIndex((r) => r.model === 'ckpt/sft-bad')")
    after, before = page.evaluate(f"[cellOf({row}, P.first).tv, cellOf(baseRow({row}), P.first).tv]")
    assert f"untuned: {before:.3f}" in label
    assert f"SFT: {after:.3f}" in label
