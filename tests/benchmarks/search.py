"""The search over learning rates behind ``recipe_tiny.yaml`` and ``recipe_real.yaml``: as many tries for every method.

python -m tests.benchmarks.search --out FOLDER [--model MODEL] [--task gender_us] [--methods sft,dpo,klkto]
    [--set KEY=VALUE]

Each method's last stage is trained with each learning rate of its grid, all else as in its recipe, one seed; first
stages are trained once a method. Chosen is the least bias-corrected TV of draws, outcomes outside the classes included,
in the mean over tasks, on *validation* paraphrases of the occupations that were trained on, among the rates whose
perplexity on plain text, in the language of the first task, is little above the untuned model's (``Plan.most``). Test
paraphrases are not looked at. ``--model`` searches for a real model with its recipe; else it is the tiny one. The same
command goes on where it stopped. FOLDER/search.json has every try.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from baselines.driver import FIRST, Options, share_first_stage, train
from baselines.methods import named
from baselines.output import STAGES
from baselines.real.run import PARAGRAPHS
from baselines.recipe import REAL, TINY
from baselines.seed import causal_path
from harness.evaluation import evaluate
from harness.records import Number, Record, read, write
from harness.settings import Settings
from tests.benchmarks.methods import cost, headline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SEED = 1000
"""None of those that a table of methods is made with."""
FIRST_RATE = 1e-3
"""Of the recipes' first stage of dpo, which is then that try of sft."""


class Plan(NamedTuple):
    """What is searched."""

    recipe: str
    grids: Mapping[str, Sequence[float]]
    n: int
    """Draws per prompt."""
    most: float
    """Perplexity that a rate may cost, over the untuned model's."""
    paragraphs: int | None
    """Of the text that perplexities are of; None: all."""


TINY_PLAN = Plan(
    TINY,
    {"sft": (1e-4, 3e-4, 1e-3), "dpo": (1e-6, 1e-5, 1e-4), "klkto": (3e-6, 1e-5, 3e-5)},
    1000,
    1.05,
    None,
)
REAL_PLAN = Plan(
    REAL,
    {"sft": (3e-4, 6e-4, 1e-3), "dpo": (1.5e-5, 5e-5, 1.5e-4), "klkto": (6e-5, 2e-4, 6e-4)},
    100,
    1.1,
    PARAGRAPHS,
)


class Try(Record):
    """One rate on one task."""

    method: str
    rate: Number
    task: str
    tv: Number
    valid: Number
    perplexity: Number


class Search(Record):
    """All tries, and the untuned model's perplexity."""

    model: str
    target: str
    tasks: tuple[str, ...]
    settings: tuple[str, ...]
    """Over the recipes."""
    untuned: Number
    tries: tuple[Try, ...] = ()

    def of(self, method: str, rate: float) -> tuple[Try, ...]:
        """On every task."""
        return tuple(t for t in self.tries if (t.method, t.rate) == (method, rate))

    def costs(self, method: str, rate: float) -> float:
        """Perplexity over the untuned model's, in the mean over tasks."""
        return statistics.mean(t.perplexity / self.untuned for t in self.of(method, rate))

    def best(self, method: str, most: float) -> float:
        """The rate of least TV among those that cost little; among all, where none does."""
        rates = list(dict.fromkeys(t.rate for t in self.tries if t.method == method))
        cheap = [r for r in rates if self.costs(method, r) <= most] or rates
        return min(cheap, key=lambda r: statistics.mean(t.tv for t in self.of(method, r)))


def tried(found: Search, model: str, plan: Plan, out: Path, task: str, method: str, rate: float) -> Try:
    """Train with a rate, and measure on validation paraphrases."""
    home = out / f"{task}-{found.target}"
    folder = home / f"{method}-{rate:g}"
    donors = [home / f"{method}-{plan.grids[method][0]:g}"]
    if method == "dpo":
        donors.append(home / f"{FIRST}-{FIRST_RATE:g}")
    for donor in donors if method != FIRST else ():
        if (donor / STAGES / FIRST).is_dir():
            share_first_stage(donor, folder)
    recipe = named(method).folder / plan.recipe
    settings = (*found.settings, f"learning_rate={rate!r}", f"seed={SEED}")
    train(method, model, task, found.target, folder, Options(recipe=recipe, settings=settings))
    asked = Settings(n=plan.n, seed=SEED, split="train", paraphrases="validation", out=out / "runs")
    measured = headline(evaluate(str(folder), task, found.target, asked))
    return Try(
        method=method,
        rate=rate,
        task=task,
        tv=measured["estimate"],
        valid=measured["valid"],
        perplexity=cost(folder, task, plan.paragraphs),
    )


def table(found: Search, most: float) -> str:
    """A line a rate, and what is chosen."""
    tasks = found.tasks
    lines = [
        "| method | learning rate | " + " | ".join(f"TV {t} | valid" for t in tasks) + " | perplexity | |",
        "| --- | --: |" + " --: | --: |" * len(tasks) + " --: | --- |",
    ]
    for method in dict.fromkeys(t.method for t in found.tries):
        best = found.best(method, most)
        for rate in dict.fromkeys(t.rate for t in found.tries if t.method == method):
            own = {t.task: t for t in found.of(method, rate)}
            cells = [f"{own[t].tv:.3f} | {own[t].valid:.3f}" if t in own else "– | –" for t in tasks]
            chosen = "chosen" if rate == best else ""
            cells.append(f"{100 * (found.costs(method, rate) - 1):+.1f}% | {chosen}")
            lines.append(f"| {method} | {rate:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="")
    parser.add_argument("--task", action="append")
    parser.add_argument("--target", default="labor")
    parser.add_argument("--methods", default="sft,dpo,klkto")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    plan, model = (REAL_PLAN, given.model) if given.model else (TINY_PLAN, str(causal_path()))
    tasks = given.task or ["gender_us"]
    file = given.out / "search.json"
    if file.is_file():
        found = read(file, Search, hint=f"rm {file}")
        if (found.model, found.target, found.tasks, found.settings) != (
            Path(model).name,
            given.target,
            tuple(tasks),
            tuple(given.set),
        ):
            parser.error(
                f"{file} is a search with another model, target, task or setting: take another --out"
            )
    else:
        found = Search(
            model=Path(model).name,
            target=given.target,
            tasks=tuple(tasks),
            settings=tuple(given.set),
            untuned=cost(Path(model), tasks[0], plan.paragraphs),
        )
    given.out.mkdir(parents=True, exist_ok=True)
    for method in given.methods.split(","):
        for task in tasks:
            for rate in plan.grids[method]:
                if not any(t.task == task for t in found.of(method, rate)):
                    one = tried(found, model, plan, given.out, task, method, rate)
                    found = found.model_copy(update={"tries": (*found.tries, one)})
                    write(file, found)
    print(table(found, plan.most))


if __name__ == "__main__":
    main()
