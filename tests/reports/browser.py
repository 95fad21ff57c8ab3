"""Debian's Chromium for the browser tests, or where there is none playwright's own."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

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


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, closed afterwards."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = CHROMIUM if Path(CHROMIUM).is_file() else None
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def column(page: Page, key: str) -> list[str]:
    """What a column of the table shows, by row."""
    found = page.locator("#rows .name" if key == "model" else f"#rows .k-{key}").all_inner_texts()
    return [text.split("\n")[0].strip() for text in found]


def view(page: Page, fragment: str) -> None:
    """Go to a view; ROW and APART stand for a row, and for a run that stands apart."""
    row = page.evaluate("P.rows[P.cells.find((c) => !c.apart.length).row].id")
    apart = page.evaluate("apart.length ? apartId(apart[0]) : ''")
    filled = fragment.replace("ROW", row).replace("APART", apart)
    page.evaluate("(hash) => { location.hash = hash; }", filled or "#")
    page.wait_for_function("document.getElementById('app').children.length > 0")
