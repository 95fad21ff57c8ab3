"""A board's worth of runs, made once: tests copy what they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.contract import Contract
from harness.runs.manifest import IndependenceRecord
from reports.leaderboard import leaderboard
from tests.reports.runs import Law, Made, make

if TYPE_CHECKING:
    from pathlib import Path

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
