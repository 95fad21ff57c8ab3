"""A board's worth of runs, made once: tests copy what they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.contract import Contract
from harness.runs.manifest import IndependenceRecord
from reports.leaderboard import leaderboard
from reports.packing import pack
from tests.reports.browser import chromium
from tests.reports.packed import SECRET
from tests.reports.runs import Law, Made, make

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from harness.runs.folder import Run

COPIES = IndependenceRecord(ok=False, p=0.0, reason="copies")
SFT = Contract(method="sft", task="gender_us")
RUNS = {
    "good": Made("acme/Good-7B", law=Law(0.02)),
    "twin": Made("acme/Twin-1.5B", law=Law(0.02), seed=1),
    "bad": Made("acme/Bad-1.5B", law=Law(0.3, invalid={"unparsed": 0.04, "refused": 0.02})),
    "tuned": Made("ckpt/sft-bad", law=Law(0.05), contract=SFT, base="wacme/Bad-1.5B"),
    "exact": Made("acme/Exact-3B", law=Law(0.1), settings={"measure": "exact"}),
    "cold": Made("acme/Cold-1.5B", law=Law(0.1), settings={"sampling": {"temperature": 0.7}}),
    "shy": Made("acme/Shy-1.5B", law=Law(0.1, invalid={"refused": 0.7})),
    "copies": Made("acme/Copies-1.5B", law=Law(0.1), changes={"independence": COPIES}),
    "cut": Made("acme/Cut-1.5B", law=Law(0.1), changes={"state": "incomplete"}),
    "verbal": Made(
        "ckpt/verbal", law=Law(0.1), contract=Contract(method="prompting", arm="verbalised", sampled=False)
    ),
    "leaky": Made("ckpt/sft-leaky", law=Law(0.01), contract=SFT, settings={"paraphrases": "all"}),
    "few": Made("acme/Good-7B", law=Law(0.02), n=20, settings={"seed": 5}),
    "mood": Made("acme/Good-7B", "sentiment_us", "uniform", Law(0.1)),
}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs above, not to be changed."""
    out = tmp_path_factory.mktemp("runs")
    for made in RUNS.values():
        make(out, made)
    return out


@pytest.fixture(scope="session")
def site(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The board of them."""
    return leaderboard([str(runs)], tmp_path_factory.mktemp("site")).parent


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for the tests of one file."""
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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a checkpoint on somebody's machine."""
    return make(
        tmp_path_factory.mktemp("mine"),
        Made("/home/alice/ckpt/checkpoint-40", law=Law(0.1), n=20, changes=SECRET),
    )


@pytest.fixture(scope="module")
def packed(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(run.folder, tmp_path_factory.mktemp("packed") / "good.zip", "acme/Model-1B")
