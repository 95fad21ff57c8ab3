"""The README's picture of the leaderboard, from runs made for it: ``python -m tests.reports.picture [FILE]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from reports.leaderboard import leaderboard
from tests.reports.browser import chromium
from tests.reports.demo import make_runs

PICTURE = Path(__file__).parent.parent.parent / "docs" / "leaderboard.png"


def draw(out: Path, models: int = 3) -> str:
    """Make runs and a board, write the picture, and return the words of the page."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        page = leaderboard([str(make_runs(Path(folder) / "runs", models))], Path(folder) / "site")
        opened = browser.new_page(viewport={"width": 1360, "height": 980}, locale="en-US")
        opened.goto(page.as_uri())
        opened.wait_for_selector("html[data-ready]")
        opened.screenshot(path=out)
        return str(opened.inner_text("main"))


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
