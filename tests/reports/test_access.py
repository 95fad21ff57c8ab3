"""The page in Chromium for everybody: narrow, dark, in Chinese, by keyboard, printed, without scripts, read by machines."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.reports.browser import VIEWS, view

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


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
