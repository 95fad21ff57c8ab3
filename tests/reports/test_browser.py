"""The page in Chromium: what a reader clicks, with and without mouse, scripts, light, width and trust."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from harness import compare
from harness.tasks.task import load_task
from reports.leaderboard import leaderboard
from tests.reports.browser import chromium
from tests.reports.poisoned import poison
from tests.reports.runs import Law, Made, make

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

VIEWS = (
    "",
    "#col=all",
    "#view=contexts",
    "#view=contexts&context=secretary",
    "#view=row&row=ROW",
    "#view=compare",
    "#view=compare&a=APART",
    "#view=methods",
    "#view=course",
    "#view=guide",
    "#view=constructor",
    "#view=__proto__&ui=constructor&theme=toString",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, site: Path) -> Iterator[Page]:
    """The board, open; any error of its script or request beyond the file fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "console",
        lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None,
    )
    opened.on(
        "request", lambda request: None if request.url.startswith("file:") else wrong.append(request.url)
    )
    opened.goto((site / "index.html").as_uri())
    opened.wait_for_selector("html[data-ready]")
    yield opened
    assert wrong == []
    context.close()


def column(page: Page, key: str) -> list[str]:
    found = page.locator("#rows .name" if key == "model" else f"#rows .k-{key}").all_inner_texts()
    return [text.split("\n")[0].strip() for text in found]


def view(page: Page, fragment: str) -> None:
    row = page.evaluate("P.rows[P.cells.find((c) => !c.apart.length).row].id")
    apart = page.evaluate("apart.length ? apartId(apart[0]) : ''")
    filled = fragment.replace("ROW", row).replace("APART", apart)
    page.evaluate("(hash) => { location.hash = hash; }", filled or "#")
    page.wait_for_function("document.getElementById('app').children.length > 0")


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


@pytest.mark.parametrize("fragment", ["", "#col=all"])
def test_a_narrow_screen_has_rank_name_distance_and_valid_share_at_once(
    browser: Browser, site: Path, fragment: str
) -> None:
    with browser.new_context(viewport={"width": 360, "height": 740}) as context:
        opened = context.new_page()
        opened.goto((site / "index.html").as_uri() + fragment)
        opened.wait_for_selector("html[data-ready]")
        row = opened.locator("#rows tr").first
        kinds = (
            [".k-rank", ".k-model", ".k-tv", ".k-valid"]
            if not fragment
            else [".k-model", ".k-c >> nth=0", ".k-c >> nth=1"]
        )
        for kind in kinds:
            box = row.locator(kind).bounding_box()
            assert box is not None, kind
            assert box["x"] >= 0, kind
            assert box["x"] + box["width"] <= 360, kind
        assert "%" in (row.locator(".k-valid") if not fragment else row.locator(".k-model")).inner_text()
        head = [opened.locator(f"thead {k.split(' ')[0]}").first.bounding_box() for k in kinds[:2]]
        body = [row.locator(k.split(" ")[0]).first.bounding_box() for k in kinds[:2]]
        assert all(h and b and abs(h["x"] - b["x"]) < 1 for h, b in zip(head, body, strict=True))


def test_chinese(page: Page) -> None:
    page.locator("#language").select_option("zh")
    assert page.locator("h1").inner_text() == "分布对齐排行榜"
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    assert "ui=zh" in page.url
    view(page, "#view=guide&ui=zh")
    page.wait_for_selector("dl.guide")
    assert "Total variation" not in page.locator("main").inner_text()


def test_dark_by_choice_and_by_system(page: Page, browser: Browser, site: Path) -> None:
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").select_option("dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    with browser.new_context(color_scheme="dark") as context:
        other = context.new_page()
        other.goto((site / "index.html").as_uri())
        assert other.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_everything_by_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    reached: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        here = page.evaluate("""() => { const a = document.activeElement; const s = getComputedStyle(a);
            return [a.id || a.closest('th')?.dataset.key || a.className || a.tagName, s.outlineStyle, parseFloat(s.outlineWidth)]; }""")
        reached.add(here[0])
        assert here[1] != "none", here
        assert here[2] >= 2, here
        if here[0] == "name":
            break
    assert {"f-col", "SUMMARY", "model", "tv", "name"} <= reached
    page.keyboard.press("Enter")
    page.wait_for_selector("figure.context")
    assert page.evaluate("document.activeElement.id") == "view-title"


def test_the_link_to_the_content_keeps_the_view(page: Page) -> None:
    view(page, "view=methods")
    title = page.locator("#view-title").inner_text()
    page.locator(".skip").press("Enter")
    page.wait_for_function("location.hash === '#app'")
    assert page.locator("#view-title").inner_text() == title


@pytest.mark.parametrize("fragment", VIEWS)
def test_nothing_overflows_a_narrow_screen(browser: Browser, site: Path, fragment: str) -> None:
    with browser.new_context(viewport={"width": 360, "height": 740}) as context:
        opened = context.new_page()
        opened.goto((site / "index.html").as_uri())
        opened.wait_for_selector("html[data-ready]")
        view(opened, fragment)
        assert opened.evaluate("document.documentElement.scrollWidth") <= 360


def test_without_scripts_the_table_is_there(browser: Browser, site: Path) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        opened = context.new_page()
        opened.goto((site / "index.html").as_uri())
        assert opened.locator("table").first.locator("tbody tr").count() == 5
        assert "acme/Bad-1.5B" in opened.locator("main").inner_text()
        assert "other sampling parameters" in opened.locator("main").inner_text()
        assert "Scripts are off" in (opened.locator("noscript").text_content() or "")
        assert not opened.locator("nav").is_visible()


def test_print_leaves_controls_out_and_all_rows_in(page: Page) -> None:
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert not page.locator(".controls").first.is_visible()
    assert page.locator("#rows tr").count() == 5
    assert len(page.pdf()) > 10_000


def test_reduced_motion_is_heeded(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("axe")
    subprocess.run(
        ["npm", "pack", "axe-core@4.14.1", "--silent"], cwd=folder, check=True, capture_output=True
    )
    subprocess.run(["tar", "xzf", next(folder.glob("*.tgz")).name], cwd=folder, check=True)
    return (folder / "package" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_no_violation(browser: Browser, site: Path, axe: str, scheme: str, width: int) -> None:
    with browser.new_context(
        bypass_csp=True,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    ) as context:
        opened = context.new_page()
        opened.goto((site / "index.html").as_uri())
        opened.wait_for_selector("html[data-ready]")
        opened.evaluate(axe)
        for fragment in VIEWS:
            view(opened, fragment)
            opened.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
            found = opened.evaluate(
                "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
            )
            told = [
                f"{fragment}: {v['id']}: {v['nodes'][0]['html'][:200]} {v['nodes'][0]['failureSummary'][:300]}"
                for v in found["violations"]
            ]
            assert told == []


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
