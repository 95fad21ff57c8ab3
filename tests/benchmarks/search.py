"""The search over learning rates behind the tiny recipes: the same number of tries for every method.

python -m tests.benchmarks.search --out FOLDER [--task gender_us] [--target labor] [--methods sft,dpo,klkto]

Each method's last stage is trained with each learning rate of its grid, all else as in ``recipe_tiny.yaml``, one
seed; first stages are trained once a method. Chosen is the least bias-corrected TV of 1,000 draws, outcomes
outside the classes included, on *validation* paraphrases of the occupations that were trained on, among the tries
whose perplexity on plain text is at most 5% above the untuned model's. Test paraphrases are not looked at. The same
command goes on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.driver import FIRST, share_first_stage, train
from baselines.seed import causal_path
from harness.evaluation import evaluate
from harness.settings import Settings
from tests.benchmarks.methods import Plan, cost, headline, tiny_options

if TYPE_CHECKING:
    from collections.abc import Sequence

GRIDS: dict[str, Sequence[float]] = {
    "sft": (1e-4, 3e-4, 1e-3),
    "dpo": (1e-6, 1e-5, 1e-4),
    "klkto": (3e-6, 1e-5, 3e-5),
}
MOST_PERPLEXITY = 1.05
"""Of the untuned model's."""
SEED = 1000
"""None of those that the table of methods is made with."""


def tried(plan: Plan, folder: Path, method: str, settings: Sequence[str]) -> dict[str, float]:
    """TV and valid share on validation paraphrases, and perplexity, of one try."""
    train(method, str(plan.model), plan.task, plan.target, folder, tiny_options(method, settings))
    asked = Settings(n=plan.n, seed=SEED, split="train", paraphrases="validation", out=plan.out / "runs")
    found = headline(evaluate(str(folder), plan.task, plan.target, asked))
    return found | {"perplexity": cost(folder, plan.task)}


def search(plan: Plan, method: str, base: float) -> float:
    """Try a method's grid, print a line a try, and return the rate that is best."""
    home = plan.out / f"{plan.task}-{plan.target}"
    rows: dict[float, dict[str, float]] = {}
    for rate in GRIDS[method]:
        folder = home / f"{method}-{rate:g}"
        settings = [f"learning_rate={rate!r}", f"seed={SEED}"]
        if rows and method != FIRST:
            share_first_stage(home / f"{method}-{next(iter(rows)):g}", folder)
        rows[rate] = tried(plan, folder, method, settings)
        row = rows[rate]
        print(
            f"| {method} | {rate:g} | {row['estimate']:.4f} | {row['valid']:.3f} "
            f"| {row['perplexity']:.2f} ({100 * (row['perplexity'] / base - 1):+.1f}%) |",
            flush=True,
        )
    cheap = [r for r in rows if rows[r]["perplexity"] <= MOST_PERPLEXITY * base] or list(rows)
    return min(cheap, key=lambda rate: rows[rate]["estimate"])


def main() -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--task", default="gender_us")
    parser.add_argument("--target", default="labor")
    parser.add_argument("--methods", default=",".join(GRIDS))
    given = parser.parse_args()
    plan = Plan(causal_path(), given.task, given.target, given.out, 1000, "validation", False)
    base = cost(plan.model, plan.task)
    print(f"untuned perplexity {base:.2f}\n")
    print("| method | learning rate | TV | valid | perplexity |\n| --- | --- | --- | --- | --- |")
    for method in given.methods.split(","):
        print(f"| {method} | **{search(plan, method, base):g}** | | | |", flush=True)


if __name__ == "__main__":
    main()
