"""What the shipped tiny models answer: ``python -m tests.benchmarks.tiny_models [-n 20] [--tasks NAME …]``.

For every task: the share of draws that are read as a class, the TV between the shares read and those stated in
``baselines/seed/distributions`` (conditional on a valid answer, mean over contexts), and what that TV would be by chance
alone at this number of draws.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from baselines.seed import causal_path, distributions, masked_path, text_path
from harness.evaluation import evaluate
from harness.tasks.task import load_task

CAUSAL = (
    "gender_us", "race_us", "sentiment_us", "gender_uk", "gender_zh", "gender_us_wide", "race_us_wide", "gender_uk_wide",
    "story_gender_us", "story_gender_uk", "story_race_us", "story_sentiment_us", "reply_shape_en", "reply_shape_zh",
)  # fmt: skip


def stated(task: str, language: str, attribute: str, context: str) -> distributions.Shares:
    """The shares that the corpus was made with."""
    if task.startswith("reply_shape"):
        return distributions.replies(language)[context][attribute]
    return distributions.occupation(attribute, context)


def by_chance(shares: np.ndarray, n: int, rng: np.random.Generator) -> float:
    """Mean TV of a multinomial of n draws from its own shares."""
    drawn = rng.multinomial(n, shares / shares.sum(), size=400) / n
    return float(np.abs(drawn - shares).sum(1).mean() / 2)


def measure(name: str, n: int, out: Path) -> None:
    """Draw, read, print one line an attribute."""
    task = load_task(name)
    start = time.perf_counter()
    run = evaluate(str(causal_path()), task, n=n, paraphrases="all", out=out)
    seconds = time.perf_counter() - start
    rng = np.random.default_rng(0)
    with (run.folder / "counts.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for attribute in task.attributes.values():
        counts: dict[str, Counter[str]] = {}
        for row in rows:
            if row["attribute"] == attribute.name:
                counts.setdefault(row["context"], Counter())[row["outcome"]] += int(row["count"])
        labels = list(attribute.classes)
        valid = sum(c[k] for c in counts.values() for k in labels) / sum(
            sum(c.values()) for c in counts.values()
        )
        found, chance = [], []
        for context, count in counts.items():
            shares = stated(name, task.language, attribute.name, context)
            want = np.array([shares[k] for k in labels])
            got = np.array([count[k] for k in labels], dtype=float)
            found.append(np.abs(got / max(got.sum(), 1) - want).sum() / 2)
            chance.append(by_chance(want, int(got.sum()) or 1, rng))
        print(
            f"| {name} | {attribute.name} | {100 * valid:.1f}% | {np.mean(found):.3f} | {np.mean(chance):.3f} | {seconds:.0f} s |"
        )


def associations(model: Path, out: Path) -> None:
    """How far the choices of a model of plain text lie from the stated shares of each profession."""
    task = load_task(distributions.PROFESSION_TASK)
    run = evaluate(str(model), task, paraphrases="all", out=out)
    with (run.folder / "shares.csv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["outcome"] == "male"]
    found = {
        c: np.mean([float(r["lower"]) for r in rows if r["context"] == c])
        for c in {r["context"] for r in rows}
    }
    want = np.array([distributions.profession(c)["male"] for c in found])
    got = np.array(list(found.values()))
    print(
        f"{model.name}: correlation {np.corrcoef(want, got)[0, 1]:.3f}, mean difference {np.abs(want - got).mean():.3f}"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=20)
    parser.add_argument("--tasks", nargs="*", default=[*CAUSAL, distributions.PROFESSION_TASK])
    arguments = parser.parse_args()
    print("| task | attribute | valid | TV from stated | by chance | time |\n|---|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.tasks:
            if name == distributions.PROFESSION_TASK:
                for model in (masked_path(), text_path()):
                    associations(model, Path(folder))
            else:
                measure(name, arguments.n, Path(folder))


if __name__ == "__main__":
    main()
