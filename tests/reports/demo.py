"""A small board with everything on it: ties, methods, checkpoints, runs set apart. ``python -m tests.reports.demo OUT``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.contract import Contract
from harness.records import write
from harness.retained.record import FILE, PerplexityRecord, Utility
from harness.runs.manifest import IndependenceRecord
from reports.leaderboard import leaderboard
from tests.reports.runs import Law, Made, make

if TYPE_CHECKING:
    from collections.abc import Iterator

COPIES = IndependenceRecord(ok=False, p=0.0, reason="copies")
TASKS = (("gender_us", "labor"), ("gender_uk", "labor"), ("sentiment_us", "uniform"))
MODELS = (
    ("acme/Example-1.5B-Instruct", 0.22),
    ("acme/Example-7B-Instruct", 0.16),
    ("zenith/Sample-3B-Chat", 0.3),
)
METHODS = (("prompting", 0.8), ("sft", 0.35), ("dpo", 0.75), ("klkto", 0.05))


def runs(models: int = 3) -> Iterator[Made]:
    """Untuned models, each with every method, and what has to stand apart."""
    for model, shift in MODELS[:models]:
        for task, target in TASKS:
            invalid = {"unparsed": 0.03, "refused": 0.02}
            yield Made(model, task, target, Law(shift, invalid=invalid))
            for method, left in METHODS:
                arm = "persona" if method == "prompting" else ""
                contract = Contract(method=method, task=task, arm=arm)
                law = Law(shift * left, invalid={"unparsed": 0.01 * left})
                yield Made(
                    f"ckpt/{method}-{model.split('/')[1]}",
                    task,
                    target,
                    law,
                    contract=contract,
                    base=f"w{model}",
                )
    base = MODELS[0][0]
    contract = Contract(method="sft", task="gender_us")
    for step, shift in ((100, 0.2), (200, 0.13), (400, 0.07), (800, 0.05)):
        yield Made(f"ckpt/sft-course/checkpoint-{step}", law=Law(shift), contract=contract, base=f"w{base}")
    yield Made("acme/Cold-1.5B", law=Law(0.1), settings={"sampling": {"temperature": 0.7}})
    yield Made("acme/Shy-1.5B", law=Law(0.1, invalid={"refused": 0.7}))
    yield Made("acme/Twin-1.5B", law=Law(0.1), changes={"independence": COPIES})
    yield Made(
        "ckpt/sft-leaky", law=Law(0.01), contract=contract, base=f"w{base}", settings={"paraphrases": "all"}
    )
    yield Made("acme/Cut-1.5B", law=Law(0.1), changes={"state": "incomplete"})


def make_runs(out: Path, models: int = 3) -> Path:
    """Write them, with what some cost their model."""
    for made in runs(models):
        folder = make(out, made).folder
        if made.contract.method in ("", "sft", "klkto"):
            worth = 11.4 * {"sft": 1.08, "klkto": 1.03}.get(made.contract.method, 1.0)
            predicted = PerplexityRecord(
                perplexity=worth, bits_per_byte=0.9, tokens=900, window=1024, stride=512, text=""
            )
            found = Utility(weights="", adapter_weights="", perplexity=predicted, draws={"distinct_2": 0.41})
            write(folder / FILE, found)
    return out


if __name__ == "__main__":
    place = Path(sys.argv[1])
    make_runs(place / "runs")
    print(leaderboard([str(place / "runs")], place / "site"))
